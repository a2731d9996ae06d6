// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemJSON
import TandemPack
import Testing

@Suite("Routers and draft vocabularies")
struct DraftingPackTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private static let units = 5
    private static let topCount = 2
    private static let width = 32

    /// A router's tensors: every value is another number.
    private static var router: [TestTensor] {
        let inputs = 1 + topCount + topCount * width
        var next: Float = 0
        return [
            ("hidden.weight", [units, inputs]), ("hidden.bias", [units]), ("sampled.weight", [units]),
            ("sampled.bias", [1]), ("greedy.weight", [units]), ("greedy.bias", [1]),
        ].map { (name, shape) in
            let count = shape.reduce(1, *)
            defer { next += Float(count) }
            return TestTensor(
                name: "router.\(name)", type: "F32", shape: shape,
                values: (0..<count).map { next + Float($0) })
        }
    }

    private func write(
        _ tensors: [TestTensor] = router, topCount: JSONValue = .integer(2),
        weights: JSONValue = "router.safetensors"
    ) throws {
        var tandem = TestTandem()
        tandem.json["router"] = ["weights": weights, "top_k": topCount]
        try tandem.write(to: folder, "t")
        try folder.write(safetensors(tensors), to: "t/router.safetensors")
    }

    @Test func aRouterIsPackedAsItIs() throws {
        try write()
        try pack(folder["t"], to: folder["t.tandem"], options: PackOptions(weights: .int4(.columns32)))
        let file = try TandemFile(path: folder["t.tandem"])
        #expect(file.manifest.drafting?.router == .init(topCount: 2, hiddenSize: 5))
        #expect(file.manifest.drafting?.vocabularySize == nil)
        #expect(file.header(named: "drafting"))
        let router = Self.router
        let hidden = try PackedMatrix(file, TensorName.router(.hidden)).rows()
        #expect(hidden.flatMap { $0 } == router[0].values)
        for (part, tensor) in zip(RouterPart.allCases, router).dropFirst() {
            #expect(try PackedMatrix.vector(file, TensorName.router(part)) == tensor.values, "\(part)")
        }
        // The file of a pair of the same models has no router.
        try pack(folder["t"], secondary: folder["t/secondary"], to: folder["pair.tandem"])
        #expect(try TandemFile(path: folder["pair.tandem"]).manifest.drafting == nil)
    }

    @Test func routersMustFit() throws {
        let path = folder["t/router.safetensors"]
        func error(_ change: (inout [TestTensor]) -> Void) throws -> PackError? {
            var tensors = Self.router
            change(&tensors)
            try write(tensors)
            return packError(folder["t"], to: folder["x"])
        }
        #expect(
            try error { $0.removeLast() } == .missingTensors(path: path, names: ["router.greedy.bias"]))
        #expect(
            try error { $0[0].shape = [1 + 2 + 2 * 32, 5] }
                == .wrongShape(
                    path: path, tensor: "router.hidden.weight", found: [67, 5], expected: [5, 67]))
        #expect(
            try error { $0[2].shape = [1, 5] }
                == .wrongShape(path: path, tensor: "router.sampled.weight", found: [1, 5], expected: [5]))
        try write(topCount: .integer(33))
        guard case .invalidField(_, "router.top_k", _)? = packError(folder["t"], to: folder["x"]) else {
            Issue.record("top_k 33")
            return
        }
        try write(weights: "../router.safetensors")
        #expect(
            packError(folder["t"], to: folder["x"])
                == .unsafePath(
                    path: folder["t/tandem.json"], field: "router.weights", value: "../router.safetensors"))
    }

    // MARK: - Vocabularies

    @Test func draftsComeFromTheFirstIdsOrTheMostFrequentTokens() throws {
        try TestTandem().write(to: folder, "t")
        // Characters of the tokenizer begin with '!', id 1.
        try folder.write(Array("##########%%%%%%&&&\n$$ %\n".utf8), to: "text.txt")
        let cases: [(String?, [Int])] = [
            (nil, [0, 1, 2, 3]), (folder["text.txt"], [0, 3, 5, 6]),
        ]
        for (text, expected) in cases {
            var options = try PackOptions(weights: .f32, overwrite: true)
            options.draftVocabulary = try DraftVocabulary(size: 4, text: text)
            try pack(folder["t"], to: folder["t.tandem"], options: options)
            let file = try TandemFile(path: folder["t.tandem"])
            #expect(file.manifest.drafting == DraftingConfiguration(vocabularySize: 4))
            #expect(try PackedMatrix.vector(file, TensorName.draftTokens).map { Int($0) } == expected)
            let embeddings = try PackedMatrix(file, TensorName.embed(.secondary)).rows()
            #expect(try PackedMatrix(file, TensorName.draftHead).rows() == expected.map { embeddings[$0] })
        }
    }

    @Test func vocabulariesThatCannotBe() throws {
        try TestTandem().write(to: folder, "t")
        try TestModel().write(to: folder, "m")
        for (source, size, text) in [("t", 41, nil), ("m", 4, nil)] as [(String, Int, String?)] {
            var options = try PackOptions(weights: .f32)
            options.draftVocabulary = try DraftVocabulary(size: size, text: text)
            guard
                case .invalidOption("the draft vocabulary", "\(size)", _)? = packError(
                    folder[source], to: folder["x"], options: options)
            else {
                Issue.record("\(source)")
                return
            }
        }
        #expect(throws: PackError.self) { try DraftVocabulary(size: 0) }
        var options = try PackOptions(weights: .f32)
        options.draftVocabulary = try DraftVocabulary(size: 4, text: folder["nowhere.txt"])
        guard
            case .fileSystem("open", folder["nowhere.txt"], _)? = packError(
                folder["t"], to: folder["x"], options: options)
        else {
            Issue.record("a text that is not there")
            return
        }
    }
}

extension TandemFile {
    /// Whether there is a chunk of that name.
    fileprivate func header(named name: String) -> Bool { chunks.contains { $0.name == name } }
}
