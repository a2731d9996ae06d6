// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels
internal import TandemFormat
internal import TandemTokenizer

/// The caches of one session and the loop of tandem.md over them.
///
/// State between two passes: `tokens` are committed (their positions are in the lead model's cache); the newest token
/// is not among them yet. Rolling back is shortening `tokens`; what lies beyond in the caches is overwritten later.
///
/// Thread safety: none; a decoder belongs to one session.
final class Decoder {
    let core: ModelCore
    let contextSize: Int
    let maxDraft: Int
    let batchSize: Int
    let keyValueType: KeyValueType
    private let logitBuffer: LogitBuffer
    var primaryCache: KeyValueCache?
    var secondaryCache: KeyValueCache?
    private var taps: TapBuffer?
    /// The generation that runs, by which the model's scheduler knows it.
    var member: PassMember?
    /// Told of what every matrix multiplies while a model is calibrated.
    var inputRecorder: InputRecorder?

    /// Room for one distribution [tokens that both models have].
    lazy var confidenceScratch = [Float](repeating: 0, count: core.sharedVocabulary)
    /// Asks the router, where there is one.
    let routerQuestion: RouterQuestion?

    /// What generations before have learnt about costs and chances.
    var policy: DraftPolicy?
    /// Costs that greedy drafting goes by instead of the clock's.
    var fixedCosts: PassCosts?

    /// Committed tokens of the lead model.
    var tokens: [TokenID] = []
    /// What the secondary's cache holds.
    var secondaryContent = SecondaryContent.nothing
    var lead = ModelRole.primary
    /// A length of text whose RoPE frequencies are in force.
    var ropeLength = 0

    /// Contents of the secondary's cache.
    enum SecondaryContent: Equatable {
        /// Nothing that counts.
        case nothing
        /// Keys and values made of the primary's taps, for all committed tokens.
        case derived
        /// The secondary's own keys and values for the first `length` committed tokens.
        case own(length: Int)
    }

    init(core: ModelCore, contextSize: Int, maxDraft: Int, batchSize: Int, keyValueType: KeyValueType)
        throws(TandemError)
    {
        self.core = core
        self.contextSize = contextSize
        self.maxDraft = maxDraft
        self.keyValueType = keyValueType
        let rows = max(batchSize, maxDraft + 1)
        self.batchSize = rows
        var configurations = [core.primary.configuration]
        if let secondary = core.secondary { configurations.append(secondary.configuration) }
        routerQuestion = core.file.manifest.drafting?.router == nil ? nil : RouterQuestion()
        logitBuffer = try LogitBuffer(configurations: configurations, rows: maxDraft + 1)
        core.passes.openSession(rows: rows, contextSize: contextSize)
    }

    deinit {
        core.passes.closeSession()
    }

    /// Bytes reserved by caches and logits so far (touched only as they are used).
    var reservedBytes: Int {
        logitBuffer.byteCount + (primaryCache?.byteCount ?? 0) + (secondaryCache?.byteCount ?? 0)
    }

    /// Forgets everything.
    func reset() {
        tokens.removeAll(keepingCapacity: true)
        secondaryContent = .nothing
        taps?.pendingRows = 0
    }

    // MARK: - Prompt

    /// Prepares the caches for `mode`, keeps the longest prefix of `prompt` they already hold, runs the rest, and
    /// leaves the logits after the last prompt token in row 0. RoPE takes the frequencies of a text of
    /// `length` tokens, by default the prompt's.
    /// - Returns: the number of prompt tokens that had to be run.
    func prefill(
        _ prompt: [TokenID], forLength length: Int? = nil, mode: DecodingMode,
        cancellation: CancellationToken?
    ) throws(TandemError) -> Int {
        selectRope(length: length ?? prompt.count)
        try prepareCaches(for: mode)
        var common = 0
        while common < min(tokens.count, prompt.count - 1), tokens[common] == prompt[common] { common += 1 }
        truncate(to: common)

        var position = common
        while position < prompt.count {
            let end = min(position + promptRows(lead), prompt.count)
            let block = prompt[position..<end]
            let isLast = end == prompt.count
            try runLead(
                block, position: position, logitRows: isLast ? block.count - 1..<block.count : 0..<0,
                isPrompt: true, cancellation: cancellation)
            core.passes.count(prompt: block.count)
            commit(block)
            position = end
        }
        return prompt.count - common
    }

