// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat
internal import TandemTokenizer

extension Decoder {
    /// Children of a node that are looked at.
    private static let branches = 10
    /// Earlier occurrences of a text that are looked at.
    private static let occurrences = 4

    /// Room of a pass for drafts: `depth` one after the other, `nodes` in all where these are no chain.
    ///
    /// The rows of a tree have their homes in the cache behind the positions that its paths reach, so near the end of the
    /// context trees become smaller.
    func draftRoom(_ room: Int, drafting: Drafting) -> (depth: Int, nodes: Int) {
        let depth = min(room, maxDraft)
        guard drafting.policy.nodeLimit > 0, !drafting.policy.isFixed else { return (depth, 0) }
        let free = contextSize - 1 - tokens.count
        // Homes of as many nodes, behind the positions of the longest path and one more.
        let nodes = min(drafting.policy.nodeLimit, free - min(depth, free / 2) - 1)
        return nodes > 0 && free > 3 ? (min(depth, nodes, free / 2), nodes) : (depth, 0)
    }

    /// Drafts a tree after the newest token, as ``DraftPolicy`` wants it; what prompt lookup finds are branches of it.
    func growTree(
        _ drafts: inout Drafts, pass: inout DraftPolicy.Pass, drafting: inout Drafting,
        sampler: inout Sampler, races: TokenRaces, endTokens: Set<TokenID>, cancellation: CancellationToken?
    ) throws(TandemError) {
        let position = tokens.count
        var pool = DraftPool(root: drafts.tree.tokens[0])
        // Homes of the nodes that the secondary has run, behind the deepest position that a node may have.
        var homes = [0]
        var nextHome = pass.most + 1
        let homeEnd = contextSize - position
        var history = drafts.history
        // Weights of drawn tokens know how the race goes; a router does not.
        let question = sampler.parameters.isGreedy ? routerQuestion : nil
        question?.isGreedy = true
        drafting.lookup?.update(drafts.history)
        var grammar = drafts.constraint.map(TreeConstraints.init)
        // What is copied word for word needs no secondary.
        try lookUp(
            after: 0, in: &pool, limit: pass.most, pass, drafting, grammar: &grammar, endTokens: endTokens)
        homes.append(contentsOf: repeatElement(0, count: pool.count - 1))
        while true {
            let room = min(logitRowCount, homeEnd - nextHome)
            let nodes = drafting.policy.expansions(pool, pass, room: room)
            guard !nodes.isEmpty else { break }
            let start = monotonicSeconds()
            let cost: PassCost
            if nodes == [0] {
                cost = try runSecondary(
                    upToEndOf: drafts.history, isDraft: true, question: question, cancellation: cancellation)
            } else {
                for node in nodes {
                    homes[node] = nextHome
                    nextHome += 1
                }
                let rows = TreeRows(pool.tree, rows: nodes, homes: homes)
                cost = try runSecondary(
                    nodes.map { pool.tree.tokens[$0] }[...], position: position, tree: rows,
                    logitRows: 0..<nodes.count, isDraft: true, question: question,
                    cancellation: cancellation)
            }
            for (row, node) in nodes.enumerated() {
                history.removeSubrange((position + 1)...)
                history.append(contentsOf: pool.tree.path(to: node).dropFirst().map { pool.tree.tokens[$0] })
                let depth = pool.tree.depths[node]
                let constraint = try grammar?.constraint(after: node, of: pool.tree)
                let candidates = try candidates(
                    row: row, sampler: &sampler, history: history, race: races[depth], constraint: constraint)
                let estimate = row == 0 ? question.map { Double($0.answer) } : nil
                let judged = drafting.policy.chances.judge(candidates, depth: depth, estimate: estimate)
                pool.expand(
                    node, judged, endTokens: endTokens, disputed: drafting.policy.disputedChances)
                try lookUp(
                    after: node, in: &pool, limit: 1, pass, drafting, grammar: &grammar, endTokens: endTokens)
            }
            homes.append(contentsOf: repeatElement(0, count: pool.count - homes.count))
            drafting.policy.recordDraft(
                seconds: cost.seconds(since: start), rows: nodes.count, in: &pass)
        }
        let (tree, origins) = pool.tree.depthFirst(drafting.policy.choose(pool, pass))
        drafts.tree = tree
        drafts.homes = origins.map { homes[$0] }
        drafts.grown = (pool, origins)
        drafts.lookedUp = origins.count { pool.ranks[$0] == DraftPool.unranked }
    }

    /// The tokens that may follow the path to a node, from the secondary's row of it.
    private func candidates(
        row: Int, sampler: inout Sampler, history: [TokenID], race: TokenRace, constraint: TokenConstraint?
    ) throws(TandemError) -> [DraftCandidate] {
        guard let constraint else {
            return unsafe sampler.candidates(
                logits: logits(row: row), vocabularySize: core.sharedVocabulary, history: history,
                race: race, limit: Self.branches)
        }
        return try unsafe sampler.candidates(
            logits: logits(row: row), vocabularySize: core.sharedVocabulary, history: history, race: race,
            limit: Self.branches, under: constraint)
    }

    /// Adds what prompt lookup finds for the text up to a node: of it what the secondary can go on after, and the grammar
    /// allows.
    private func lookUp(
        after node: Int, in pool: inout DraftPool, limit: Int, _ pass: DraftPolicy.Pass, _ drafting: Drafting,
        grammar: inout TreeConstraints?, endTokens: Set<TokenID>
    ) throws(TandemError) {
        guard let lookup = drafting.lookup else { return }
        let path = pool.tree.path(to: node).dropFirst().map { pool.tree.tokens[$0] }
        for proposal in lookup.proposals(after: path, limit: limit, count: Self.occurrences) {
            var tokens = Array(proposal.tokens.prefix { Int($0) < core.sharedVocabulary })
            if let constraint = try grammar?.constraint(after: node, of: pool.tree) {
                tokens = try constraint.allowed(tokens)
            }
            guard let first = tokens.first else { continue }
            let best = pool.ranked(of: node).first.map { pool.tree.tokens[$0] }
            let known = PromptLookup.Proposal(tokens: tokens, matchLength: proposal.matchLength)
            pool.graft(
                known, after: node,
                chance: drafting.policy.chance(
                    known, isDisputed: pool.isExpanded[node] && best != first),
                depthLimit: pass.most, endTokens: endTokens)
        }
    }

    /// Puts what belongs to the nodes of `path` where it belongs to in a text, after a pass of the lead over `drafts`.
    func settle(_ path: [Int], of drafts: Drafts, rows: TreeRows?) {
        if let rows {
            if let primaryCache {
                let moves = path.dropFirst().map {
                    TreeRows.Move(home: rows.homes[$0], depth: rows.depths[$0])
                }
                primaryCache.apply(
                    moves, at: tokens.count, layerCount: core.primary.configuration.layerCount)
            }
            keepTaps(path)
        }
        guard drafts.grown != nil, case .own = secondaryContent, let secondaryCache,
            let configuration = core.secondary?.configuration
        else { return }
        // The secondary has seen the first nodes of the path.
        let moves = path.dropFirst().prefix { drafts.homes[$0] > 0 }
            .map { TreeRows.Move(home: drafts.homes[$0], depth: drafts.tree.depths[$0]) }
        secondaryCache.apply(moves, at: tokens.count, layerCount: configuration.layerCount)
        secondaryContent = .own(length: tokens.count + 1 + moves.count)
    }
}
