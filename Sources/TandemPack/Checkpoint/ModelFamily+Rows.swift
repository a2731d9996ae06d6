// SPDX-License-Identifier: Apache-2.0

import TandemFormat

extension ModelFamily {
    /// The rows of a stored tensor that are a layer's part, and how many rows the stored tensor has. Parts with the same
    /// name are fused: they stand one above the other, in file order.
    func rows(
        of part: LayerPart, in configuration: ModelConfiguration
    ) -> (rows: Range<Int>, all: Int) {
        let name = names.parts[part]
        var (start, all) = (0, 0)
        for other in configuration.architecture.layerParts
        where other == part || (name != nil && names.parts[other] == name) {
            if other == part { start = all }
            all += configuration.rows(of: other)
        }
        return (start..<start + configuration.rows(of: part), all)
    }
}

extension ModelConfiguration {
    /// Rows of a layer's matrix, or elements of a layer's vector.
    func rows(of part: LayerPart) -> Int {
        let (queries, keys) = (headCount * headSize, keyValueHeadCount * headSize)
        return switch part {
        case .attentionNorm, .attentionPostNorm, .mlpNorm, .mlpPostNorm, .output, .outputBias, .down,
            .downBias:
            hiddenSize
        case .query, .queryBias: queries
        case .key, .keyBias, .value, .valueBias: keys
        case .queryNorm: architecture.queryKeyNorm == .head ? headSize : queries
        case .keyNorm: architecture.queryKeyNorm == .head ? headSize : keys
        case .gate, .gateBias, .up, .upBias: intermediateSize
        }
    }

    /// Columns of a layer's matrix; 1 for vectors.
    func columns(of part: LayerPart) -> Int {
        switch part {
        case .query, .key, .value, .gate, .up: hiddenSize
        case .output: headCount * headSize
        case .down: intermediateSize
        default: 1
        }
    }
}

extension LayerPart {
    /// True for the weights of a norm.
    var isNorm: Bool {
        switch self {
        case .attentionNorm, .attentionPostNorm, .mlpNorm, .mlpPostNorm, .queryNorm, .keyNorm: true
        default: false
        }
    }
}