    func prepareCaches(for mode: DecodingMode) throws(TandemError) {
        let wantedLead: ModelRole = mode == .secondary ? .secondary : .primary
        if wantedLead != lead { reset() }
        lead = wantedLead
        if lead == .primary, primaryCache == nil {
            primaryCache = try KeyValueCache(
                weights: core.primary, capacity: contextSize, type: keyValueType, textLength: ropeLength)
        }
        if mode != .primary, let weights = core.secondary, secondaryCache == nil {
            secondaryCache = try KeyValueCache(
                weights: weights, capacity: contextSize, type: keyValueType, textLength: ropeLength)
        }
        switch mode {
        case .primary:
            secondaryContent = .nothing
            taps?.pendingRows = 0
        case .secondary:
            if case .own = secondaryContent {} else { reset(); secondaryContent = .own(length: 0) }
        case .speed, .tandem:
            if core.projections.isEmpty {
                if case .own = secondaryContent {} else { secondaryContent = .own(length: 0) }
            } else if secondaryContent != .derived {
                // Taps of committed tokens are gone: run them again.
                reset()
                secondaryContent = .derived
            }
            if !core.projections.isEmpty, taps == nil {
                taps = try TapBuffer(
                    layerMap: core.layerMap, width: core.primary.configuration.hiddenSize, maxRows: batchSize)
            }
        }
    }

    private func truncate(to count: Int) {
        if let taps { taps.pendingRows = max(0, taps.pendingRows - (tokens.count - count)) }
        tokens.removeSubrange(count...)
        if case .own(let length) = secondaryContent { secondaryContent = .own(length: min(length, count)) }
    }

    /// Runs the lead model over a block.
    /// - Parameters:
    ///   - isPrompt: whether the tokens are given ones; such passes may wait for others.
    ///   - states: takes the rows' hidden states after the final norm [rows, hidden].
    @discardableResult
    func runLead(
        _ block: ArraySlice<TokenID>, position: Int, logitRows: Range<Int>, isPrompt: Bool = false,
        states: AlignedBuffer? = nil, cancellation: CancellationToken?
    ) throws(TandemError) -> PassCost {
        guard let cache = lead == .secondary ? secondaryCache : primaryCache else { return PassCost.nothing }
        var request = PassRequest(
            role: lead, tokens: block, position: position, cache: cache, logitRows: logitRows,
            logits: logitBuffer, states: states, cancellation: cancellation, isPrompt: isPrompt)
        if lead == .primary, secondaryContent == .derived, let taps {
            if taps.pendingRows + block.count > taps.maxRows {
                try commitTaps(isPrompt: isPrompt, cancellation: cancellation)
            }
            request.taps = taps
        }
        return try perform(request)
    }

    /// Runs the secondary over a block for its logits, of drafts those of the tokens that may be drafted; first it is given
    /// the taps that are due to it: as late as possible, because many rows cost little more than one.
    @discardableResult
    func runSecondary(
        _ block: ArraySlice<TokenID>, position: Int, logitRows: Range<Int>, isPrompt: Bool = false,
        isDraft: Bool = false, question: RouterQuestion? = nil, cancellation: CancellationToken?
    ) throws(TandemError) -> PassCost {
        guard let secondaryCache else { return PassCost.nothing }
        let due = dueTaps
        let cost = try perform(
            PassRequest(
                role: .secondary, tokens: block, position: position, cache: secondaryCache, due: due,
                logitRows: logitRows, logits: logitBuffer, cancellation: cancellation, isPrompt: isPrompt,
                isDraft: isDraft, question: question))
        if due != nil { taps?.pendingRows = 0 }
        return cost
    }

    /// Gives the secondary the taps that are due to it, and nothing else.
    func commitTaps(isPrompt: Bool = false, cancellation: CancellationToken? = nil) throws(TandemError) {
        guard dueTaps != nil else { return }
        try runSecondary(
            [], position: tokens.count, logitRows: 0..<0, isPrompt: isPrompt, cancellation: cancellation)
    }

    private var dueTaps: DueTaps? {
        guard secondaryContent == .derived, let taps, taps.pendingRows > 0 else { return nil }
        return DueTaps(taps: taps, rows: taps.pendingRows, position: tokens.count - taps.pendingRows)
    }

    /// Runs a request, as a part of the generation that runs or as one of its own.
    private func perform(_ request: PassRequest) throws(TandemError) -> PassCost {
        var request = request
        request.recorder = inputRecorder
        if let member { return try core.passes.run(request, for: member) }
        return try core.passes.runAlone(request)
    }

    /// Appends the first tokens of the block just run by the lead. Their taps are due to the secondary.
    func commit(_ accepted: ArraySlice<TokenID>) {
        if secondaryContent == .derived { taps?.pendingRows += accepted.count }
        tokens.append(contentsOf: accepted)
        if lead == .secondary { secondaryContent = .own(length: tokens.count) }
    }

    // MARK: - One step

    /// Logits of row `row` of the last pass; valid until the next one.
    func logits(row: Int) -> UnsafePointer<Float> {
        unsafe UnsafePointer(logitBuffer.row(row))
    }

