// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels
internal import TandemGrammar
internal import TandemTokenizer

/// Tokens proposed in one pass.
struct Drafts {
    /// Committed tokens, the newest one, and the drafts.
    var history: [TokenID]
    /// The grammar after the last of them.
    var constraint: TokenConstraint?
    /// The newest token and all drafts; where these are no chain, `history` has none of them.
    var tree: TokenTree
    /// What a tree was chosen from, and which of its nodes each node of `tree` was.
    var grown: (pool: DraftPool, origins: [Int])?
    /// Where the secondary's keys and values of each node of `tree` are, counted from the newest token's position; 0 = nowhere.
    var homes: [Int] = []
    /// Drafts that only prompt lookup knew of.
    var lookedUp = 0
    /// The scores of the drafts by the distributions they were drawn from, where drafting has a scorer.
    var scores: [TokenScore] = []

    /// - Parameter newest: comes after the tokens of `history`.
    init(history: [TokenID], newest: TokenID, constraint: TokenConstraint?) {
        self.history = history
        self.history.append(newest)
        self.constraint = constraint
        tree = TokenTree(root: newest)
    }

    /// Drafted tokens.
    var count: Int { tree.count - 1 }

    /// Drafts a token after all others.
    mutating func append(_ token: TokenID) {
        tree.append(token, after: tree.count - 1)
        history.append(token)
    }
}

/// How a generation drafts.
struct Drafting {
    var policy: DraftPolicy
    /// Drafts from the text itself; nil when these are not wanted.
    var lookup: PromptLookup?
    /// Whether drafts are kept as they are, and so come from the whole vocabulary in any case.
    var isStandalone = false
    /// Where all drafts are kept, and their log-probabilities are asked for.
    var scorer: TokenScorer?
}

extension Decoder {
    /// Proposes tokens of both models after the last of `drafts.history`: from the text itself where that promises more,
    /// else from the secondary.
    func draft(
        _ drafts: inout Drafts, pass: inout DraftPolicy.Pass, drafting: inout Drafting,
        sampler: inout Sampler, races: TokenRaces, endTokens: Set<TokenID>,
        cancellation: CancellationToken?
    ) throws(TandemError) {
        // Nothing is drafted by the secondary after a token that it does not know.
        let knowsNewest = drafts.history.last.map { Int($0) < core.sharedVocabulary } ?? false
        let canRun = knowsNewest && core.secondary != nil
        if canRun, drafting.policy.growsTree(pass) {
            try growTree(
                &drafts, pass: &pass, drafting: &drafting, sampler: &sampler, races: races,
                endTokens: endTokens, cancellation: cancellation)
            return
        }
        if try lookUp(
            &drafts, pass: &pass, drafting: &drafting, canDraft: canRun, endTokens: endTokens) || !canRun
        {
            return
        }
        let question = drafting.policy.isFixed ? nil : routerQuestion
        question?.isGreedy = sampler.parameters.isGreedy
        while drafting.policy.wantsStep(pass) {
            let start = monotonicSeconds()
            let cost = try runSecondary(
                upToEndOf: drafts.history, isDraft: !drafting.isStandalone, question: question,
                cancellation: cancellation)
            // A grammar may allow only tokens that the secondary does not know.
            let allowed = try proposal(drafts, sampler: &sampler)
            let mask = drafts.constraint == nil ? nil : sampler.appliedMask
            // The router knows nothing of grammars: where one forbids what the secondary would say, its share decides.
            let evidence =
                drafting.policy.isFixed
                ? 1
                : mask == nil && question != nil
                    ? Double(question?.answer ?? 0) : allowed.map { confidence($0, mask: mask) } ?? 0
            drafting.policy.recordDraft(seconds: cost.seconds(since: start), in: &pass)
            guard let proposal = allowed else { break }
            guard drafting.policy.takes(evidence: evidence, in: &pass) else { break }
            let token = races[drafts.count].winner(proposal)
            if let score = unsafe drafting.scorer?.score(
                token, logits: logits(row: 0), vocabularySize: core.sharedVocabulary)
            {
                drafts.scores.append(score)
            }
            drafts.append(token)
            if try drafts.constraint?.advance(token) == false { break }
            if endTokens.contains(token) || drafts.constraint?.mustEnd == true { break }
        }
    }

