// SPDX-License-Identifier: Apache-2.0

import Tandem
import TandemTokenizer
import Testing

@Suite("Trees of tokens") struct TokenTreeTests {
    @Test("paths, children, depths")
    func shape() {
        var tree = TokenTree(root: 7)
        #expect(tree.isChain && tree.length == 1 && tree.path(to: 0) == [0])
        let a = tree.append(1, after: 0)
        let b = tree.append(2, after: a)
        #expect(tree.isChain && tree.length == 3)
        let c = tree.append(2, after: 0)
        let d = tree.append(5, after: b)
        #expect(!tree.isChain && tree.length == 4 && tree.count == 5)
        #expect(tree.depths == [0, 1, 2, 1, 3] && tree.parents == [-1, 0, 1, 0, 2])
        #expect(tree.path(to: d) == [0, a, b, d])
        #expect(tree.child(of: 0, token: 2) == c && tree.child(of: a, token: 2) == b)
        #expect(tree.child(of: 0, token: 5) == nil && tree.child(of: d, token: 1) == nil)
    }

    @Test("depth-first order keeps every path, parents first", arguments: 0..<50)
    func depthFirst(seed: Int) {
        var random = TestRandom(seed: UInt64(seed))
        let tree = random.tree(1 + random.index(below: 64), vocabulary: 9)
        // Some nodes with all before them.
        var chosen: Set<Int> = [0]
        for _ in 0..<random.index(below: 12) {
            chosen.formUnion(tree.path(to: random.index(below: tree.count)))
        }
        let (ordered, origins) = tree.depthFirst(chosen.sorted())
        #expect(Set(origins) == chosen && origins.count == ordered.count)
        for node in 0..<ordered.count {
            #expect(ordered.text(to: node) == tree.text(to: origins[node]))
            #expect(ordered.parents[node] < node)
            // What lies between a node and its parent belongs to the parent's other children.
            let between = (ordered.parents[node] + 1)..<max(node, 1)
            if node > 0 {
                #expect(between.allSatisfy { ordered.path(to: $0).contains(ordered.parents[node]) })
            }
        }
    }

    @Test("the pool's best nodes have the greatest survivals, and their parents", arguments: 0..<50)
    func pool(seed: Int) {
        var random = TestRandom(seed: UInt64(seed))
        var pool = DraftPool(root: 3)
        for _ in 0..<12 {
            let leaves = (0..<pool.count).filter { !pool.isExpanded[$0] }
            guard !leaves.isEmpty else { break }
            let node = leaves[random.index(below: leaves.count)]
            let children = (0..<random.index(below: 5)).map { rank in
                TreeChances.Judged(token: Int32(rank), weight: 0.5, chance: 0.7 * random.uniform())
            }
            pool.expand(node, children, endTokens: [4])
        }
        for limit in [0, 1, 3, 8, 100] {
            for price in [0, 0.05, 0.5] {
                let best = pool.best(limit, above: price)
                #expect(best.first == 0 && best == best.sorted() && best.count <= limit + 1)
                for node in best.dropFirst() {
                    #expect(best.contains(pool.tree.parents[node]))
                    #expect(pool.survival[node] > price)
                }
                let least = best.dropFirst().map { pool.survival[$0] }.min() ?? 1
                let left = (1..<max(1, pool.count)).filter { !best.contains($0) && pool.survival[$0] > price }
                #expect(left.isEmpty || best.count == limit + 1)
                #expect(left.allSatisfy { pool.survival[$0] <= least })
            }
        }
        let line = pool.mainLine
        for (step, node) in line.enumerated().dropFirst() {
            #expect(pool.tree.parents[node] == line[step - 1] && pool.ranks[node] == 0)
        }
    }

    @Test("what is looked up joins what the secondary is for")
    func grafts() {
        func judged(_ tokens: [Int32], _ chances: [Double]) -> [TreeChances.Judged] {
            zip(tokens, chances).map { TreeChances.Judged(token: $0, weight: $1, chance: $1) }
        }
        var pool = DraftPool(root: 3)
        let found = PromptLookup.Proposal(tokens: [7, 8, 9], matchLength: 4)
        pool.graft(found, after: 0, chance: 0.5, depthLimit: 2, endTokens: [])
        #expect(pool.tree.tokens == [3, 7, 8] && pool.survival == [1, 0.5, 0.25], "two deep")
        #expect(pool.ranked(of: 0).isEmpty && pool.lookedUp(of: 0) == [1] && pool.mainLine == [0])
        // The secondary thinks it the second best: it is no second node.
        pool.expand(0, judged([5, 7], [0.75, 0.125]), endTokens: [], disputed: [4: 0.25])
        #expect(pool.tree.tokens == [3, 7, 8, 5] && pool.ranked(of: 0) == [3, 1])
        #expect(pool.survival == [1, 0.125, 0.0625, 0.75], "what comes after it in proportion")
        pool.graft(found, after: 0, chance: 0.25, depthLimit: 1, endTokens: [])
        #expect(pool.survival == [1, 0.25, 0.125, 0.75], "at least as likely as looked-up tokens are")
        #expect(pool.mainLine == [0, 3])
        // Not among the candidates: as likely as such tokens are.
        pool.expand(1, judged([6], [0.5]), endTokens: [6], disputed: [4: 0.125])
        #expect(pool.survival == [1, 0.25, 0.03125, 0.75, 0.125])
        #expect(pool.ranks[2] == DraftPool.unranked && pool.isExpanded[4], "nothing comes after an end")
        pool.graft(
            PromptLookup.Proposal(tokens: [6, 1], matchLength: 2), after: 1, chance: 1, depthLimit: 9,
            endTokens: [6])
        #expect(pool.count == 5 && pool.survival[4] == 0.25)
        // A tree of the best has their parents.
        #expect(pool.best(3, above: 0) == [0, 1, 3, 4])
    }
}