    /// The lead's distribution at row `row` of its last pass; a secondary that leads keeps to tokens of both models.
    /// - Throws: ``TandemError/grammarDeadEnd`` when the grammar allows no token.
    func distribution(
        row: Int, sampler: inout Sampler, history: [TokenID], constraint: TokenConstraint?
    ) throws(TandemError) -> Distribution {
        let vocabulary =
            lead == .primary ? core.primary.configuration.vocabularySize : core.sharedVocabulary
        guard let constraint else {
            return unsafe sampler.distribution(
                logits: logits(row: row), vocabularySize: vocabulary, history: history)
        }
        let allowed = try unsafe sampler.distribution(
            logits: logits(row: row), vocabularySize: vocabulary, history: history, under: constraint)
        guard let allowed else { throw .grammarDeadEnd }
        return allowed
    }

    /// Tokens won by one pass of the lead model.
    struct Step {
        /// Accepted draft tokens, then the pass's own token, unless a grammar ends with the last draft.
        var produced: [TokenID] = []
        var drafted = 0
        /// Drafts that were looked up in the text.
        var lookedUp = 0
        var accepted = 0
        /// Scores of drafts that were kept unverified.
        var draftScores: [TokenScore] = []
    }

    /// Drafts as many tokens after `newest` as `drafting` wants and `room` allows, runs the lead once and accepts.
    ///
    /// - Parameter constraint: the grammar after `newest`, where something may follow.
    /// - Precondition: `tokens.count + 1 + room <= contextSize`.
    func step(
        newest: TokenID, room: Int, mode: DecodingMode, drafting: inout Drafting, sampler: inout Sampler,
        generator: inout SeededGenerator, endTokens: Set<TokenID>, constraint: TokenConstraint?,
        cancellation: CancellationToken?
    ) throws(TandemError) -> Step {
        try extendRope(toLength: tokens.count + 1, mode: mode, cancellation: cancellation)
        let room = min(room, ropeRoom(afterLength: tokens.count + 1))
        let position = tokens.count
        var drafts = Drafts(history: tokens, constraint: constraint)
        drafts.history.append(newest)
        var pass = drafting.policy.begin(room: min(room, maxDraft))
        if mode == .speed || mode == .tandem {
            try draft(
                &drafts, pass: &pass, drafting: &drafting, sampler: &sampler, generator: &generator,
                endTokens: endTokens, cancellation: cancellation)
        }
        let block = drafts.history[position...]
        let start = monotonicSeconds()
        let cost = try runLead(
            block, position: position,
            logitRows: mode == .tandem ? block.count - 1..<block.count : 0..<block.count,
            cancellation: cancellation)

        var step = Step()
        step.drafted = drafts.distributions.count
        step.lookedUp = drafts.areLookedUp ? step.drafted : 0
        let next: TokenID?
        if mode == .tandem {
            step.accepted = step.drafted
            step.draftScores = drafts.scores
            next =
                drafts.constraint?.mustEnd == true
                ? nil
                : try distribution(
                    row: 0, sampler: &sampler, history: drafts.history, constraint: drafts.constraint
                ).sample(using: &generator)
        } else {
            (step.accepted, next) = try verify(
                block, drafts: drafts.distributions, position: position, constraint: constraint,
                sampler: &sampler, generator: &generator)
        }
        commit(block.prefix(step.accepted + 1))
        if case .own(let length) = secondaryContent {
            secondaryContent = .own(length: min(length, tokens.count))
        }
        drafting.policy.record(
            pass, drafted: step.drafted, accepted: step.accepted, seconds: cost.seconds(since: start),
            marginal: cost.marginal)
        core.passes.count(drafted: step.drafted, accepted: step.accepted)
        step.produced = Array(block.prefix(step.accepted + 1).dropFirst())
        if let next { step.produced.append(next) }
        return step
    }

    /// Accepts the longest prefix of the drafts by rejection sampling (greedy: by equality) and draws the next token.
    ///
    /// The produced tokens follow the lead's own distribution exactly (Leviathan et al. 2023, Chen et al. 2023). Under a
    /// grammar that is the distribution over the tokens it allows at each place; there is no next token where it ends.
    private func verify(
        _ block: ArraySlice<TokenID>, drafts: [Distribution], position: Int, constraint: TokenConstraint?,
        sampler: inout Sampler, generator: inout SeededGenerator
    ) throws(TandemError) -> (accepted: Int, next: TokenID?) {
        var constraint = constraint
        var history = tokens
        history.append(block[position])
        for (row, proposal) in drafts.enumerated() {
            let token = block[position + 1 + row]
            let truth = try distribution(
                row: row, sampler: &sampler, history: history, constraint: constraint)
            if case .point(let expected) = truth, case .point = proposal {
                if expected != token { return (row, expected) }
            } else {
                let p = Double(truth.probability(of: token))
                let q = Double(proposal.probability(of: token))
                if generator.uniform() * q >= p {
                    return (row, truth.sampleResidual(minus: proposal, using: &generator))
                }
            }
            history.append(token)
            _ = try constraint?.advance(token)
        }
        if constraint?.mustEnd == true { return (drafts.count, nil) }
        let last = try distribution(
            row: drafts.count, sampler: &sampler, history: history, constraint: constraint)
        return (drafts.count, last.sample(using: &generator))
    }
}
