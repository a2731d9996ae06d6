// SPDX-License-Identifier: Apache-2.0

import Foundation
import Tandem
import Testing

/// Streamed weights give the same bits as mapped ones.
@Suite("Residency: streaming") struct ResidencyStreamTests {
    /// Matrices of several panels, so that small units cut them; untied, so that embedding rows are read one by one.
    static let model = ModelRecipe(
        name: "streamed",
        primary: ModelShape(
            vocabulary: 83, hidden: 208, layers: 4, heads: 4, keyValueHeads: 2, headSize: 52,
            intermediate: 600),
        secondary: .tandem(
            ModelShape(
                vocabulary: 83, hidden: 20, layers: 2, heads: 3, keyValueHeads: 1, headSize: 8,
                intermediate: 37, tied: true),
            layerMap: [0, 4]),
        seed: 31)

    static let formats: [WeightFormat] = [
        .float, .int8(group: 32), .int8(group: 64), .int8(group: 128), .int8(group: 0), .int4(group: 32),
        .int4(group: 0), .int4z(group: 32),
    ]

    struct Case: Sendable, CustomTestStringConvertible {
        let format: WeightFormat
        let chunks: ResidencyFixture.Chunks
        var testDescription: String { "\(format), chunks by \(chunks.rawValue)" }
    }

    static let cases: [Case] =
        formats.map { Case(format: $0, chunks: .layers) }
        + [.models, .compressedLayers].flatMap { chunks in
            [.int8(group: 64), .int4z(group: 32)].map { Case(format: $0, chunks: chunks) }
        }

    @Test("logits of streamed models have the same bits", arguments: cases)
    func bits(_ test: Case) throws {
        let fixture = try ResidencyFixture(Self.model.stored(as: test.format), chunks: test.chunks)
        let tokens = fixture.tokens(11)
        let reference = try fixture.mappedLogits(tokens, blockLength: 5)
        var pinned: Set<Int> = []
        for (index, share) in [0, 0.5, 0.8].enumerated() {
            let storage = TestStorage()
            let model = try fixture.load(
                share: share, threads: index % 2 + 1, verification: index == 1 ? .structure : .full,
                sliceLength: index == 2 ? nil : 16384, storage: storage)
            let plan = model.memoryPlan
            #expect(plan.residency == .streamed)
            #expect(plan.streamedBytes > 0)
            #expect(plan.totalBytes <= plan.budgetBytes ?? 0)
            pinned.insert(plan.pinnedLayers.count)
            let session = try model.makeSession()
            for blockLength in [5, 11] {
                let actual = try session.allLogits(tokens, blockLength: blockLength)
                #expect(haveSameBits(actual.primary, reference.primary), "share \(share), \(blockLength)")
                if blockLength == 5 {
                    #expect(haveSameBits(actual.secondary, reference.secondary), "share \(share)")
                }
            }
            #expect(storage.isAligned)
        }
        // Memory for decoding leaves little room for layers in so small a model.
        if !test.chunks.areCompressed { #expect(pinned.count >= 2, "layers in memory: \(pinned)") }
    }

    @Test("a budget for everything reads every byte once")
    func resident() throws {
        let fixture = try ResidencyFixture(Self.model.stored(as: .int8(group: 64)))
        let tokens = fixture.tokens(20)
        let reference = try fixture.mappedLogits(tokens)
        let storage = TestStorage()
        let model = try fixture.load(share: 1, storage: storage)
        #expect(model.memoryPlan.residency == .resident)
        #expect(model.memoryPlan.streamedBytes == 0)
        let readAtLoad = storage.bytesRead
        #expect(haveSameBits(try model.makeSession().allLogits(tokens).primary, reference.primary))
        #expect(storage.bytesRead == readAtLoad)
    }

    static let greedyRecipes: [ModelRecipe] = {
        var tandem = model
        tandem.secondary = .tandemCopy(noise: 0.08)
        var pair = model
        pair.secondary = .draftCopy(noise: 0.08)
        return [tandem, pair]
    }()

    @Test("greedy text is the same in every mode", arguments: ResidencyStreamTests.greedyRecipes)
    func greedy(_ recipe: ModelRecipe) throws {
        let fixture = try ResidencyFixture(recipe.stored(as: .int8(group: 64)))
        let prompt = fixture.tokens(20)
        let mapped = try TandemModel.load(from: fixture.path, options: fixture.options(.mapped))
        let streamed = try fixture.load(share: 0.3, threads: 2, sliceLength: 32768)
        #expect(streamed.memoryPlan.residency == .streamed)
        // With few rows a pass the prompt takes several, and nobody wants logits of the first ones.
        for options in [SessionOptions.default, try SessionOptions(batchSize: 2, maxDraft: 3, maxTree: 3)] {
            for mode in mapped.availableModes {
                let session = try streamed.makeSession(options: options)
                let parameters = try GenerateParameters(maxTokens: 16, mode: mode, draftMax: 3)
                let expected = try mapped.makeSession().generate(tokens: prompt, parameters: parameters)
                let before = streamed.statistics.primaryPasses
                let actual = try session.generate(tokens: prompt, parameters: parameters)
                #expect(actual.tokens == expected.tokens, "\(mode)")
                if options.batchSize != nil, mode == .primary {
                    let passes = streamed.statistics.primaryPasses - before
                    #expect(passes == actual.speculative.primaryPasses + prompt.count / 4)
                }
                // A secondary alone streams nothing, but reading ahead for the pass before may go on: about a ring, in
                // whole blocks of the storage.
                let streamedBytes = actual.streaming.bytesStreamed
                let ringBytes = streamed.memoryPlan.ringBytes
                #expect(
                    mode == .secondary ? streamedBytes < 2 * ringBytes : streamedBytes > 0,
                    "\(mode): \(streamedBytes) bytes, ring of \(ringBytes)")
                #expect(expected.streaming.bytesStreamed == 0)
            }
        }
    }