    /// The distribution of the secondary's row 0, under the drafts' grammar; nil when that allows none of its tokens.
    private func proposal(_ drafts: Drafts, sampler: inout Sampler) throws(TandemError) -> Distribution? {
        guard let constraint = drafts.constraint else {
            return unsafe sampler.distribution(
                logits: logits(row: 0), vocabularySize: core.sharedVocabulary, history: drafts.history)
        }
        return try unsafe sampler.distribution(
            logits: logits(row: 0), vocabularySize: core.sharedVocabulary, history: drafts.history,
            under: constraint)
    }

    /// Drafts by prompt lookup; returns whether it did.
    private func lookUp(
        _ drafts: inout Drafts, pass: inout DraftPolicy.Pass, drafting: inout Drafting, canDraft: Bool,
        endTokens: Set<TokenID>
    ) throws(TandemError) -> Bool {
        guard drafting.lookup != nil else { return false }
        drafting.lookup?.update(drafts.history)
        guard var proposal = drafting.lookup?.propose(limit: maxDraft) else { return false }
        if let constraint = drafts.constraint {
            let allowed = try constraint.allowed(proposal.tokens)
            proposal = PromptLookup.Proposal(tokens: allowed, matchLength: proposal.matchLength)
        }
        let length = drafting.policy.lookupLength(proposal, in: pass, canDraft: canDraft)
        guard length > 0 else { return false }
        for token in proposal.tokens.prefix(length) {
            drafts.append(token)
            _ = try drafts.constraint?.advance(token)
            if endTokens.contains(token) { break }
        }
        drafting.policy.markLookedUp(&pass, proposal)
        drafts.lookedUp = drafts.count
        return true
    }

    /// Runs the secondary up to the last token of `history`, whose logits are then in row 0.
    func runSecondary(
        upToEndOf history: [TokenID], isDraft: Bool, question: RouterQuestion?,
        cancellation: CancellationToken?
    ) throws(TandemError) -> PassCost {
        var first = history.count - 1
        if case .own(let length) = secondaryContent {
            // A plain draft model has to see every committed token itself, in blocks of a prompt.
            first = length
            while history.count - first > batchSize {
                let rows = promptRows(.secondary)
                try runSecondary(
                    history[first..<first + rows], position: first, logitRows: 0..<0, isPrompt: true,
                    cancellation: cancellation)
                first += rows
                secondaryContent = .own(length: first)
            }
        }
        let block = history[first...]
        let cost = try runSecondary(
            block, position: first, logitRows: block.count - 1..<block.count, isDraft: isDraft,
            question: question, cancellation: cancellation)
        if case .own = secondaryContent { secondaryContent = .own(length: history.count) }
        return cost
    }

    /// The largest probability of a proposal. A greedy one has only its token: then that of the softmax of row 0, over the
    /// tokens of `mask` where one was needed.
    private func confidence(_ proposal: Distribution, mask: TokenMask?) -> Double {
        switch proposal {
        case .sparse(_, let probabilities): Double(probabilities.max() ?? 0)
        case .point(let token): Double(softmaxProbability(of: token, mask: mask))
        }
    }

    private func softmaxProbability(of token: TokenID, mask: TokenMask?) -> Float {
        let count = core.sharedVocabulary
        unsafe confidenceScratch.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            unsafe base.update(from: logits(row: 0), count: count)
        }
        mask?.apply(to: &confidenceScratch)
        unsafe confidenceScratch.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            unsafe core.kernels.table.softmax(base, count, 1)
        }
        return confidenceScratch[Int(token)]
    }
}
