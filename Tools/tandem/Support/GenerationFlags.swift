// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Tandem

/// What every command that generates text takes: how long, with what memory and threads, and how to choose tokens.
struct GenerationFlags: ParsableArguments {
    @Option(
        name: [.customShort("n"), .customLong("predict"), .customLong("max-tokens")],
        help: "Tokens to generate at most, in an answer of a chat too; -1 = until the context is full.")
    var predict = -1

    @Option(name: [.customShort("c"), .long], help: "Context size in tokens; 0 = the model's own.")
    var ctxSize = 0

    @Flag(help: "When the context is full, forget the older half of the text and go on.")
    var contextShift = false

    @Option(
        help: "With --context-shift, never forget so many of the first tokens (without the beginning token).")
    var keep: Int?

    @Option(name: .shortAndLong, help: "Threads; 0 = the processors this process may use.")
    var threads = 0

    @Option(help: "How to decode: speed, tandem, primary or secondary.")
    var decode: DecodingMode?

    @OptionGroup(title: "Drafting") var drafting: DraftFlags

    @OptionGroup(title: "Sampling") var sampling: SamplingFlags

    @OptionGroup(title: "Form of the text") var form: GrammarFlags

    @OptionGroup var cache: CacheFlags

    @OptionGroup var memory: MemoryFlags

    @Option(name: .long, help: "End before this text (may be repeated).")
    var stop: [String] = []

    @Flag(help: "Go on after an end token.")
    var ignoreEos = false

    @Flag(help: "Skip the checksums of the weights when loading.")
    var noVerify = false

    func validate() throws {
        if predict < -1 { throw ValidationError("-n must be -1 or greater") }
        if ctxSize < 0 || threads < 0 { throw ValidationError("-c and -t must be 0 or greater") }
        if keep != nil && !contextShift { throw ValidationError("--keep needs --context-shift") }
        if let keep, keep < 0 { throw ValidationError("--keep must be 0 or greater") }
    }

    /// - Parameter seed: of the sampler; ``SamplingFlags/firstSeed()`` gives the one that was asked for.
    func parameters(seed: UInt64) throws -> GenerateParameters {
        try GenerateParameters(
            maxTokens: predict < 0 ? nil : predict, mode: decode, draftMax: drafting.most,
            draftMin: drafting.draftMin, draftTree: drafting.draftTree, promptLookup: drafting.lookup,
            sampling: try sampling.parameters(seed: seed), stop: stop, ignoreEndTokens: ignoreEos,
            grammar: try form.value(),
            // The beginning token always stays.
            contextOverflow: contextShift ? .shift(keep: (keep ?? 0) + 1) : .stop)
    }

    func sessionOptions() throws -> SessionOptions {
        try SessionOptions(
            contextSize: ctxSize == 0 ? nil : ctxSize, maxDraft: drafting.limit,
            maxTree: drafting.draftTree, keyValueType: try cache.type())
    }

    /// - Parameter session: what a memory budget leaves room for.
    func loadOptions(session: SessionOptions) throws -> LoadOptions {
        try LoadOptions(
            threadCount: threads == 0 ? nil : threads, verification: noVerify ? .structure : .full,
            memory: memory.memory, session: session)
    }
}
