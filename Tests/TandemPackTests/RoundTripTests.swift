// SPDX-License-Identifier: Apache-2.0

import CTandemKernels
import TandemFormat
import TandemPack
import Testing

@Suite("Packed weights against their source")
struct RoundTripTests {
    private static let groups: [GroupSize] = [.columns32, .columns64, .columns128, .row]
    /// A width that fills no group, rows that fill no panel, and heads that do not fill the width.
    private static let shape = TestModel.Shape(
        vocabulary: 83, hidden: 144, intermediate: 200, layers: 1, heads: 4, keyValueHeads: 2, headSize: 20)

    private static let sourceNames = [
        "primary.embed": "model.embed_tokens.weight", "primary.head": "lm_head.weight",
        "primary.layers.0.q": "model.layers.0.self_attn.q_proj.weight",
        "primary.layers.0.k": "model.layers.0.self_attn.k_proj.weight",
        "primary.layers.0.v": "model.layers.0.self_attn.v_proj.weight",
        "primary.layers.0.o": "model.layers.0.self_attn.o_proj.weight",
        "primary.layers.0.gate": "model.layers.0.mlp.gate_proj.weight",
        "primary.layers.0.up": "model.layers.0.mlp.up_proj.weight",
        "primary.layers.0.down": "model.layers.0.mlp.down_proj.weight",
    ]

    private func packed(_ type: String, _ format: WeightFormat) throws -> (TestModel, TandemFile, PackReport)
    {
        let folder = try TemporaryFolder()
        let model = TestModel(RoundTripTests.shape, type: type, seed: 5)
        try model.write(to: folder, "m")
        let report = try pack(
            folder["m"], to: folder["m.tandem"], options: PackOptions(weights: format, threadCount: 2))
        return (model, try TandemFile(path: folder["m.tandem"]), report)
    }

    @Test(arguments: ["F32", "F16", "BF16"])
    func floatsAreExact(type: String) throws {
        let (model, file, _) = try packed(type, .f32)
        for (name, sourceName) in RoundTripTests.sourceNames {
            let source = try #require(model[sourceName])
            #expect(try PackedMatrix(file, name).rows().flatMap { $0 } == source.values, "\(name)")
        }
    }

    @Test(arguments: ["F32", "BF16"])
    func normsAreExact(type: String) throws {
        let (model, file, _) = try packed(type, .int4(.row))
        for (name, sourceName) in [
            "primary.norm": "model.norm.weight",
            "primary.layers.0.attn_norm": "model.layers.0.input_layernorm.weight",
            "primary.layers.0.mlp_norm": "model.layers.0.post_attention_layernorm.weight",
        ] {
            #expect(try PackedMatrix.vector(file, name) == model[sourceName]?.values)
        }
    }

    @Test(arguments: ["F32", "F16", "BF16"], groups)
    func int8IsWithinHalfAStep(type: String, group: GroupSize) throws {
        let (model, file, report) = try packed(type, .int8(group))
        for (name, sourceName) in RoundTripTests.sourceNames {
            let source = try #require(model[sourceName])
            let matrix = try PackedMatrix(file, name)
            let reported = try #require(report.tensors.first { $0.name == name })
            var errors = ErrorSums()
            var worst: Float = 0
            for (row, values) in try matrix.rows().enumerated() {
                for (column, value) in values.enumerated() {
                    let weight = source.values[row * values.count + column]
                    worst = max(worst, abs(weight - value) / matrix.scale(row: row, column: column))
                    errors.add(weight, value)
                }
            }
            #expect(worst <= 0.5001, "\(name)")
            #expect(abs(reported.relativeRMSError - errors.relativeRMS) < 1e-3 * errors.relativeRMS)
            #expect(abs(reported.largestError - errors.largest) < 1e-3 * errors.largest)
            #expect(errors.relativeRMS < 0.012)
        }
    }

    /// The searched scale is never worse than the plain one, largest magnitude / 7.
    @Test(arguments: groups)
    func int4IsNoWorseThanPlainRounding(group: GroupSize) throws {
        let (model, file, report) = try packed("BF16", .int4(group))
        for (name, sourceName) in RoundTripTests.sourceNames {
            let source = try #require(model[sourceName])
            let matrix = try PackedMatrix(file, name)
            var errors = ErrorSums()
            var plain = ErrorSums()
            var levels = Set<Float>()
            for (row, values) in try matrix.rows().enumerated() {
                let weights = Array(source.values[row * values.count..<(row + 1) * values.count])
                for start in stride(from: 0, to: values.count, by: matrix.group) {
                    let range = start..<min(start + matrix.group, values.count)
                    let step = weights[range].map(abs).max().map { $0 / 7 } ?? 0
                    for column in range {
                        errors.add(weights[column], values[column])
                        let rounded = step == 0 ? 0 : (weights[column] / step).rounded() * step
                        plain.add(weights[column], rounded)
                        let scale = matrix.scale(row: row, column: column)
                        levels.insert(scale == 0 ? 0 : (values[column] / scale).rounded())
                    }
                }
            }
            #expect(errors.relativeRMS < plain.relativeRMS, "\(name)")
            #expect(levels.min() == -8 && levels.max() == 7, "\(name)")
            let reported = try #require(report.tensors.first { $0.name == name })
            #expect(abs(reported.relativeRMSError - errors.relativeRMS) < 1e-3 * errors.relativeRMS)
        }
    }

    /// Scales far below the normal 16-bit floats must not clip.
    @Test func smallWeightsKeepTheirRange() throws {
        let folder = try TemporaryFolder()
        var model = TestModel(type: "F32")
        let name = "model.layers.0.mlp.up_proj.weight"
        var tensor = try #require(model[name])
        for row in 0..<80 {
            let factor = Float(1) / Float(1 << min(row / 4, 13))
            for column in 0..<48 { tensor.values[row * 48 + column] *= factor }
        }
        model[name] = tensor
        try model.write(to: folder, "m")
        try pack(folder["m"], to: folder["m.tandem"])
        let matrix = try PackedMatrix(TandemFile(path: folder["m.tandem"]), "primary.layers.0.up")
        var worst: Float = 0
        for (row, values) in try matrix.rows().enumerated() {
            for (column, value) in values.enumerated() {
                let error = abs(tensor.values[row * 48 + column] - value)
                worst = max(worst, error / matrix.scale(row: row, column: column))
            }
        }
        #expect(worst <= 0.5001)
    }
}

/// Sums of squares as the report defines its errors.
private struct ErrorSums {
    var error = 0.0
    var weight = 0.0
    var largest = 0.0
    var relativeRMS: Double { (error / weight).squareRoot() }

    mutating func add(_ source: Float, _ packed: Float) {
        let difference = Double(source) - Double(packed)
        error += difference * difference
        weight += Double(source) * Double(source)
        largest = max(largest, abs(difference))
    }
}
