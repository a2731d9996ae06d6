// SPDX-License-Identifier: Apache-2.0

internal import Synchronization
internal import TandemFormat
internal import TandemGrammar
public import TandemTokenizer

/// One conversation with a model: its caches and the tokens they hold.
///
/// A new generation keeps what its prompt shares with the tokens already in the caches, so appending to a text costs only
/// the new tokens.
///
/// ## Thread Safety
/// A session runs one generation at a time; a second call meanwhile throws ``TandemError/sessionBusy``. Sessions of one
/// model are independent and share its compute pool.
///
/// ## Memory
/// Caches are reserved for the whole context, and touched as it fills.
public final class Session: Sendable {
    public let model: TandemModel
    /// Positions the session can hold.
    public let contextSize: Int
    let options: SessionOptions
    /// Most drafts of a pass that are not one chain.
    let treeLimit: Int
    private let decoder: Guarded<DecoderBox>
    private let busy = Atomic<Bool>(false)
    /// What the decoder held when it last rested.
    private let heldTokens = Guarded<[TokenID]>([])
    /// The session's share of the model's memory plan.
    private let reservation: SessionLedger.Reservation

    /// Hands the decoder from thread to thread; `busy` and the lock keep order.
    private struct DecoderBox: @unchecked Sendable {
        let decoder: Decoder
    }

    init(model: TandemModel, options: SessionOptions) throws(TandemError) {
        self.model = model
        self.options = options
        var limit = model.manifest.primary.maxPositions
        if let secondary = model.manifest.secondary { limit = min(limit, secondary.maxPositions) }
        let plan = model.core.memory.plan
        let isPlanned = model.core.memory.isPlanned
        let size = options.contextSize ?? (isPlanned ? min(plan.contextSize, limit) : limit)
        guard size <= limit else {
            throw .invalidParameter(
                name: "ctx-size", value: "\(size)", allowed: "at most \(limit), the models' own limit")
        }
        contextSize = size
        let rows = min(options.batchSize ?? (isPlanned ? plan.promptRows : 64), size)
        let nodes = isPlanned && options.maxDraft > 0 ? plan.treeNodes : options.maxDraft
        treeLimit = options.maxTree ?? nodes
        reservation = try Self.reserve(
            model, options, contextSize: size, promptRows: rows, treeNodes: treeLimit)
        let decoder = try Decoder(
            core: model.core, contextSize: size, maxDraft: options.maxDraft, maxTree: treeLimit,
            batchSize: rows, keyValueType: options.keyValueType)
        self.decoder = Guarded(DecoderBox(decoder: decoder))
    }

    /// The session's share of the model's memory plan.
    private static func reserve(
        _ model: TandemModel, _ options: SessionOptions, contextSize: Int, promptRows: Int,
        treeNodes: Int
    ) throws(TandemError) -> SessionLedger.Reservation {
        let ledger = model.core.memory.ledger
        let memory = SessionMemory(
            manifest: model.manifest, contextSize: contextSize, maxDraft: max(options.maxDraft, treeNodes),
            keyValueType: options.keyValueType, threadCount: model.threadCount)
        guard ledger.isLimited else { return try ledger.reserve(memory.total(promptRows: promptRows)) }
        // What passes need beyond the activations that the plan has.
        let activations = try memory.activations(rows: memory.passRows(promptRows: promptRows, count: 1))
        let more = max(0, activations - model.core.memory.plan.activationBytes)
        return try ledger.reserve(memory.total(promptRows: promptRows) + more)
    }

    /// Generates from a text; see ``generate(tokens:parameters:cancellation:onDelta:)``.
    /// - Throws: also ``TandemError/noTokenizer``.
    public func generate(
        _ prompt: String, parameters: GenerateParameters, cancellation: CancellationToken? = nil,
        onDelta: (GenerationDelta) -> Void = { _ in }
    ) throws(TandemError) -> GenerationResult {
        let ids = try model.tokenize(prompt)
        return try generate(
            tokens: ids, parameters: parameters, cancellation: cancellation, onDelta: onDelta)
    }

