// SPDX-License-Identifier: Apache-2.0

import Foundation
import TandemFormat
import TandemJSON
import Testing

/// The manifest's members for architectures other than plain Llama, and the feature that announces them.
@Suite struct ArchitectureTests {
    typealias Rope = ModelArchitecture.Rope

    /// A change of one member, and the manifest's name of it.
    struct Change: Sendable, CustomTestStringConvertible {
        let member: String
        let apply: @Sendable (inout ModelArchitecture) -> Void
        var testDescription: String { member }

        init(_ member: String, _ apply: @escaping @Sendable (inout ModelArchitecture) -> Void) {
            self.member = member
            self.apply = apply
        }

        var architecture: ModelArchitecture {
            var value = ModelArchitecture()
            apply(&value)
            return value
        }
    }

    /// One for every member.
    static let changes = [
        Change("norm_placement") { $0.normPlacement = .post },
        Change("query_key_norm") { $0.queryKeyNorm = .row },
        Change("activation") { $0.activation = .geluTanh },
        Change("attention_bias") { $0.attentionBias = true },
        Change("output_bias") { $0.outputBias = true },
        Change("mlp_bias") { $0.mlpBias = true },
        Change("attention_scale") { $0.attentionScale = 0.0625 },
        Change("attention_softcap") { $0.attentionSoftcap = 50 },
        Change("logit_softcap") { $0.logitSoftcap = 30 },
        Change("embedding_scale") { $0.embeddingScale = 33.94112549695428 },
        Change("residual_scale") { $0.residualScale = 0.22 },
        Change("logit_scale") { $0.logitScale = 0.125 },
        Change("ropes") { $0.ropes = [Rope(rotarySize: 6, attentionFactor: 1.19, longAbove: 4096)] },
        Change("layer_ropes") { $0.layerRopes = [0, nil] },
        Change("layer_windows") { $0.layerWindows = [0, 7] },
    ]

    private func configuration(
        family: String = "llama", _ architecture: ModelArchitecture
    ) throws(FormatError) -> ModelConfiguration {
        try ModelConfiguration(
            family: family, vocabularySize: 40, hiddenSize: 48, layerCount: 2, headCount: 4,
            keyValueHeadCount: 2, headSize: 8, intermediateSize: 70, maxPositions: 128, normEpsilon: 1e-5,
            ropeBase: 10_000, tiedEmbeddings: true, architecture: architecture)
    }

