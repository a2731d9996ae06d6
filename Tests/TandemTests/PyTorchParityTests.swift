// SPDX-License-Identifier: Apache-2.0

import Tandem
import Testing

/// Checkpoints packed as f32 and run by the engine, against float32 PyTorch (`Fixtures/make_fixtures.sh`).
@Suite("Parity with PyTorch") struct PyTorchParityTests {
    static let fixtures = ["untied", "mixed"]

    @Test("logits of a tandem are within 1e-4", arguments: fixtures)
    func tandem(_ name: String) throws {
        let fixture = try TorchFixture(name)
        #expect(fixture.tokens.count == 20 && fixture.blockLength == 3)
        let model = try fixture.model(asPair: false, in: TemporaryFolder())
        #expect(model.manifest.kind == .tandem)
        let session = try model.makeSession(options: SessionOptions(keyValueType: .f32))
        let actual = try session.allLogits(fixture.tokens, blockLength: fixture.blockLength)
        expectClose(actual.primary, fixture.logits("primary_logits"), "primary")
        expectClose(actual.secondary, fixture.logits("tandem_logits"), "secondary in the tandem")
    }

    @Test("logits of a plain pair are within 1e-4", arguments: fixtures)
    func pair(_ name: String) throws {
        let fixture = try TorchFixture(name)
        let model = try fixture.model(asPair: true, in: TemporaryFolder())
        #expect(model.manifest.kind == .pair)
        let session = try model.makeSession(options: SessionOptions(keyValueType: .f32))
        let actual = try session.allLogits(fixture.tokens, blockLength: 5)
        expectClose(actual.primary, fixture.logits("primary_logits"), "primary")
        expectClose(actual.secondary, fixture.logits("secondary_logits"), "secondary alone")
    }

    @Test("greedy SPEED gives the trainer's tokens, draft for draft", arguments: fixtures)
    func greedySpeed(_ name: String) throws {
        let fixture = try TorchFixture(name)
        let expected = fixture.tokens("tokens")
        #expect(expected.count == 40 && expected == fixture.tokens("primary_tokens"))
        for asPair in [false, true] {
            let model = try fixture.model(asPair: asPair, in: TemporaryFolder())
            let session = try model.makeSession(options: SessionOptions(keyValueType: .f32))
            let result = try session.generate(
                tokens: fixture.tokens("prompt"),
                parameters: GenerateParameters(
                    maxTokens: 40, mode: .speed, draftMax: fixture.blockLength, draftMin: fixture.blockLength,
                    ignoreEndTokens: true))
            #expect(result.tokens == expected)
            if !asPair { #expect(result.speculative.accepted == fixture.speed["accepted"]?.intValue) }
        }
    }

    private func expectClose(
        _ actual: [[Float]], _ expected: [[Double]], _ what: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let error = largestDifference(actual, expected)
        #expect(deviation(expected) > 0.5, "logits of order 1", sourceLocation: sourceLocation)
        #expect(error < 1e-4, "\(what): \(error)", sourceLocation: sourceLocation)
    }
}
