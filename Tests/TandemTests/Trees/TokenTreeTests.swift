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
}