    /// Generates from token ids, on the calling thread.
    ///
    /// - Parameters:
    ///   - tokens: the whole prompt, from the first position.
    ///   - parameters: how to generate.
    ///   - cancellation: stops the work within one layer; the result then says ``FinishReason/cancelled``.
    ///   - onDelta: called with each new piece of text, always whole Unicode scalars, and the tokens that were generated
    ///     since the piece before. The pieces joined are the result's text.
    /// - Throws: ``TandemError``, such as ``TandemError/grammarDeadEnd`` after some text; nothing is thrown for cancellation
    ///   after the prompt was accepted.
    public func generate(
        tokens: [TokenID], parameters: GenerateParameters, cancellation: CancellationToken? = nil,
        onDelta: (GenerationDelta) -> Void = { _ in }
    ) throws(TandemError) -> GenerationResult {
        let mode = try resolveMode(parameters.mode)
        let limits = try resolveDraft(parameters, mode: mode)
        let nodes = try resolveTree(parameters, limits, mode: mode)
        try check(prompt: tokens, mode: mode)
        if case .shift(let keep) = parameters.contextOverflow, keep > contextSize - 3 {
            throw .invalidParameter(
                name: "keep", value: "\(keep)", allowed: "at most \(contextSize - 3), the context size - 3")
        }
        return try exclusively { (decoder) throws(TandemError) in
            let matcher = try matcher(parameters)
            defer { if let matcher { model.grammars.giveBack(matcher, model: model) } }
            let constraint = try matcher.map { (matcher) throws(TandemError) in try TokenConstraint(matcher) }
            var run = GenerationRun(
                model: model, decoder: decoder, parameters: parameters, mode: mode,
                drafting: drafting(limits, nodes: nodes, parameters, mode: mode, decoder: decoder),
                constraint: constraint, cancellation: cancellation)
            return try run.execute(prompt: tokens, onDelta: onDelta)
        }
    }

    /// What matches the grammar of a generation, where it has one.
    private func matcher(_ parameters: GenerateParameters) throws(TandemError) -> GrammarMatcher? {
        try parameters.grammar.map { (grammar) throws(TandemError) in
            try model.grammars.matcher(
                grammar, endTokens: parameters.ignoreEndTokens ? [] : model.endTokens, model: model)
        }
    }

    /// Forgets all tokens; the next generation starts afresh.
    /// - Throws: ``TandemError/sessionBusy``.
    public func reset() throws(TandemError) {
        try exclusively { $0.reset() }
    }

    /// The tokens whose keys and values are in the caches. While the session works: those when it last rested.
    ///
    /// A prompt that begins with them costs only what comes after. The last token that a generation produced is not among
    /// them: it was not run yet.
    public var tokens: [TokenID] { heldTokens.withLock { $0 } }

    /// Whether the session works at the moment.
    var isBusy: Bool { busy.load(ordering: .acquiring) }

    /// Gives `body` the decoder while nobody else has it.
    /// - Throws: ``TandemError/sessionBusy``, and what `body` throws.
    func exclusively<R>(_ body: (Decoder) throws(TandemError) -> R) throws(TandemError) -> R {
        guard !busy.exchange(true, ordering: .acquiringAndReleasing) else { throw .sessionBusy }
        defer { busy.store(false, ordering: .releasing) }
        let decoder = decoder.withLock { $0 }.decoder
        defer { heldTokens.withLock { $0 = decoder.tokens } }
        return try body(decoder)
    }

    /// Gives `body` the decoder after checking what an evaluation needs.
    func withDecoder(
        checking tokens: [TokenID], blockLength: Int, cancellation: CancellationToken?,
        _ body: (Decoder) throws(TandemError) -> Void
    ) throws(TandemError) {
        guard (1...max(1, options.maxDraft)).contains(blockLength) else {
            throw .invalidParameter(
                name: "block-length", value: "\(blockLength)", allowed: "in 1 ... \(max(1, options.maxDraft))"
            )
        }
        guard tokens.count <= contextSize else {
            throw .promptTooLong(tokens: tokens.count, contextSize: contextSize)
        }
        try checkVocabulary(tokens)
        try exclusively { (decoder) throws(TandemError) in
            try decoder.admitted(cancellation: cancellation) { () throws(TandemError) in try body(decoder) }
        }
    }

    private func resolveMode(_ wanted: DecodingMode?) throws(TandemError) -> DecodingMode {
        let modes = model.availableModes
        guard let wanted else { return modes[0] }
        guard modes.contains(wanted) else {
            let reason =
                model.manifest.kind == .single
                ? "it holds one model only; use 'speed' or 'primary', or pack a pair"
                : "it holds no tandem projections; use 'speed', 'primary' or 'secondary'"
            throw .modeUnavailable(mode: wanted.rawValue, reason: reason)
        }
        return wanted
    }

