// SPDX-License-Identifier: Apache-2.0

import Foundation
import TandemFormat

/// The transformer of a `ModelArchitecture` and the tandem pass, written from the architecture's equations with plain
/// loops in double precision. Knows nothing of the engine.
struct NaiveTransformer {
    struct Layer {
        let matrices: [String: NaiveMatrix]
        /// Norms and biases; absent where the architecture has none.
        let vectors: [String: [Double]]
    }

    let shape: ModelShape
    /// May be changed to see what a member does.
    var architecture: ModelArchitecture
    let embedding: NaiveMatrix
    let layers: [Layer]
    let norm: [Double]
    let head: NaiveMatrix
    /// Inverse frequencies of every kind of RoPE, and those of texts above its limit.
    private let frequencies: [[Double]]
    private let longFrequencies: [[Double]]

    /// - Parameter roundsActivations: round the inputs of quantised matrices to int8, as the engine does.
    init(_ model: RandomModel, role: ModelRole, shape: ModelShape, roundsActivations: Bool = false) {
        func matrix(_ name: String) -> NaiveMatrix {
            NaiveMatrix(model.matrices[name], roundsActivations: roundsActivations)
        }
        func vector(_ name: String) -> [Double]? { model.vectors[name].map { $0.map(Double.init) } }
        self.shape = shape
        architecture = shape.architecture
        embedding = matrix("\(role.rawValue).embed")
        layers = (0..<shape.layers).map { index in
            let prefix = "\(role.rawValue).layers.\(index)."
            var matrices: [String: NaiveMatrix] = [:]
            var vectors: [String: [Double]] = [:]
            for name in ["q", "k", "v", "o", "gate", "up", "down"] { matrices[name] = matrix(prefix + name) }
            for name in model.vectors.keys where name.hasPrefix(prefix) {
                vectors[String(name.dropFirst(prefix.count))] = vector(name)
            }
            return Layer(matrices: matrices, vectors: vectors)
        }
        norm = vector("\(role.rawValue).norm") ?? []
        head = shape.tied ? embedding : matrix("\(role.rawValue).head")
        let plain = (0..<shape.headSize / 2).map { i in
            pow(Double(shape.ropeBase), -Double(2 * i) / Double(shape.headSize))
        }
        let names = shape.architecture.ropes.indices.map { "\(role.rawValue).ropes.\($0)" }
        frequencies = names.isEmpty ? [plain] : names.map { vector($0) ?? [] }
        longFrequencies = names.map { vector($0 + ".long") ?? [] }
    }

    /// Where one layer's keys and values of the first positions come from instead of the layer itself.
    typealias Given = (keys: [[Double]], values: [[Double]])

    /// Logits of all positions, and the residual stream entering each layer and leaving the last: [depth][position].
    ///
    /// - Parameters:
    ///   - given: per layer, keys and values for all positions, used at position i for t < blockStart(i).
    func forward(
        _ tokens: [Int32], given: [Given] = [], blockStart: (Int) -> Int = { _ in 0 }
    ) -> (logits: [[Double]], streams: [[[Double]]]) {
        var stream = tokens.map { token in
            Int(token) < shape.vocabulary
                ? embedding.row(Int(token)).map { $0 * Double(architecture.embeddingScale) }
                : [Double](repeating: 0, count: shape.hidden)
        }
        var streams: [[[Double]]] = []
        for (index, layer) in layers.enumerated() {
            streams.append(stream)
            let inputs = stream.map { normalise($0, layer.vectors["attn_norm"]) }
            let (keys, values) = keysAndValues(layer, index, inputs)
            let window = architecture.window(ofLayer: index)
            for position in tokens.indices {
                let query = rotate(
                    normaliseHeads(linear(layer, "q", inputs[position]), layer.vectors["q_norm"]),
                    layer: index, position: position, textLength: tokens.count)
                let first = window == 0 ? 0 : max(0, position - window + 1)
                let start = blockStart(position)
                let visible = (first...position).map { t in
                    t < start ? (given[index].keys[t], given[index].values[t]) : (keys[t], values[t])
                }
                let attended = linear(layer, "o", attend(query, visible.map(\.0), visible.map(\.1)))
                add(normalise(attended, layer.vectors["attn_post_norm"]), to: &stream[position])
            }
            for position in tokens.indices {
                let input = normalise(stream[position], layer.vectors["mlp_norm"])
                let gate = linear(layer, "gate", input).map(activate)
                let inner = zip(gate, linear(layer, "up", input)).map(*)
                let result = linear(layer, "down", inner)
                add(normalise(result, layer.vectors["mlp_post_norm"]), to: &stream[position])
            }
        }
        streams.append(stream)
        return (stream.map { logits(of: normalise($0, norm)) }, streams)
    }

