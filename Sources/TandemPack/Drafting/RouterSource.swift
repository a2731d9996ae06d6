// SPDX-License-Identifier: Apache-2.0

import TandemFormat

/// The block-length router of a tandem checkpoint (`Formats/tandem-checkpoint.md`, "Router").
struct RouterSource: Sendable {
    let configuration: DraftingConfiguration.Router
    /// In the order of ``RouterPart/allCases``.
    let tensors: [SourceTensor]

    private static let names: [RouterPart: String] = [
        .hidden: "router.hidden.weight", .hiddenBias: "router.hidden.bias",
        .sampled: "router.sampled.weight", .sampledBias: "router.sampled.bias",
        .greedy: "router.greedy.weight", .greedyBias: "router.greedy.bias",
    ]

    /// - Parameter width: hidden size of the secondary, whose embeddings the router reads.
    init(_ entry: TandemCheckpoint.Router, width: Int) throws(PackError) {
        let weights = try SafetensorsCheckpoint(file: entry.path)
        let names = RouterPart.allCases.compactMap { RouterSource.names[$0] }
        let missing = names.filter { weights.tensors[$0] == nil }
        guard missing.isEmpty else { throw .missingTensors(path: entry.path, names: missing) }
        let units = names.compactMap { weights.tensors[$0] }[1].shape.first ?? 0
        configuration = DraftingConfiguration.Router(topCount: entry.topCount, hiddenSize: units)
        let inputs = configuration.inputCount(width: width)
        var tensors: [SourceTensor] = []
        for (part, name) in zip(RouterPart.allCases, names) {
            guard let tensor = weights.tensors[name] else { continue }
            let shape =
                switch part {
                case .hidden: [units, inputs]
                case .hiddenBias, .sampled, .greedy: [units]
                case .sampledBias, .greedyBias: [1]
                }
            try tensor.check(shape: shape)
            tensors.append(SourceTensor(tensor))
        }
        self.tensors = tensors
    }

    private init(configuration: DraftingConfiguration.Router, tensors: [SourceTensor]) {
        self.configuration = configuration
        self.tensors = tensors
    }

    /// The same router over embeddings that have become wider by elements that are zero.
    func widened(from old: Int, to new: Int) -> RouterSource {
        guard old != new, let hidden = tensors.first else { return self }
        let head = 1 + configuration.topCount
        var columns = [Placement(source: 0, target: 0, count: head)]
        for index in 0..<configuration.topCount {
            columns.append(Placement(source: head + index * old, target: head + index * new, count: old))
        }
        let placed = SourceTensor(
            PlacedTensor(
                source: hidden, rows: hidden.rows, columns: configuration.inputCount(width: new),
                rowBlocks: [Placement(source: 0, target: 0, count: hidden.rows)], columnBlocks: columns,
                otherRows: .constant(0), otherColumns: .constant(0)))
        return RouterSource(configuration: configuration, tensors: [placed] + tensors.dropFirst())
    }
}
