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
    /// The last pass over tokens of a prompt.
    var promptPass: PassMeasure?

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

    /// - Parameters:
    ///   - maxDraft: most drafts of a pass one after the other.
    ///   - maxTree: most drafts of a pass.
    init(
        core: ModelCore, contextSize: Int, maxDraft: Int, maxTree: Int, batchSize: Int,
        keyValueType: KeyValueType
    ) throws(TandemError) {
        self.core = core
        self.contextSize = contextSize
        self.maxDraft = maxDraft
        self.keyValueType = keyValueType
        let blockRows = max(maxDraft, maxTree) + 1
        let rows = max(batchSize, blockRows)
        self.batchSize = rows
        var configurations = [core.primary.configuration]
        if let secondary = core.secondary { configurations.append(secondary.configuration) }
        routerQuestion = core.file.manifest.drafting?.router == nil ? nil : RouterQuestion()
        logitBuffer = try LogitBuffer(configurations: configurations, rows: blockRows)
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
            promptPass = try measured(rows: block.count) { () throws(TandemError) in
                try runLead(
                    block, position: position, logitRows: isLast ? block.count - 1..<block.count : 0..<0,
                    isPrompt: true, cancellation: cancellation)
            }
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
            primaryCache = try makeCache(core.primary)
        }
        if mode != .primary, let weights = core.secondary, secondaryCache == nil {
            secondaryCache = try makeCache(weights)
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
                    layerMap: core.layerMap, width: core.primary.configuration.hiddenSize, maxRows: batchSize,
                    ledger: core.memory.ledger)
            }
        }
    }

    /// An empty cache for the whole context.
    func makeCache(_ weights: some ModelOutlining) throws(TandemError) -> KeyValueCache {
        try KeyValueCache(
            weights: weights, capacity: contextSize, type: keyValueType, textLength: ropeLength,
            ledger: core.memory.ledger)
    }

    private func truncate(to count: Int) {
        if let taps { taps.pendingRows = max(0, taps.pendingRows - (tokens.count - count)) }
        tokens.removeSubrange(count...)
        if case .own(let length) = secondaryContent { secondaryContent = .own(length: min(length, count)) }
    }

    /// Runs the lead model over a block.
    /// - Parameters:
    ///   - tree: how the tokens continue each other, where they are no chain.
    ///   - isPrompt: whether the tokens are given ones; such passes may wait for others.
    ///   - states: takes the rows' hidden states after the final norm [rows, hidden].
    @discardableResult
    func runLead(
        _ block: ArraySlice<TokenID>, position: Int, tree: TreeRows? = nil, logitRows: Range<Int>,
        isPrompt: Bool = false, states: AlignedBuffer? = nil, cancellation: CancellationToken?
    ) throws(TandemError) -> PassCost {
        guard let cache = lead == .secondary ? secondaryCache : primaryCache else { return PassCost.nothing }
        var request = PassRequest(
            role: lead, tokens: block, position: position, cache: cache, tree: tree, logitRows: logitRows,
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
        _ block: ArraySlice<TokenID>, position: Int, tree: TreeRows? = nil, logitRows: Range<Int>,
        isPrompt: Bool = false, isDraft: Bool = false, question: RouterQuestion? = nil,
        cancellation: CancellationToken?
    ) throws(TandemError) -> PassCost {
        guard let secondaryCache else { return PassCost.nothing }
        let due = dueTaps
        let cost = try perform(
            PassRequest(
                role: .secondary, tokens: block, position: position, cache: secondaryCache, tree: tree,
                due: due, logitRows: logitRows, logits: logitBuffer, cancellation: cancellation,
                isPrompt: isPrompt, isDraft: isDraft, question: question))
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

    /// Of the rows of the lead's last pass, keeps the taps of those that are about to be committed.
    func keepTaps(_ rows: [Int]) {
        if lead == .primary, secondaryContent == .derived { taps?.keep(rows) }
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

    /// Rows of logits that a pass may have.
    var logitRowCount: Int { logitBuffer.rowCount }

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
        /// The row of logits that each of them came from.
        var rows: [Int] = []
        var drafted = 0
        /// Drafts one after the other.
        var depth = 0
        /// Drafts that were looked up in the text.
        var lookedUp = 0
        var accepted = 0
        /// Scores of drafts that were kept unverified.
        var draftScores: [TokenScore] = []
    }

    /// Drafts as many tokens after `newest` as `drafting` wants and `room` allows, runs the lead once and accepts.
    ///
    /// - Parameters:
    ///   - races: random numbers for the tokens after `newest`.
    ///   - constraint: the grammar after `newest`, where something may follow.
    /// - Precondition: `tokens.count + 1 + room <= contextSize`.
    func step(
        newest: TokenID, room: Int, mode: DecodingMode, drafting: inout Drafting, sampler: inout Sampler,
        races: TokenRaces, endTokens: Set<TokenID>, constraint: TokenConstraint?,
        cancellation: CancellationToken?
    ) throws(TandemError) -> Step {
        try extendRope(toLength: tokens.count + 1, mode: mode, cancellation: cancellation)
        let room = min(room, ropeRoom(afterLength: tokens.count + 1))
        var drafts = Drafts(history: tokens, newest: newest, constraint: constraint)
        let (depth, nodes) = draftRoom(room, drafting: drafting)
        var pass = drafting.policy.begin(room: depth, nodes: nodes)
        if mode == .speed || mode == .tandem {
            try draft(
                &drafts, pass: &pass, drafting: &drafting, sampler: &sampler, races: races,
                endTokens: endTokens, cancellation: cancellation)
        }
        let tree = drafts.tree
        let rows = tree.isChain ? nil : TreeRows(tree)
        let measure = try measured(rows: tree.count) { () throws(TandemError) in
            try runLead(
                tree.tokens[...], position: tokens.count, tree: rows,
                logitRows: mode == .tandem ? tree.count - 1..<tree.count : 0..<tree.count,
                cancellation: cancellation)
        }

        var step = Step()
        step.drafted = drafts.count
        step.depth = tree.length - 1
        step.lookedUp = drafts.lookedUp
        var path = Array(0..<tree.count)
        let next: TokenID?
        if mode == .tandem {
            step.draftScores = drafts.scores
            next =
                drafts.constraint?.mustEnd == true
                ? nil
                : races[drafts.count].winner(
                    try distribution(
                        row: 0, sampler: &sampler, history: drafts.history, constraint: drafts.constraint))
        } else {
            (path, next) = try verify(tree, constraint: constraint, sampler: &sampler, races: races)
        }
        step.accepted = path.count - 1
        step.rows = path
        if let (pool, origins) = drafts.grown {
            drafting.policy.learn(pool, path: path.map { origins[$0] }, next: next)
        }
        drafting.policy.record(pass, drafted: step.drafted, accepted: step.accepted, measure)
        core.passes.count(drafted: step.drafted, accepted: step.accepted)
        settle(path, of: drafts, rows: rows)
        let kept = path.map { tree.tokens[$0] }
        commit(kept[...])
        if case .own(let length) = secondaryContent {
            secondaryContent = .own(length: min(length, tokens.count))
        }
        step.produced = Array(kept.dropFirst())
        if let next { step.produced.append(next) }
        return step
    }

    /// Draws token after token from the lead's distributions as long as the token drawn was drafted.
    ///
    /// So the text is the lead's own, whatever was drafted. Under a grammar the distributions are over the tokens it allows
    /// at each place; there is no next token where it ends.
    /// - Returns: the nodes of the tokens that were drafted, the root first, and the token after them.
    private func verify(
        _ tree: TokenTree, constraint: TokenConstraint?, sampler: inout Sampler, races: TokenRaces
    ) throws(TandemError) -> (path: [Int], next: TokenID?) {
        var constraint = constraint
        var history = tokens
        history.append(tree.tokens[0])
        var path = [0]
        while true {
            let node = path[path.count - 1]
            let truth = try distribution(
                row: node, sampler: &sampler, history: history, constraint: constraint)
            let token = races[path.count - 1].winner(truth)
            guard let child = tree.child(of: node, token: token) else { return (path, token) }
            path.append(child)
            history.append(token)
            _ = try constraint?.advance(token)
            if constraint?.mustEnd == true { return (path, nil) }
        }
    }
}
