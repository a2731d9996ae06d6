// SPDX-License-Identifier: Apache-2.0

/// Trees of drafts: several tokens in one place where that gives more tokens per second.
///
/// A node of a tree is kept with the probability that it survives: that of its path. The pass gains the sum over its nodes,
/// and each costs a row of the primary. So the best tree is made of the most probable nodes, as many as are worth their
/// price (or as a limit allows: then the limit has a price too, what the last node is worth). The secondary runs over the
/// nodes that are worth their children, several in one step: the step is worth it by ``StoppingRule`` for the most probable
/// of them, and the others need to be worth only a row of the step. Where rows and steps are dear that leaves a chain with a
/// leaf here and there; where a pass reads the weights from storage, a tree of as many nodes as there is room for.
extension DraftPolicy {
    /// Nodes of a step of the secondary at most.
    private static let stepRows = 32
    /// Part of what side nodes promise that a step is made for: their rule takes it that the next step is made anyway.
    private static let sideShare = 0.5
    private static let shadowMemory = 0.9
    /// Part of what the last node of a full tree survives that counts as the price of a node: less than all of it, because a
    /// tree that is not full has room for nodes that are worth less.
    private static let shadowShare = 0.6

    /// Greatest costs, of a step of the secondary and of a row of the primary over a pass of one row, with which a tree gains
    /// more than a chain. With dearer ones the best tree is nearly a chain, and growing it takes longer than it gains.
    private static let dearestDraft = 0.1
    private static let dearestRow = 0.04

    /// Whether a pass should have a tree, not a chain.
    package func growsTree(_ pass: Pass) -> Bool {
        guard pass.nodes > 0, pass.most > 0, !isFixed, costs.isKnown else { return false }
        let rows = costs.pass(rows: pass.nodes + 1) - costs.base
        return costs.draft <= costs.base * Self.dearestDraft
            && rows <= costs.base * Self.dearestRow * Double(pass.nodes)
    }

    /// The nodes of `pool` that the secondary should run over in its next step; none where no step is worth it.
    /// - Parameter room: nodes at most.
    package func expansions(_ pool: DraftPool, _ pass: Pass, room: Int) -> [Int] {
        guard room > 0, pass.most > 0 else { return [] }
        let line = pool.mainLine
        if line.count <= pass.least, let last = line.last, !pool.isExpanded[last] { return [last] }
        // Nothing is known of the price before the first plain pass.
        guard costs.isKnown else { return [] }
        let nodes = pool.best(pass.nodes, above: rate * costs.marginal)
        let leaves = pool.leaves(of: nodes, depthLimit: pass.most).prefix(min(room, Self.stepRows))
        guard let first = leaves.first else { return [] }
        let values = leaves.map { sideRule.value(survival: prospect($0, pool)) }
        let chosen = zip(leaves, values).filter { $0.1 > 0 }.map(\.0)
        if treeRule.value(survival: prospect(first, pool)) > 0 { return chosen.isEmpty ? [first] : chosen }
        return values.reduce(0, +) * Self.sideShare > rate * costs.draft ? chosen : []
    }

    /// What survival counts for where it is about the children of a node.
    private func prospect(_ node: Int, _ pool: DraftPool) -> Double {
        pool.survival[node] * chances.depthFactor(pool.tree.depths[node])
    }

    /// The nodes that the primary should verify, ascending, the root first.
    package mutating func choose(_ pool: DraftPool, _ pass: Pass) -> [Int] {
        let nodes = pool.best(pass.nodes, above: rate * costs.marginal)
        let isFull = nodes.count > pass.nodes
        let last = isFull ? nodes.reduce(1) { min($0, pool.survival[$1]) } : 0
        shadow = shadow * Self.shadowMemory + last * (1 - Self.shadowMemory)
        let forced = pool.mainLine.prefix(pass.least + 1)
        guard forced.contains(where: { !nodes.contains($0) }) else { return nodes }
        return Set(nodes.prefix(max(1, pass.nodes + 1 - forced.count)) + forced).sorted()
    }

    /// Solves the rules of steps anew.
    mutating func solveTree() {
        let row = max(rate * costs.marginal, shadow * Self.shadowShare)
        treeRule.solve(chances: chances.spectrum, step: rate * costs.draft, rows: [row], goesOn: true)
        sideRule.solve(chances: chances.spectrum, step: rate * costs.draftMarginal, rows: [row], goesOn: true)
        chances.fade()
    }
}
