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

    /// A tandem whose checkpoint says how frequent its 40 tokens are, and how many of them to draft.
    private func writeFrequencies(
        _ values: [Float] = (0..<40).map { Float($0 % 7) }, size: JSONValue = .integer(4),
        file: JSONValue = "f.safetensors", type: String = "F32"
    ) throws {
        var tandem = TestTandem()
        tandem.json["draft_vocabulary"] = ["frequencies": file, "size": size]
        try tandem.write(to: folder, "t")
        let tensor = TestTensor(name: "token_frequencies", type: type, shape: [values.count], values: values)
        try folder.write(safetensors([tensor]), to: "t/f.safetensors")
    }

    @Test func checkpointsRecommendWhatIsDrafted() throws {
        try writeFrequencies()
        try folder.write(Array("##########%%%%%%&&&\n$$ %\n".utf8), to: "text.txt")
        // Of equally frequent tokens the first; 0 ends texts.
        let cases: [(DraftVocabulary, [Int]?)] = [
            (.recommended, [0, 6, 13, 20]), (.whole, nil), (try DraftVocabulary(size: 2), [0, 6]),
            (try DraftVocabulary(size: 4, text: folder["text.txt"]), [0, 3, 5, 6]),
        ]
        for (vocabulary, expected) in cases {
            var options = try PackOptions(weights: .f32, overwrite: true)
            options.draftVocabulary = vocabulary
            // A secondary from elsewhere drafts the same tokens: they are the tokenizer's.
            for secondary in [nil, folder["t/secondary"]] {
                try pack(folder["t"], secondary: secondary, to: folder["t.tandem"], options: options)
                let file = try TandemFile(path: folder["t.tandem"])
                #expect(file.manifest.drafting?.vocabularySize == expected?.count)
                guard let expected else { continue }
                #expect(try PackedMatrix.vector(file, TensorName.draftTokens).map { Int($0) } == expected)
            }
        }
        // All tokens need no head beside the secondary's own.
        try writeFrequencies(size: .integer(40))
        try pack(folder["t"], to: folder["all.tandem"])
        #expect(try TandemFile(path: folder["all.tandem"]).manifest.drafting == nil)
        // A single model drafts nothing.
        try pack(folder["t/primary"], to: folder["m.tandem"])
        #expect(try TandemFile(path: folder["m.tandem"]).manifest.drafting == nil)
    }

    @Test func recommendationsMustFit() throws {
        func error() -> PackError? { packError(folder["t"], to: folder["x"]) }
        let path = folder["t/f.safetensors"], manifest = folder["t/tandem.json"]
        for size in [0, 41] {
            try writeFrequencies(size: .integer(Int64(size)))
            #expect(
                error()
                    == .invalidField(
                        path: manifest, field: "draft_vocabulary.size",
                        reason: "is \(size), but must be in 1...40"))
        }
        try writeFrequencies(size: "4")
        #expect(
            error()
                == .invalidField(
                    path: manifest, field: "draft_vocabulary.size", reason: "is not an integer"))
        try writeFrequencies(file: "../f.safetensors")
        #expect(
            error()
                == .unsafePath(
                    path: manifest, field: "draft_vocabulary.frequencies", value: "../f.safetensors"))
        try writeFrequencies([1, 2, 3])
        #expect(
            error() == .wrongShape(path: path, tensor: "token_frequencies", found: [3], expected: [40]))
        var values = [Float](repeating: 1, count: 40)
        values[7] = -0.5
        try writeFrequencies(values)
        #expect(
            error()
                == .invalidField(
                    path: path, field: "token_frequencies[7]",
                    reason: "is -0.5, but a frequency is not negative"))
        values[7] = .nan
        try writeFrequencies(values)
        guard case .nonFiniteWeight(path, "token_frequencies", _, 7, _)? = error() else {
            Issue.record("NaN: \(String(describing: error()))")
            return
        }
        try folder.write(safetensors([]), to: "t/f.safetensors")
        #expect(error() == .missingTensors(path: path, names: ["token_frequencies"]))
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
