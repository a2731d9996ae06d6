// SPDX-License-Identifier: Apache-2.0

extension ModelArchitecture {
    /// Checks the values against the model's sizes.
    ///
    /// - Throws: ``FormatError/invalidField(name:offset:reason:)`` with the manifest's name of the member.
    func check(layerCount: Int, headSize: Int) throws(FormatError) {
        try Self.checkFactor("attention_scale", attentionScale ?? 1)
        try Self.checkFactor("attention_softcap", attentionSoftcap ?? 1)
        try Self.checkFactor("logit_softcap", logitSoftcap ?? 1)
        try Self.checkFactor("embedding_scale", embeddingScale)
        try Self.checkFactor("residual_scale", residualScale)
        try Self.checkFactor("logit_scale", logitScale)
        try checkRopes(headSize: headSize)
        try checkLayers(layerCount: layerCount)
    }

    private static func checkFactor(_ name: String, _ value: Float) throws(FormatError) {
        let limit = FormatLimits.maximumFactor
        guard value >= 1 / limit, value <= limit else {
            throw .invalidField(
                name: name, offset: nil, reason: "\(value) is outside \(1 / limit)...\(limit)")
        }
    }

    private func checkRopes(headSize: Int) throws(FormatError) {
        guard ropes.count <= FormatLimits.maximumRopes else {
            throw .invalidField(
                name: "ropes", offset: nil,
                reason: "\(ropes.count) entries, the limit is \(FormatLimits.maximumRopes)")
        }
        for (index, rope) in ropes.enumerated() {
            let field = "ropes[\(index)]"
            guard rope.rotarySize >= 2, rope.rotarySize <= headSize, rope.rotarySize % 2 == 0 else {
                throw .invalidField(
                    name: "\(field).rotary_size", offset: nil,
                    reason: "\(rope.rotarySize) is not an even number in 2...\(headSize), the head size")
            }
            try Self.checkFactor("\(field).attention_factor", rope.attentionFactor)
            if let longAbove = rope.longAbove {
                guard longAbove >= 1, longAbove <= FormatLimits.maximumPositions else {
                    throw .invalidField(
                        name: "\(field).long_above", offset: nil,
                        reason: "\(longAbove) is outside 1...\(FormatLimits.maximumPositions)")
                }
            }
        }
    }

    private func checkLayers(layerCount: Int) throws(FormatError) {
        func checkCount(_ name: String, _ count: Int) throws(FormatError) {
            guard count == 0 || count == layerCount else {
                throw .invalidField(
                    name: name, offset: nil, reason: "\(count) entries, the model has \(layerCount) layers")
            }
        }
        try checkCount("layer_ropes", layerRopes.count)
        let kinds = max(1, ropes.count)
        for (layer, rope) in layerRopes.enumerated() {
            guard let rope, rope < 0 || rope >= kinds else { continue }
            throw .invalidField(
                name: "layer_ropes[\(layer)]", offset: nil, reason: "\(rope) is outside 0..<\(kinds)")
        }
        try checkCount("layer_windows", layerWindows.count)
        let limit = FormatLimits.maximumPositions
        for (layer, window) in layerWindows.enumerated() where window < 0 || window > limit {
            throw .invalidField(
                name: "layer_windows[\(layer)]", offset: nil, reason: "\(window) is outside 0...\(limit)")
        }
    }
}
