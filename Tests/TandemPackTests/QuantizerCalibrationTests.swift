// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemPack
import Testing

@Suite("Quantisers that know the inputs")
struct QuantizerCalibrationTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private static let shape = TestModel.Shape(
        vocabulary: 83, hidden: 144, intermediate: 200, layers: 1, heads: 4, keyValueHeads: 2, headSize: 20)
    private static let matrix = "primary.layers.0.down"

    /// Second moments of inputs that are mixtures of few directions, as a model's are.
    private static func statistics(columns: Int, blockSize: Int, seed: UInt64 = 3) throws -> InputStatistics {
        var numbers = NumberSource(seed: seed)
        let directions = (0..<12).map { _ in (0..<columns).map { _ in numbers.normal() } }
        let inputs = (0..<256).map { _ in
            let shares = directions.map { _ in numbers.normal() }
            return (0..<columns).map { column in
                zip(directions, shares).reduce(0.3 * numbers.normal()) { $0 + $1.0[column] * $1.1 }
            }
        }
        var moments: [Float] = []
        for start in stride(from: 0, to: columns, by: blockSize) {
            let block = start..<min(start + blockSize, columns)
            for row in block {
                for column in block {
                    moments.append(inputs.reduce(0) { $0 + $1[row] * $1[column] } / Float(inputs.count))
                }
            }
        }
        return try InputStatistics(columns: columns, blockSize: blockSize, moments: moments)
    }

    private static func calibration(blockSize: Int) throws -> Calibration {
        let columns = shape.intermediate
        return Calibration(
            inputs: [matrix: try statistics(columns: columns, blockSize: blockSize)], tokenCount: 256)
    }

    private func pack(
        _ treatment: WeightTreatment, calibration: Calibration, threads: Int = 2
    ) throws -> (bytes: [UInt8], report: PackReport.Tensor, quantization: PackReport) {
        try TestModel(QuantizerCalibrationTests.shape, type: "BF16", seed: 5).write(to: folder, "m")
        var options = try PackOptions(
            recipe: Recipe(name: "test", standard: treatment), overwrite: true, threadCount: threads)
        options.calibration = calibration
        let report = try Packer().pack(
            source: folder["m"], destination: folder["m.tandem"], options: options)
        let tensor = try #require(report.tensors.first { $0.name == QuantizerCalibrationTests.matrix })
        return (try folder.read("m.tandem"), tensor, report)
    }

    private func outputError(
        _ format: WeightFormat, _ quantizer: Quantizer, blockSize: Int
    ) throws -> Double {
        let calibration = try QuantizerCalibrationTests.calibration(blockSize: blockSize)
        let report = try pack(WeightTreatment(format, quantizer: quantizer), calibration: calibration).report
        return try #require(report.relativeOutputError)
    }

    @Test(arguments: [
        WeightFormat.int8(.columns64), .int4(.columns32), .int4z(.columns32), .int4z(.columns128),
    ])
    func compensationLessensTheOutputError(format: WeightFormat) throws {
        let plain = try outputError(format, .rtn, blockSize: 200)
        let compensated = try outputError(format, .gptq, blockSize: 200)
        #expect(compensated < 0.6 * plain, "\(compensated) against \(plain)")
    }

    @Test func widerBlocksCompensateMore() throws {
        let calibration = try QuantizerCalibrationTests.calibration(blockSize: 32)
        let narrow = try pack(WeightTreatment(.int4z(.columns32), quantizer: .gptq), calibration: calibration)
        #expect(try #require(narrow.report.relativeOutputError) > 0)
        let rows = try PackedMatrix(
            TandemFile(path: folder["m.tandem"]), QuantizerCalibrationTests.matrix
        ).rows()
        // The narrow blocks' own measure sees only their part of the error: both are measured with all of it.
        let wide = try outputError(.int4z(.columns32), .gptq, blockSize: 200)
        let full = try QuantizerCalibrationTests.statistics(columns: 200, blockSize: 200)
        #expect(wide < relativeOutputError(rows, moments: full))
    }

    /// Over all rows, in double precision, from the source's own weights.
    private func relativeOutputError(_ rows: [[Float]], moments: InputStatistics) -> Double {
        let model = TestModel(QuantizerCalibrationTests.shape, type: "BF16", seed: 5)
        let weights = model["model.layers.0.mlp.down_proj.weight"]?.values ?? []
        let columns = moments.columns
        var (error, power) = (0.0, 0.0)
        for (row, packed) in rows.enumerated() {
            for first in 0..<columns {
                let exact = weights[row * columns..<(row + 1) * columns]
                let difference = exact[exact.startIndex + first] - packed[first]
                for second in 0..<columns {
                    let moment = Double(moments.element(first, second))
                    let other = exact[exact.startIndex + second]
                    error += Double(difference) * moment * Double(other - packed[second])
                    power += Double(exact[exact.startIndex + first]) * moment * Double(other)
                }
            }
        }
        return (error / power).squareRoot()
    }

    @Test func reportedOutputErrorIsThatOfTheFile() throws {
        // All rows fit the first panels' sample when there is one panel for each block; 144 rows are nine panels in one
        // block, so the report has seen the first sixteen rows.
        let calibration = try QuantizerCalibrationTests.calibration(blockSize: 200)
        let reported = try pack(WeightTreatment(.int4z(.columns32)), calibration: calibration).report
        let rows = try PackedMatrix(
            TandemFile(path: folder["m.tandem"]), QuantizerCalibrationTests.matrix
        ).rows()
        let full = try QuantizerCalibrationTests.statistics(columns: 200, blockSize: 200)
        let measured = relativeOutputError(Array(rows.prefix(16)), moments: full)
        #expect(abs(try #require(reported.relativeOutputError) / measured - 1) < 1e-3)
    }

    @Test func importanceMovesTheErrorToWhereItCostsLess() throws {
        let plain = try outputError(.int4z(.columns32), .rtn, blockSize: 1)
        let weighted = try outputError(.int4z(.columns32), .mse, blockSize: 1)
        #expect(weighted < plain)
    }

    @Test(arguments: [
        (WeightFormat.int4z(.row), 32), (.int4(.columns128), 64), (.int8(.row), 200),
        (.int4z(.columns64), 48),
    ])
    func blocksMayCutGroups(format: WeightFormat, blockSize: Int) throws {
        let compensated = try outputError(format, .gptq, blockSize: blockSize)
        let plain = try outputError(format, .rtn, blockSize: blockSize)
        #expect(compensated < plain)
    }

    @Test func sameBytesWhateverTheThreads() throws {
        let calibration = try QuantizerCalibrationTests.calibration(blockSize: 96)
        let first = try pack(WeightTreatment(.int4z(.columns32)), calibration: calibration, threads: 1).bytes
        for threads in [2, 5] {
            #expect(
                try pack(WeightTreatment(.int4z(.columns32)), calibration: calibration, threads: threads)
                    .bytes
                    == first)
        }
    }

    @Test func matricesWithoutStatisticsAreSearched() throws {
        let calibration = try QuantizerCalibrationTests.calibration(blockSize: 200)
        let result = try pack(WeightTreatment(.int4z(.columns32)), calibration: calibration)
        #expect(result.report.quantizer == "gptq")
        let other = try #require(result.quantization.tensors.first { $0.name == "primary.layers.0.gate" })
        #expect(other.quantizer == "rtn-mse")
        #expect(other.relativeOutputError == nil)
        #expect(result.quantization.quantization["calibration"] == ["tokens": 256])
    }

    @Test func inputsThatWereAlwaysZero() throws {
        let zeros = try InputStatistics(
            columns: 200, blockSize: 200, moments: [Float](repeating: 0, count: 200 * 200))
        let result = try pack(
            WeightTreatment(.int4z(.columns32)),
            calibration: Calibration(inputs: [QuantizerCalibrationTests.matrix: zeros], tokenCount: 1))
        #expect(result.report.relativeRMSError < 0.1)
        #expect(result.report.relativeOutputError == nil)
    }

    @Test func statisticsMustFit() throws {
        #expect(throws: PackError.self) { try InputStatistics(columns: 8, blockSize: 9, moments: []) }
        #expect(throws: PackError.self) { try InputStatistics(columns: 8, blockSize: 8, moments: [1, 2]) }
        #expect(throws: PackError.self) { try InputStatistics(columns: 1, blockSize: 1, moments: [.nan]) }
        let wrong = try QuantizerCalibrationTests.statistics(columns: 199, blockSize: 199)
        #expect(throws: PackError.self) {
            try pack(
                WeightTreatment(.int4z(.columns32)),
                calibration: Calibration(inputs: [QuantizerCalibrationTests.matrix: wrong], tokenCount: 1))
        }
    }
}
