// SPDX-License-Identifier: Apache-2.0

import Foundation
import TandemFormat

/// A matrix in double precision, row-major.
struct NaiveMatrix {
    let rows: Int
    let columns: Int
    let values: [Double]
    /// When positive, inputs are rounded to int8 in groups of this many elements first, as the engine does for
    /// quantised weights.
    let activationGroup: Int

    func callAsFunction(_ input: [Double]) -> [Double] {
        let x = activationGroup > 0 ? rounded(input) : input
        return (0..<rows).map { row in
            var sum = 0.0
            for column in 0..<columns { sum += values[row * columns + column] * x[column] }
            return sum
        }
    }

    func row(_ index: Int) -> [Double] { Array(values[index * columns..<(index + 1) * columns]) }

    private func rounded(_ input: [Double]) -> [Double] {
        var result = input
        for first in stride(from: 0, to: input.count, by: activationGroup) {
            let range = first..<min(first + activationGroup, input.count)
            let largest = input[range].reduce(0) { max($0, abs($1)) }
            guard largest > 0 else { continue }
            for index in range {
                result[index] = (input[index] * 127 / largest).rounded(.toNearestOrEven) * largest / 127
            }
        }
        return result
    }
}

/// The Llama-family transformer and the tandem pass, written from the architecture's equations with plain loops in
/// double precision. Knows nothing of the engine.
struct NaiveTransformer {
    struct Layer {
        let attentionNorm: [Double]
        let query, key, value, output: NaiveMatrix
        let feedForwardNorm: [Double]
        let gate, up, down: NaiveMatrix
    }

    let shape: ModelShape
    let embedding: NaiveMatrix
    let layers: [Layer]
    let norm: [Double]
    let head: NaiveMatrix

    /// - Parameter roundsActivations: round the inputs of quantised matrices to int8, as the engine does.
    init(_ model: RandomModel, role: ModelRole, shape: ModelShape, roundsActivations: Bool = false) {
        func matrix(_ name: String) -> NaiveMatrix {
            NaiveMatrix(model.matrices[name], roundsActivations: roundsActivations)
        }
        func vector(_ name: String) -> [Double] { (model.vectors[name] ?? []).map(Double.init) }
        self.shape = shape
        embedding = matrix("\(role.rawValue).embed")
        layers = (0..<shape.layers).map { index in
            let prefix = "\(role.rawValue).layers.\(index)."
            return Layer(
                attentionNorm: vector(prefix + "attn_norm"), query: matrix(prefix + "q"),
                key: matrix(prefix + "k"),
                value: matrix(prefix + "v"), output: matrix(prefix + "o"),
                feedForwardNorm: vector(prefix + "mlp_norm"),
                gate: matrix(prefix + "gate"), up: matrix(prefix + "up"), down: matrix(prefix + "down"))
        }
        norm = vector("\(role.rawValue).norm")
        head = shape.tied ? embedding : matrix("\(role.rawValue).head")
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
        var stream = tokens.map { embedding.row(Int($0)) }
        var streams: [[[Double]]] = []
        for (index, layer) in layers.enumerated() {
            streams.append(stream)
            let normed = stream.map { normalise($0, layer.attentionNorm) }
            let (keys, values) = keysAndValues(layer, normed)
            for position in tokens.indices {
                let query = rotate(layer.query(normed[position]), position: position)
                let start = blockStart(position)
                var visibleKeys = Array(keys[start...position])
                var visibleValues = Array(values[start...position])
                if start > 0 {
                    visibleKeys = given[index].keys[..<start] + visibleKeys
                    visibleValues = given[index].values[..<start] + visibleValues
                }
                let attended = layer.output(attend(query, visibleKeys, visibleValues))
                stream[position] = zip(stream[position], attended).map(+)
            }
            for position in tokens.indices {
                let input = normalise(stream[position], layer.feedForwardNorm)
                let gate = layer.gate(input)
                let up = layer.up(input)
                let inner = gate.indices.map { gate[$0] / (1 + exp(-gate[$0])) * up[$0] }
                stream[position] = zip(stream[position], layer.down(inner)).map(+)
            }
        }
        streams.append(stream)
        return (stream.map { head(normalise($0, norm)) }, streams)
    }

    /// Keys (rotated) and values of normed inputs at positions 0, 1, ….
    private func keysAndValues(_ layer: Layer, _ normed: [[Double]]) -> Given {
        (
            normed.indices.map { rotate(layer.key(normed[$0]), position: $0) },
            normed.map { layer.value($0) }
        )
    }

    /// Keys and values that the primary's streams give this (secondary) model's layers.
    func given(
        streams: [[[Double]]], projections: [NaiveMatrix], layerMap: [Int]
    ) -> [Given] {
        layers.indices.map { index in
            let projected = streams[layerMap[index]].map { projections[index]($0) }
            return keysAndValues(layers[index], projected.map { normalise($0, layers[index].attentionNorm) })
        }
    }

    private func normalise(_ x: [Double], _ weight: [Double]) -> [Double] {
        let square = x.reduce(0) { $0 + $1 * $1 } / Double(x.count)
        let scale = 1 / (square + Double(shape.epsilon)).squareRoot()
        return zip(x, weight).map { $0 * scale * $1 }
    }

    /// Rotary embedding, halves paired: (i, i + headSize / 2).
    private func rotate(_ x: [Double], position: Int) -> [Double] {
        var result = x
        let size = shape.headSize
        for head in stride(from: 0, to: x.count, by: size) {
            for i in 0..<size / 2 {
                let angle = Double(position) * pow(Double(shape.ropeBase), -Double(2 * i) / Double(size))
                let a = x[head + i]
                let b = x[head + i + size / 2]
                result[head + i] = a * cos(angle) - b * sin(angle)
                result[head + i + size / 2] = b * cos(angle) + a * sin(angle)
            }
        }
        return result
    }

    private func attend(_ query: [Double], _ keys: [[Double]], _ values: [[Double]]) -> [Double] {
        let size = shape.headSize
        let share = shape.heads / shape.keyValueHeads
        var result = [Double](repeating: 0, count: query.count)
        for head in 0..<shape.heads {
            let own = head * size
            let other = head / share * size
            let scores = keys.map { key in
                (0..<size).reduce(0) { $0 + query[own + $1] * key[other + $1] } / Double(size).squareRoot()
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

extension NaiveMatrix {
    init(_ matrix: TestMatrix?, roundsActivations: Bool) {
        rows = matrix?.layout.rows ?? 0
        columns = matrix?.layout.columns ?? 0
        values = (matrix?.values ?? []).map(Double.init)
        activationGroup = roundsActivations ? matrix?.layout.activationGroup ?? 0 : 0
    }
}
