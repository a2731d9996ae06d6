// SPDX-License-Identifier: Apache-2.0

import Tandem
import TandemTokenizer
import Testing

/// A node's logits are the bits of its path decoded as a text of its own.
@Suite("Trees: bits") struct TreeBitsTests {
    static let recipes: [ModelRecipe] = [
        .single, .singleWide, .tandem.stored(as: .int8(group: 64)), .tandemDeep,
        .pair.stored(as: .int4(group: 32)), .everythingTandem, .everythingPair,
        .postTandem.stored(as: .int4z(group: 32)), .wide.stored(as: .int8(group: 64)),
    ]

    @Test("every node has the bits of its path", arguments: recipes, KeyValueType.allCases)
    func bits(_ recipe: ModelRecipe, cache: KeyValueType) throws {
        let fixture = try EngineFixture(recipe)
        var random = TestRandom(seed: 5)
        for (round, set) in availableInstructionSets().enumerated() {
            let session = try fixture.load(threads: round % 3 + 1, instructionSet: set).makeSession(
                options: SessionOptions(batchSize: 32, maxTree: 64, keyValueType: cache))
            let prompt = fixture.tokens([1, 17, 6, 30][round % 4], seed: UInt64(round))
            for count in [1, 4, 13, 40, 60] {
                let tree = random.tree(count, vocabulary: recipe.sharedVocabulary)
                let whole = try session.treeLogits(after: prompt, tree: tree)
                #expect(whole.primary.count == tree.count)
                for node in Set([0, 1, count / 2, count - 1, count]) {
                    let alone = try session.treeLogits(after: prompt, tree: tree.chain(to: node))
                    let depth = tree.depths[node]
                    #expect(
                        haveSameBits([whole.primary[node]], [alone.primary[depth]]),
                        "primary, \(set), node \(node) of \(count)")
                    if !whole.secondary.isEmpty {
                        #expect(
                            haveSameBits([whole.secondary[node]], [alone.secondary[depth]]),
                            "secondary, \(set), node \(node) of \(count)")
                    }
                }
                // The reference: the text as it is scored, in blocks. Longer texts may turn by other frequencies.
                if recipe.primary.architecture.ropes.contains(where: { $0.longAbove != nil }) { continue }
                let deepest = tree.depths.indices.max { tree.depths[$0] < tree.depths[$1] } ?? 0
                let text = try session.allLogits(prompt + tree.text(to: deepest), blockLength: 3).primary
                for (step, node) in tree.path(to: deepest).enumerated() {
                    #expect(
                        haveSameBits([whole.primary[node]], [text[prompt.count + step]]), "\(set), \(step)")
                }
            }
        }
    }

    @Test("trees need room in the context, and rows")
    func limits() throws {
        let fixture = try EngineFixture(.tandem)
        let session = try fixture.load().makeSession(
            options: SessionOptions(contextSize: 40, maxDraft: 4, maxTree: 9))
        var random = TestRandom(seed: 1)
        let tree = random.tree(9, vocabulary: 19)
        let most = 40 - tree.count - tree.length
        _ = try session.treeLogits(after: fixture.tokens(most), tree: tree)
        #expect(throws: TandemError.promptTooLong(tokens: 41, contextSize: 40)) {
            try session.treeLogits(after: fixture.tokens(most + 1), tree: tree)
        }
        let larger = random.tree(10, vocabulary: 19)
        #expect(throws: TandemError.invalidParameter(name: "draft-tree", value: "10", allowed: "at most 9")) {
            try session.treeLogits(after: fixture.tokens(3), tree: larger)
        }
    }
}
