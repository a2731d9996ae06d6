// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat
internal import TandemTokenizer

/// One generation: prompt, then step after step until something ends it.
struct GenerationRun {
    private let decoder: Decoder
    private let parameters: GenerateParameters
    private let mode: DecodingMode
    private var drafting: Drafting
    private let cancellation: CancellationToken?
    private let endTokens: Set<TokenID>
    /// Measures produced tokens, where that is asked for.
    private var scorer: TokenScorer?
    private var sampler: Sampler
    private var detokenizer: StreamingDetokenizer?
    private var matcher: StopMatcher
    private var result = GenerationResult()
    private var remaining: Int
    /// The grammar after the tokens taken so far.
    private var constraint: TokenConstraint?
    private let tokenizer: Tokenizer?
    /// Tokens that no delta has told of yet.
    private var untold: [GeneratedToken] = []

    init(
        model: TandemModel, decoder: Decoder, parameters: GenerateParameters, mode: DecodingMode,
        drafting: Drafting, constraint: TokenConstraint?, cancellation: CancellationToken?
    ) {
        self.decoder = decoder
        self.parameters = parameters
        self.mode = mode
        self.drafting = drafting
        self.constraint = constraint
        self.cancellation = cancellation
        endTokens = parameters.ignoreEndTokens ? [] : model.endTokens
        sampler = unsafe Sampler(parameters: parameters.sampling, kernels: model.core.kernels.table)
        if let count = parameters.logprobs {
            scorer = unsafe TokenScorer(alternatives: count, kernels: model.core.kernels.table)
            if mode == .tandem { self.drafting.scorer = scorer }
        }
        tokenizer = model.tokenizer
        detokenizer = tokenizer?.makeDetokenizer(skipSpecialTokens: true)
        matcher = StopMatcher(stops: parameters.stop)
        remaining = parameters.maxTokens ?? Int.max
    }

    mutating func execute(prompt: [TokenID], onDelta: (GenerationDelta) -> Void) throws(TandemError)
        -> GenerationResult
    {
        result.usage.promptTokens = prompt.count
        let streamedBefore = decoder.core.memory.streaming
        let start = monotonicSeconds()
        var ended = start
        do throws(TandemError) {
            decoder.member = try decoder.core.passes.begin(
                parameters.priority, cancellation: cancellation)
            defer { decoder.leave() }
            let ran = try decoder.prefill(prompt, mode: mode, cancellation: cancellation)
            result.timings.promptTokensRun = ran
            result.usage.cachedPromptTokens = prompt.count - ran
            ended = monotonicSeconds()
            if let pass = decoder.promptPass { drafting.policy.recordPrompt(pass) }
            if remaining > 0 {
                try produce(onDelta)
            }
        } catch .cancelled {
            result.finishReason = .cancelled
        }
        let now = monotonicSeconds()
        result.timings.promptSeconds = (ended > start ? ended : now) - start
        result.timings.predictedSeconds = ended > start ? now - ended : 0
        result.timings.predictedTokens = max(0, result.tokens.count - 1)
        result.usage.completionTokens = result.tokens.count
        noteCosts()
        let streamed = decoder.core.memory.streaming
        result.streaming.bytesStreamed = streamed.bytesStreamed - streamedBefore.bytesStreamed
        result.streaming.storageSeconds = streamed.storageSeconds - streamedBefore.storageSeconds
        result.streaming.waitSeconds = streamed.waitSeconds - streamedBefore.waitSeconds
        flush(onDelta)
        return result
    }

    /// The random numbers of the tokens to come.
    private var races: TokenRaces {
        TokenRaces(seed: parameters.sampling.seed, place: result.tokens.count)
    }

    private mutating func produce(_ onDelta: (GenerationDelta) -> Void) throws(TandemError) {
        if constraint?.mustEnd == true {
            result.finishReason = .stop
            return
        }
        var newest = races[0].winner(
            try decoder.distribution(
                row: 0, sampler: &sampler, history: decoder.tokens, constraint: constraint))
        if try take(newest, score: score(newest, row: 0), onDelta) { return }
        while true {
            if let cancellation, cancellation.isCancelled { throw .cancelled }
            // What still fits after `newest`, so that prompt and answer together fill the context and no more.
            var room = decoder.contextSize - decoder.tokens.count - 1
            if room <= 0 {
                guard case .shift(let keep) = parameters.contextOverflow else {
                    result.finishReason = .length
                    return
                }
                try shiftContext(keep: keep)
                room = decoder.contextSize - decoder.tokens.count - 1
            }
            constraint?.trim()
            let step = try decoder.step(
                newest: newest, room: min(room - 1, remaining - 1), mode: mode, drafting: &drafting,
                sampler: &sampler, races: races, endTokens: endTokens, constraint: constraint,
                cancellation: cancellation)
            if mode != .secondary { result.speculative.primaryPasses += 1 }
            result.speculative.drafted += step.drafted
            result.speculative.draftedDepth += step.depth
            result.speculative.lookedUp += step.lookedUp
            result.speculative.accepted += step.accepted
            for (index, token) in step.produced.enumerated() {
                let isKeptDraft = index < step.draftScores.count
                let score =
                    isKeptDraft
                    ? step.draftScores[index] : score(token, row: mode == .tandem ? 0 : step.rows[index])
                if try take(token, score: score, onDelta) { return }
                newest = token
            }
        }
    }