    /// Keys (rotated) and values of a layer's inputs at positions 0, 1, ….
    private func keysAndValues(_ layer: Layer, _ index: Int, _ inputs: [[Double]]) -> Given {
        (
            inputs.indices.map { position in
                rotate(
                    normaliseHeads(linear(layer, "k", inputs[position]), layer.vectors["k_norm"]),
                    layer: index, position: position, textLength: inputs.count)
            },
            inputs.map { linear(layer, "v", $0) }
        )
    }

    /// Keys and values that the primary's streams give this (secondary) model's layers.
    func given(
        streams: [[[Double]]], projections: [NaiveMatrix], layerMap: [Int]
    ) -> [Given] {
        layers.indices.map { index in
            let inputs = streams[layerMap[index]].map { stream in
                normalise(projections[index](stream), layers[index].vectors["attn_norm"])
            }
            return keysAndValues(layers[index], index, inputs)
        }
    }

    // MARK: - Pieces

    private func linear(_ layer: Layer, _ name: String, _ input: [Double]) -> [Double] {
        let product = layer.matrices[name]?(input) ?? []
        guard let bias = layer.vectors[name + "_bias"] else { return product }
        return zip(product, bias).map(+)
    }

    private func add(_ part: [Double], to stream: inout [Double]) {
        stream = zip(stream, part).map { $0 + Double(architecture.residualScale) * $1 }
    }

    /// RMSNorm by the weights; no norm without weights.
    func normalise(_ x: [Double], _ weight: [Double]?) -> [Double] {
        guard let weight else { return x }
        let square = x.reduce(0) { $0 + $1 * $1 } / Double(x.count)
        let scale = 1 / (square + Double(shape.epsilon)).squareRoot()
        return zip(x, weight).map { $0 * scale * $1 }
    }

    /// Norm of queries or keys: each head by itself, or all of them together.
    private func normaliseHeads(_ x: [Double], _ weight: [Double]?) -> [Double] {
        guard let weight, architecture.queryKeyNorm == .head else { return normalise(x, weight) }
        return stride(from: 0, to: x.count, by: shape.headSize).flatMap {
            normalise(Array(x[$0..<$0 + shape.headSize]), weight)
        }
    }

    private func activate(_ x: Double) -> Double {
        switch architecture.activation {
        case .silu: x / (1 + exp(-x))
        case .geluTanh: 0.5 * x * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
        }
    }

    private func logits(of x: [Double]) -> [Double] {
        head(x).map { value in
            let scaled = value * Double(architecture.logitScale)
            return capped(scaled, architecture.logitSoftcap)
        }
    }

    private func capped(_ x: Double, _ cap: Float?) -> Double {
        guard let cap = cap.map(Double.init) else { return x }
        return cap * tanh(x / cap)
    }

    /// How many tokens a text may gain before RoPE takes other frequencies.
    func ropeRoom(after length: Int) -> Int {
        let limits = shape.architecture.ropes.compactMap(\.longAbove).filter { $0 >= length }
        return (limits.min() ?? Int.max) - length
    }

    /// Rotary embedding, halves paired: (i, i + rotary / 2). All positions of a text turn alike, by its length.
    private func rotate(_ x: [Double], layer: Int, position: Int, textLength: Int) -> [Double] {
        guard let index = architecture.rope(ofLayer: layer) else { return x }
        let rope = architecture.ropes.isEmpty ? nil : architecture.ropes[index]
        let isLong = textLength > rope?.longAbove ?? Int.max
        let frequencies = isLong ? longFrequencies[index] : frequencies[index]
        let half = frequencies.count
        let factor = Double(rope?.attentionFactor ?? 1)
        var result = x
        for head in stride(from: 0, to: x.count, by: shape.headSize) {
            for i in 0..<half {
                let angle = Double(position) * frequencies[i]
                let a = x[head + i]
                let b = x[head + i + half]
                result[head + i] = (a * cos(angle) - b * sin(angle)) * factor
                result[head + i + half] = (b * cos(angle) + a * sin(angle)) * factor
            }
        }
        return result
    }

    private func attend(_ query: [Double], _ keys: [[Double]], _ values: [[Double]]) -> [Double] {
        let size = shape.headSize
        let share = shape.heads / shape.keyValueHeads
        let scale = architecture.attentionScale.map(Double.init) ?? 1 / Double(size).squareRoot()
        var result = [Double](repeating: 0, count: query.count)
        for head in 0..<shape.heads {
            let own = head * size
            let other = head / share * size
            let scores = keys.map { key in
                let dot = (0..<size).reduce(0) { $0 + query[own + $1] * key[other + $1] }
                return capped(dot * scale, architecture.attentionSoftcap)
            }
            let weights = naiveSoftmax(scores)
            for (weight, value) in zip(weights, values) {
                for i in 0..<size { result[own + i] += weight * value[other + i] }
            }
        }
        return result
    }
}

func naiveSoftmax(_ x: [Double]) -> [Double] {
    let largest = x.max() ?? 0
    let weights = x.map { exp($0 - largest) }
    let sum = weights.reduce(0, +)
    return weights.map { $0 / sum }
}