    @Test(arguments: changes)
    func everyMemberIsWrittenAndRead(change: Change) throws {
        let manifest = try Manifest(primary: configuration(change.architecture))
        let members = try #require(manifest.json["models"]?["primary"]?.objectValue)
        let plain = try #require(
            Manifest(primary: configuration(ModelArchitecture())).json["models"]?["primary"]?.objectValue)
        #expect(members.members.map(\.key) == plain.members.map(\.key) + [change.member])
        #expect(try Manifest(json: manifest.json) == manifest)
        #expect(manifest.requiredFeatures == .architecture)
    }

    @Test func membersWithDefaultsAreNotWritten() throws {
        let manifest = try Manifest(primary: configuration(ModelArchitecture()))
        #expect(manifest.requiredFeatures == [])
        #expect(manifest.json["models"]?["primary"]?.objectValue?.members.count == 12)
        let other = try Manifest(primary: configuration(family: "qwen2", ModelArchitecture()))
        #expect(other.requiredFeatures == .architecture)
    }

    @Test(arguments: changes)
    func filesAnnounceTheFeature(change: Change) throws {
        let folder = try TemporaryFolder()
        let path = folder.path("a.tandem")
        let sample = SampleFile(kind: .pair, architecture: change.architecture)
        try sample.write(to: path)
        let file = try TandemFile(path: path)
        #expect(file.minorVersion == 1 && file.requiredFeatures == .architecture)
        #expect(file.manifest.primary.architecture == change.architecture)
        #expect(file.tensors.map(\.name) == file.manifest.requiredTensors().map(\.name))

        // Without the bit a reader of version 1.0 would misread it.
        var image = FileImage(bytes: Array(try Data(contentsOf: URL(filePath: path))))
        image.store(0, at: HeaderLayout.requiredFeatures, size: 8)
        image.repair()
        try Data(image.bytes).write(to: URL(filePath: path))
        let error = try #require(formatError { _ = try TandemFile(path: path) })
        #expect(error.code == "invalid" && error.field == "manifest.models.primary.\(change.member)")
    }

    @Test func vocabulariesOfDifferentSizes() throws {
        let primary = try configuration(ModelArchitecture())
        let secondary = try ModelConfiguration(
            vocabularySize: 38, hiddenSize: 16, layerCount: 1, headCount: 2, keyValueHeadCount: 2,
            headSize: 8,
            intermediateSize: 24, maxPositions: 128, normEpsilon: 1e-5, ropeBase: 10_000, tiedEmbeddings: true
        )
        let manifest = try Manifest(primary: primary, secondary: secondary)
        #expect(manifest.requiredFeatures == .architecture)
        #expect(try Manifest(json: manifest.json) == manifest)
        let embed = manifest.requiredTensors().first { $0.name == "secondary.embed" }
        #expect(embed?.rows == 38)
    }

    static let invalid = [
        Change("attention_scale") { $0.attentionScale = 0 },
        Change("attention_scale") { $0.attentionScale = -1 },
        Change("attention_softcap") { $0.attentionSoftcap = .nan },
        Change("logit_softcap") { $0.logitSoftcap = .infinity },
        Change("embedding_scale") { $0.embeddingScale = 2e6 },
        Change("residual_scale") { $0.residualScale = 1e-7 }, Change("logit_scale") { $0.logitScale = 0 },
        Change("ropes") { $0.ropes = Array(repeating: Rope(rotarySize: 2), count: 17) },
        Change("ropes[0].rotary_size") { $0.ropes = [Rope(rotarySize: 3)] },
        Change("ropes[0].rotary_size") { $0.ropes = [Rope(rotarySize: 10)] },
        Change("ropes[1].rotary_size") { $0.ropes = [Rope(rotarySize: 2), Rope(rotarySize: 0)] },
        Change("ropes[0].attention_factor") { $0.ropes = [Rope(rotarySize: 2, attentionFactor: 0)] },
        Change("ropes[0].long_above") { $0.ropes = [Rope(rotarySize: 2, longAbove: 0)] },
        Change("layer_ropes") { $0.layerRopes = [0] }, Change("layer_ropes[1]") { $0.layerRopes = [0, 1] },
        Change("layer_ropes[0]") { $0.layerRopes = [-1, nil] },
        Change("layer_windows") { $0.layerWindows = [1, 2, 3] },
        Change("layer_windows[1]") { $0.layerWindows = [4, -4] },
    ]

    @Test(arguments: invalid)
    func valuesThatCannotBe(change: Change) {
        #expect(formatError { _ = try configuration(change.architecture) }?.field == change.member)
    }

    @Test(arguments: ["", "Llama", "gemma 3", "é", String(repeating: "x", count: 65)])
    func familyNames(name: String) {
        let error = formatError { _ = try configuration(family: name, ModelArchitecture()) }
        #expect(error?.field == "family")
    }

    /// In the order in which the engine uses them.
    @Test func layersHaveWhatTheyNeed() {
        var architecture = ModelArchitecture()
        #expect(
            architecture.layerParts.map(\.rawValue) == [
                "attn_norm", "q", "k", "v", "o", "mlp_norm", "gate", "up", "down",
            ])
        architecture.normPlacement = .post
        architecture.queryKeyNorm = .head
        architecture.attentionBias = true
        #expect(
            architecture.layerParts.map(\.rawValue) == [
                "q", "q_bias", "k", "k_bias", "v", "v_bias", "q_norm", "k_norm", "o", "attn_post_norm",
                "gate", "up",
                "down", "mlp_post_norm",
            ])
        architecture.normPlacement = .prePost
        architecture.outputBias = true
        architecture.mlpBias = true
        #expect(architecture.layerParts == LayerPart.allCases)
        #expect(architecture.layerParts.filter { !$0.isVector }.count == 7)
    }

    @Test func layersWithoutListsAreAllAlike() {
        var architecture = ModelArchitecture()
        #expect(architecture.rope(ofLayer: 5) == 0 && architecture.window(ofLayer: 5) == 0)
        architecture.layerRopes = [1, nil]
        architecture.layerWindows = [0, 9]
        #expect(architecture.rope(ofLayer: 0) == 1 && architecture.rope(ofLayer: 1) == nil)
        #expect(architecture.window(ofLayer: 0) == 0 && architecture.window(ofLayer: 1) == 9)
    }

    @Test(.enabled(if: PythonDecoderTests.hasPython, "needs python3 with numpy and lz4"))
    func pythonReadsThem() throws {
        let folder = try TemporaryFolder()
        var architecture = ModelArchitecture()
        for change in Self.changes { change.apply(&architecture) }
        architecture.layerRopes = [nil, 0]
        let path = folder.path("a.tandem")
        try SampleFile(architecture: architecture).write(to: path)
        let output = try #require(PythonDecoderTests.run(PythonDecoderTests.program, path))
        let split = try #require(output.firstIndex(of: UInt8(ascii: "\n")))
        let summary = try JSONValue(parsing: Array(output[..<split]))
        let names = try TandemFile(path: path).tensors.map(\.name)
        #expect(summary["tensors"]?.arrayValue?.compactMap(\.stringValue) == names)
        #expect(names.contains("primary.ropes.0.long") && names.contains("primary.layers.1.mlp_post_norm"))
    }
}