    private func resolveDraft(
        _ parameters: GenerateParameters, mode: DecodingMode
    ) throws(TandemError) -> ClosedRange<Int> {
        guard mode == .speed || mode == .tandem else { return 0...0 }
        for (name, value) in [("draft-max", parameters.draftMax), ("draft-min", parameters.draftMin)] {
            if let value, value > options.maxDraft {
                throw .invalidParameter(
                    name: name, value: "\(value)", allowed: "at most \(options.maxDraft), the session's limit"
                )
            }
        }
        if mode == .tandem {
            // All drafts are kept: the block length is a choice of quality, not of speed alone.
            let length = parameters.draftMax ?? min(model.manifest.tandem?.blockLength ?? 4, options.maxDraft)
            return length...length
        }
        let most = parameters.draftMax ?? max(options.usualDrafts, parameters.draftMin ?? 0)
        return min(parameters.draftMin ?? 0, most)...most
    }

    /// Most drafts of a pass that are not one chain.
    private func resolveTree(
        _ parameters: GenerateParameters, _ limits: ClosedRange<Int>, mode: DecodingMode
    ) throws(TandemError) -> Int {
        if let wanted = parameters.draftTree, wanted > treeLimit {
            throw .invalidParameter(
                name: "draft-tree", value: "\(wanted)", allowed: "at most \(treeLimit), the session's limit")
        }
        let isFixed = limits.lowerBound == limits.upperBound
        guard mode == .speed, !isFixed else {
            if let wanted = parameters.draftTree, wanted > 0, mode == .speed, limits.upperBound > 0 {
                throw .invalidParameter(
                    name: "draft-tree", value: "\(wanted)",
                    allowed: "0 where draft-min equals draft-max: blocks of a fixed length are chains")
            }
            return 0
        }
        if let wanted = parameters.draftTree { return wanted }
        return options.maxTree != nil || model.core.memory.isPlanned ? treeLimit : options.usualDrafts
    }

    /// How a generation drafts. The text does not depend on it, so costs are measured, and what was learnt is kept.
    private func drafting(
        _ limits: ClosedRange<Int>, nodes: Int, _ parameters: GenerateParameters, mode: DecodingMode,
        decoder: Decoder
    ) -> Drafting {
        let evidence: DraftPolicy.Evidence =
            model.core.file.manifest.drafting?.router == nil ? .confidence : .estimate
        let plan = model.core.memory.plan
        let costs =
            decoder.fixedCosts
            ?? PassCosts(
                primaryBytes: plan.primaryBytes, secondaryBytes: plan.secondaryBytes,
                instructionSet: model.core.kernels.name)
        var policy = DraftPolicy(
            limits: limits, nodes: nodes, isSampled: !parameters.sampling.isGreedy, costs: costs,
            evidence: evidence)
        if let known = decoder.policy, known.isLike(policy) {
            policy = known
        } else if costs.isClocked, let known = model.core.draftMemory.recall(like: policy) {
            policy = known
        }
        let isFixed = limits.lowerBound == limits.upperBound
        let wantsLookup = mode == .speed && (parameters.promptLookup ?? !isFixed)
        return Drafting(
            policy: policy, lookup: wantsLookup ? PromptLookup() : nil, isStandalone: mode == .tandem)
    }

    /// Lets generations draft by `costs` from now on, so that what they draft does not depend on the clock.
    /// - Throws: ``TandemError/sessionBusy`` while the session generates.
    package func fixDraftCosts(_ costs: PassCosts) throws(TandemError) {
        try exclusively { (decoder) throws(TandemError) in
            decoder.fixedCosts = costs
            decoder.policy = nil
        }
    }

    private func check(prompt: [TokenID], mode: DecodingMode) throws(TandemError) {
        guard !prompt.isEmpty else { throw .emptyPrompt }
        guard prompt.count < contextSize else {
            throw .promptTooLong(tokens: prompt.count, contextSize: contextSize)
        }
        // A secondary alone has to know every token; one that drafts need not.
        try checkVocabulary(prompt, of: mode == .secondary ? model.manifest.secondary : nil)
    }

    private func checkVocabulary(_ tokens: [TokenID], of other: ModelConfiguration? = nil) throws(TandemError)
    {
        let own = model.manifest.primary.vocabularySize
        let vocabulary = min(own, other?.vocabularySize ?? own)
        for id in tokens where id < 0 || Int(id) >= vocabulary {
            throw .invalidToken(id: Int(id), vocabularySize: vocabulary)
        }
    }
}