    /// What a pass reads is what the plan says, and nothing is read twice.
    @Test("a pass reads what is streamed, once", arguments: [0, 0.5])
    func bytesPerPass(share: Double) throws {
        let fixture = try ResidencyFixture(Self.model.stored(as: .int8(group: 32)))
        let storage = TestStorage()
        let model = try fixture.load(share: share, storage: storage)
        let plan = model.memoryPlan
        let session = try model.makeSession()
        let parameters = try GenerateParameters(maxTokens: 9, mode: .primary)
        // The first pass also reads what lies between the streamed matrices, for the checksum.
        _ = try session.generate(tokens: fixture.tokens(5), parameters: parameters)
        let result = try session.generate(tokens: fixture.tokens(6, seed: 9), parameters: parameters)
        let passes = 1 + result.speculative.primaryPasses
        let rows = 64 * 1024 * (6 + 9)
        let held = try model.heldWeightBytes()
        #expect(result.streaming.bytesStreamed >= (passes - 1) * (plan.passBytes - held))
        #expect(
            result.streaming.bytesStreamed
                <= passes * (plan.passBytes + plan.heldBytes - held) + plan.ringBytes + rows)
        #expect(plan.passBytes <= plan.streamedBytes + 2 * 4096 * 28 * 2)
    }

    @Test("sessions of one model take turns", .timeLimit(.minutes(3)))
    func sessions() async throws {
        let fixture = try ResidencyFixture(Self.model.stored(as: .int8(group: 64)))
        let mapped = try TandemModel.load(from: fixture.path, options: fixture.options(.mapped))
        let model = try fixture.load(share: 0.2, threads: 2, sessions: 3)
        let parameters = try GenerateParameters(maxTokens: 8, mode: .speed, draftMax: 2)
        var expected: [[Int32]] = []
        for index in 0..<3 {
            expected.append(
                try mapped.makeSession().generate(
                    tokens: fixture.tokens(9, seed: UInt64(index)), parameters: parameters
                ).tokens)
        }
        let sessions = try (0..<3).map { _ in try model.makeSession() }
        #expect(throws: TandemError.self) { try model.makeSession() }
        try await withThrowingTaskGroup(of: (Int, [Int32]).self) { group in
            for (index, session) in sessions.enumerated() {
                group.addTask {
                    let tokens = fixture.tokens(9, seed: UInt64(index))
                    return (index, try session.generate(tokens: tokens, parameters: parameters).tokens)
                }
            }
            for try await (index, tokens) in group { #expect(tokens == expected[index]) }
        }
    }

    /// Several blocks of 1 MiB in a chunk, cut by matrices in the middle.
    @Test(
        "compressed chunks of many blocks stream", arguments: [0, 0.55],
        [ResidencyFixture.Chunks.compressedLayers, .planeLayers])
    func blocks(share: Double, chunks: ResidencyFixture.Chunks) throws {
        let recipe = ModelRecipe(
            name: "long",
            primary: ModelShape(
                vocabulary: 40, hidden: 144, layers: 3, heads: 4, keyValueHeads: 4, headSize: 36,
                intermediate: 5000, tied: true), seed: 33
        ).stored(as: .int8(group: 64))
        let fixture = try ResidencyFixture(recipe, chunks: chunks)
        let tokens = fixture.tokens(6)
        let reference = try fixture.mappedLogits(tokens)
        let model = try fixture.load(share: share, threads: 2)
        #expect(model.memoryPlan.residency == .streamed)
        // Fewer bytes are read than used: the chunks are compressed.
        #expect(model.memoryPlan.passBytes < model.memoryPlan.streamedBytes)
        for _ in 0..<2 {
            #expect(haveSameBits(try model.makeSession().allLogits(tokens).primary, reference.primary))
        }
    }
}
