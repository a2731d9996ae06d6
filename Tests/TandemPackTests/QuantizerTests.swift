// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemPack
import Testing

@Suite("Quantisers")
struct QuantizerTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private static let groups: [GroupSize] = [.columns32, .columns64, .columns128, .row]
    /// A width that fills no group, and rows that fill no panel.
    private static let shape = TestModel.Shape(
        vocabulary: 83, hidden: 144, intermediate: 200, layers: 1, heads: 4, keyValueHeads: 2, headSize: 20)
    private static let matrix = "primary.layers.0.down"
    private static let source = "model.layers.0.mlp.down_proj.weight"

    private func pack(
        _ model: TestModel, _ treatment: WeightTreatment, calibration: Calibration? = nil, threads: Int = 2
    ) throws -> (rows: [[Float]], report: PackReport.Tensor) {
        try model.write(to: folder, "m")
        var options = try PackOptions(
            recipe: Recipe(name: "test", standard: treatment), overwrite: true, threadCount: threads)
        options.calibration = calibration
        let report = try Packer().pack(
            source: folder["m"], destination: folder["m.tandem"], options: options)
        let file = try TandemFile(path: folder["m.tandem"])
        let tensor = try #require(report.tensors.first { $0.name == QuantizerTests.matrix })
        return (try PackedMatrix(file, QuantizerTests.matrix).rows(), tensor)
    }

    /// A model whose down matrix is made by `value(row, column)`.
    private func model(_ value: (Int, Int) -> Float) throws -> TestModel {
        var model = TestModel(QuantizerTests.shape, type: "F32", seed: 7)
        let rows = QuantizerTests.shape.hidden
        let columns = QuantizerTests.shape.intermediate
        model[QuantizerTests.source] = TestTensor(
            name: QuantizerTests.source, type: "F32", shape: [rows, columns],
            values: (0..<rows * columns).map { value($0 / columns, $0 % columns) })
        return model
    }

    // MARK: Error

    @Test(arguments: groups)
    func searchedScalesAreNoWorseThanPlainOnes(group: GroupSize) throws {
        let model = TestModel(QuantizerTests.shape, type: "BF16", seed: 5)
        let formats: [(WeightFormat, [Quantizer])] = [
            (.int4(group), [.mse]), (.int4z(group), [.mse, .hqq]),
        ]
        for (format, quantizers) in formats {
            let plain = try pack(model, WeightTreatment(format, quantizer: .rtn)).report.relativeRMSError
            for quantizer in quantizers {
                let error = try pack(model, WeightTreatment(format, quantizer: quantizer)).report
                #expect(error.relativeRMSError < plain, "\(format.name) \(quantizer.rawValue)")
                #expect(error.relativeOutputError == nil)
            }
        }
    }

    @Test(arguments: groups)
    func offsetsPay(group: GroupSize) throws {
        let model = TestModel(QuantizerTests.shape, type: "BF16", seed: 6)
        let symmetric = try pack(model, WeightTreatment(.int4(group))).report.relativeRMSError
        let asymmetric = try pack(model, WeightTreatment(.int4z(group))).report.relativeRMSError
        #expect(asymmetric < symmetric)
    }

    @Test(arguments: groups)
    func reportedErrorsAreThoseOfTheFile(group: GroupSize) throws {
        let source = TestModel(QuantizerTests.shape, type: "F32", seed: 8)
        let values = try #require(source[QuantizerTests.source]).values
        for format in [WeightFormat.int8(group), .int4(group), .int4z(group)] {
            let (rows, report) = try pack(source, WeightTreatment(format))
            var (error, power, largest) = (0.0, 0.0, 0.0)
            for (weight, packed) in zip(values, rows.joined()) {
                let difference = Double(weight) - Double(packed)
                error += difference * difference
                power += Double(weight) * Double(weight)
                largest = max(largest, abs(difference))
            }
            #expect(abs((error / power).squareRoot() - report.relativeRMSError) < 1e-5)
            #expect(abs(largest - report.largestError) < 1e-6)
        }
    }

    // MARK: Weights that need no rounding

    /// Levels of which every group has -8 and 7, the last one of eight columns too.
    private static func level(_ row: Int, _ column: Int) -> Float {
        column >= 192 ? (column % 2 == 0 ? -8 : 7) : Float((column &* 5 &+ row) % 16 - 8)
    }

    @Test func representableSymmetricWeightsAreExact() throws {
        // Every group holds -8 and 7 steps of 2⁻⁵.
        let exact = try model { QuantizerTests.level($0, $1) * 0x1p-5 }
        for quantizer in [Quantizer.rtn, .mse] {
            let (rows, report) = try pack(exact, WeightTreatment(.int4(.columns32), quantizer: quantizer))
            #expect(report.relativeRMSError == 0)
            #expect(rows[3][9] == Float((9 * 5 + 3) % 16 - 8) * 0x1p-5)
        }
    }

    @Test func representableAsymmetricWeightsAreKept() throws {
        // Scales of 255, 128 and 51 units of 2⁻¹², offsets of 127, -100 and 0 units of 2⁻⁸, by group.
        let scales: [Float] = [255, 128, 51]
        let offsets: [Float] = [127, -100, 0]
        let exact = try model { row, column in
            let group = column / 32 % 3
            return QuantizerTests.level(row, column) * scales[group] * 0x1p-12 + offsets[group] * 0x1p-8
        }
        for quantizer in [Quantizer.rtn, .mse, .hqq] {
            let error = try pack(exact, WeightTreatment(.int4z(.columns32), quantizer: quantizer)).report
            #expect(error.relativeRMSError < 1e-5, "\(quantizer.rawValue)")
        }
    }

    @Test(arguments: [WeightFormat.int8(.columns64), .int4(.columns32), .int4z(.columns32), .int4z(.row)])
    func zerosStayZero(format: WeightFormat) throws {
        let (rows, report) = try pack(try model { _, _ in 0 }, WeightTreatment(format))
        #expect(rows.allSatisfy { $0.allSatisfy { $0 == 0 } })
        #expect(report.relativeRMSError == 0)
    }

    @Test func equalWeightsAreKept() throws {
        let (_, report) = try pack(try model { _, _ in -0.375 }, WeightTreatment(.int4z(.columns64)))
        #expect(report.relativeRMSError < 1e-6)
    }

    // MARK: Ends of the range

    @Test func largeWeights() throws {
        let large = try model { ($0 + $1) % 2 == 0 ? 3e13 : -1e13 }
        #expect(try pack(large, WeightTreatment(.int4z(.columns32))).report.relativeRMSError < 1e-3)
        for (format, value) in [
            (WeightFormat.int8(.columns64), Float(3e13)), (.int4(.columns32), 3e13),
            (.int4z(.columns32), 3e37),
        ] {
            try model { ($0 + $1) % 2 == 0 ? value : -value }.write(to: folder, "m")
            let error = packError(folder["m"], to: folder["x"], options: try PackOptions(weights: format))
            guard case .weightTooLarge? = error else {
                Issue.record("\(format.name): not refused")
                continue
            }
        }
    }

    @Test func smallWeights() throws {
        let small = try model { Float($0 - $1) * 1e-14 }
        #expect(try pack(small, WeightTreatment(.int4z(.columns32))).report.relativeRMSError < 0.1)
        for (format, value) in [
            (WeightFormat.int8(.columns64), Float(1e-20)), (.int4z(.columns32), 0x1p-130),
        ] {
            try model { _, _ in value }.write(to: folder, "m")
            let error = packError(folder["m"], to: folder["x"], options: try PackOptions(weights: format))
            guard case .weightsTooSmall? = error else {
                Issue.record("\(format.name): not refused")
                continue
            }
        }
    }

    // MARK: Names

    @Test func treatmentsHaveNames() throws {
        for name in ["f32", "int8/row", "int4/64", "int4z/32:hqq", "int8/64:gptq", "int4/128:rtn"] {
            #expect(try WeightTreatment(name: name).name == name)
        }
        #expect(try WeightTreatment(name: "int4z").name == "int4z/32")
        for name in ["", "int5", "int4/33", "int8/64:hqq", "f32:rtn", "int4z/32:", "int4z/32:best", "f32/64"]
        {
            #expect(throws: PackError.self) { try WeightTreatment(name: name) }
        }
    }
}
