// SPDX-License-Identifier: Apache-2.0

import TandemPack
import Testing

@Suite("Weights that cannot be packed")
struct WeightFaultTests {
    private let name = "model.layers.1.mlp.down_proj.weight"

    private func error(
        _ format: WeightFormat, type: String = "F32", _ change: (inout [Float]) -> Void, tensor: String? = nil
    ) throws -> (error: PackError?, path: String) {
        let folder = try TemporaryFolder()
        var model = TestModel(type: type)
        var values = model[tensor ?? name]?.values ?? []
        change(&values)
        model[tensor ?? name]?.values = values
        try model.write(to: folder, "m")
        let error = packError(
            folder["m"], to: folder["m.tandem"], options: try PackOptions(weights: format, threadCount: 2))
        if error != nil { #expect(try folder.names() == ["m"]) }
        return (error, folder["m/model.safetensors"])
    }

    @Test(
        arguments: [WeightFormat.f32, .int8(.columns64), .int4(.columns32), .int8(.row)],
        [Float.nan, .infinity, -.infinity])
    func notFinite(format: WeightFormat, value: Float) throws {
        for type in ["F32", "BF16", "F16"] {
            let (error, path) = try error(format, type: type) { $0[17 * 80 + 79] = value }
            #expect(
                error
                    == .nonFiniteWeight(path: path, tensor: name, row: 17, column: 79, value: "\(value)"))
        }
    }

    @Test func vectorsTooMustBeFinite() throws {
        let norm = "model.layers.0.input_layernorm.weight"
        let (error, path) = try error(.int8(.columns64), { $0[3] = .nan }, tensor: norm)
        #expect(error == .nonFiniteWeight(path: path, tensor: norm, row: 0, column: 3, value: "nan"))
    }

    /// Threads find faults in any order; the first by position counts.
    @Test(arguments: [1, 2, 7])
    func theFirstOfSeveralIsReported(threads: Int) throws {
        let folder = try TemporaryFolder()
        var model = TestModel(TestModel.Shape(vocabulary: 6000, hidden: 192, intermediate: 64, layers: 1))
        let name = "model.embed_tokens.weight"
        for row in [5990, 3333, 5000] { model[name]?.values[row * 192 + 1] = .infinity }
        try model.write(to: folder, "m")
        let error = packError(folder["m"], to: folder["x"], options: try PackOptions(threadCount: threads))
        #expect(
            error
                == .nonFiniteWeight(
                    path: folder["m/model.safetensors"], tensor: name, row: 3333, column: 1, value: "inf"))
    }

    @Test func tooLargeForTheScale() throws {
        let (error, path) = try error(.int8(.columns64)) { $0[20 * 80 + 66] = -9e6 }
        #expect(
            error
                == .weightTooLarge(
                    path: path, tensor: name, row: 20, column: 66, value: -9e6, format: "int8/64"))
        #expect(try self.error(.int8(.columns64)) { $0[0] = 8e6 }.error == nil)
        #expect(try self.error(.int4(.columns64)) { $0[0] = 8e6 }.error != nil)
        #expect(try self.error(.f32) { $0[0] = 3e38 }.error == nil)
    }

    @Test func tooSmallForTheScale() throws {
        let (error, path) = try error(.int8(.columns32)) { $0 = $0.map { $0 * 1e-6 } }
        guard case .weightsTooSmall(path, name, let largest, "int8/32")? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(largest > 0 && largest < 1e-6)
        #expect(try self.error(.f32) { $0 = $0.map { $0 * 1e-6 } }.error == nil)
        #expect(try self.error(.int8(.columns32)) { $0 = $0.map { _ in 0 } }.error == nil)
    }
}
