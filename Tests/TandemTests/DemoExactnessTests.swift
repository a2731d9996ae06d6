// SPDX-License-Identifier: Apache-2.0

import Foundation
import Tandem
import TandemPack
import Testing

/// Greedy SPEED against the primary alone, on the shipped demo model.
///
/// Every prompt with every block length, over the vector instruction sets and thread counts in turn, so that every block length
/// meets each of them; and every prompt once with the specification, which is slow. By default a sample of prompts; with
/// `TANDEM_EXHAUSTIVE=1` in the environment 200 prompts of 200 tokens.
@Suite(.serialized, .enabled(if: DemoModel.isPresent, "Examples/demo-model is not in this checkout"))
struct DemoExactnessTests {
    private static let isExhaustive = ProcessInfo.processInfo.environment["TANDEM_EXHAUSTIVE"] == "1"

    @Test("greedy SPEED is the primary's own text", arguments: [DemoModel.Kind.tandem, .vanilla])
    func greedyIdentity(kind: DemoModel.Kind) throws {
        let folder = try TemporaryFolder()
        let path = folder.path("\(kind).tandem")
        try DemoModel.pack(kind, to: path)
        let length = Self.isExhaustive ? 200 : 60
        let prompts = DemoModel.prompts(count: Self.isExhaustive ? 200 : 24)
        try #require(prompts.count == (Self.isExhaustive ? 200 : 24))

        let reference = try DemoModel.session(path, instructionSet: nil, threads: 1)
        let alone = try GenerateParameters(maxTokens: length, mode: .primary, ignoreEndTokens: true)
        let expected = try prompts.map { try reference.generate($0, parameters: alone).tokens }
        let check = { (way: Way, index: Int, blockLength: Int) throws in
            let parameters = try GenerateParameters(
                maxTokens: length, mode: .speed, draftMax: blockLength, draftMin: blockLength,
                ignoreEndTokens: true)
            let result = try way.session.generate(prompts[index], parameters: parameters)
            let label = "\(kind), \(way.name), γ \(blockLength), '\(prompts[index])'"
            #expect(result.tokens == expected[index], "\(label)")
            let counts = result.speculative
            #expect(counts.accepted + counts.primaryPasses + 1 >= length, "\(label)")
        }

        let vectorSets = availableInstructionSets().filter { $0 != "scalar" }
        let ways = try vectorSets.flatMap { set in try [1, 2].map { try Way(path, set, threads: $0) } }
        let scalarWays = try [1, 2].map { try Way(path, "scalar", threads: $0) }
        for index in prompts.indices {
            for blockLength in 1...8 where !ways.isEmpty {
                try check(ways[(index + blockLength) % ways.count], index, blockLength)
            }
            if Self.isExhaustive || index % 3 == 0 {
                try check(scalarWays[index / 8 % 2], index, 1 + index % 8)
            }
        }
    }

    /// A machine that the model runs on.
    private struct Way {
        let name: String
        let session: Session

        init(_ path: String, _ instructionSet: String, threads: Int) throws {
            name = "\(instructionSet), \(threads) threads"
            session = try DemoModel.session(path, instructionSet: instructionSet, threads: threads)
        }
    }
}

/// The demo checkpoint of this repository.
enum DemoModel {
    enum Kind: String, Sendable {
        case tandem
        case vanilla
    }

    static let directory = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Examples/demo-model")

    static var isPresent: Bool {
        FileManager.default.fileExists(atPath: directory.appending(path: "tandem.json").path)
    }

    static func pack(_ kind: Kind, to path: String) throws {
        let distilled = directory.appending(path: "secondary-distilled").path
        _ = try Packer().pack(
            source: directory.path, secondary: kind == .vanilla ? distilled : nil, destination: path,
            options: PackOptions())
    }

    static func session(_ path: String, instructionSet: String?, threads: Int) throws -> Session {
        let options = try LoadOptions(threadCount: threads, instructionSet: instructionSet)
        return try TandemModel.load(from: path, options: options).makeSession()
    }

    /// Different beginnings of stories: every subject with every verb.
    static func prompts(count: Int) -> [String] {
        let subjects = [
            "Once upon a time, a little girl", "The old king", "One day, Tom and his dog",
            "A small grey mouse",
            "In the forest, the fox", "The farmer's wife", "Her brother", "A poor woodcutter",
            "The blue bird",
            "Lily's mother", "The wind", "Three bears", "An old witch", "The youngest prince",
            "My friend Ben",
            "The train", "The teacher", "A clever crow", "The moon", "Nobody in the village",
        ]
        let verbs = [
            " wanted to", " found a shiny", " was afraid of the", " said, \"I", " looked at the",
            " lived in a",
            " went to the market and", " had never seen", " could not sleep because", " laughed and",
        ]
        let all = subjects.flatMap { subject in verbs.map { subject + $0 } }
        // A step that is coprime to the number of prompts mixes subjects and verbs in short samples.
        return (0..<min(count, all.count)).map { all[$0 * 37 % all.count] }
    }
}