    /// Forgets the older half of the text after its first `keep` tokens, and runs the rest again.
    private mutating func shiftContext(keep: Int) throws(TandemError) {
        let tokens = decoder.tokens
        let (first, last) = ContextOverflow.remaining(tokens.count, keep: keep)
        let rest = Array(tokens.prefix(first) + tokens.suffix(last))
        // One token more is about to come: no frequencies of a text that ends here.
        _ = try decoder.prefill(rest, forLength: rest.count + 1, mode: mode, cancellation: cancellation)
        result.usage.contextShifts += 1
    }

    /// Keeps what was learnt for the session's next generation, and reports it.
    private mutating func noteCosts() {
        let costs = drafting.policy.costs
        decoder.policy = drafting.policy
        decoder.core.draftMemory.keep(drafting.policy)
        guard !drafting.policy.isFixed, result.speculative.drafted > 0, costs.isKnown, costs.base > 0 else {
            return
        }
        result.speculative.draftCost = costs.draft / costs.base
        result.speculative.rowCost = costs.marginal / costs.base
    }

    /// The score of a token that row `row` of the last pass produced.
    private mutating func score(_ token: TokenID, row: Int) -> TokenScore? {
        let core = decoder.core
        return unsafe scorer?.score(
            token, logits: decoder.logits(row: row),
            vocabularySize: mode == .secondary
                ? core.sharedVocabulary : core.primary.configuration.vocabularySize)
    }

    /// Takes one produced token; returns whether generation ends with it.
    private mutating func take(
        _ token: TokenID, score: TokenScore?, _ onDelta: (GenerationDelta) -> Void
    ) throws(TandemError) -> Bool {
        result.tokens.append(token)
        decoder.core.passes.count(generated: 1)
        note(token, score)
        defer { if scorer != nil, !untold.isEmpty { tell("", onDelta) } }
        remaining -= 1
        if endTokens.contains(token) {
            result.finishReason = .stop
            return true
        }
        if detokenizer != nil, let text = detokenizer?.append(token), show(text, onDelta) {
            result.finishReason = .stop
            return true
        }
        _ = try constraint?.advance(token)
        if constraint?.mustEnd == true {
            result.finishReason = .stop
            return true
        }
        if remaining == 0 {
            result.finishReason = .length
            return true
        }
        return false
    }

    /// Keeps a token for the next delta and, with its score, for the result.
    private mutating func note(_ token: TokenID, _ score: TokenScore?) {
        let bytes = { [tokenizer] (id: TokenID) in tokenizer?.bytes(of: id) ?? [] }
        let top = (score?.top ?? []).map {
            TokenLogprob(id: $0.id, bytes: bytes($0.id), logprob: $0.logprob)
        }
        let generated = GeneratedToken(id: token, bytes: bytes(token), logprob: score?.logprob, top: top)
        untold.append(generated)
        if score != nil { result.logprobs.append(generated) }
    }

    /// Shows text up to a stop text; returns whether one was met.
    private mutating func show(_ text: String, _ onDelta: (GenerationDelta) -> Void) -> Bool {
        if text.isEmpty { return false }
        let (safe, stopped) = matcher.append(text)
        if !safe.isEmpty {
            tell(safe, onDelta)
        }
        if stopped { detokenizer = nil }
        return stopped
    }

    /// Shows what was held back.
    private mutating func flush(_ onDelta: (GenerationDelta) -> Void) {
        guard detokenizer != nil else { return }
        let tail = detokenizer?.finish() ?? ""
        if show(tail, onDelta) {
            result.finishReason = .stop
            return
        }
        let rest = matcher.finish()
        if !rest.isEmpty {
            tell(rest, onDelta)
        }
    }

    /// Hands out text, and the tokens since the text before.
    private mutating func tell(_ text: String, _ onDelta: (GenerationDelta) -> Void) {
        result.text += text
        let delta = GenerationDelta(text: text, tokens: untold)
        untold.removeAll(keepingCapacity: true)
        decoder.away { onDelta(delta) }
    }
}
