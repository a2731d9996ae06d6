// SPDX-License-Identifier: Apache-2.0

internal import CTandemHeader
internal import Tandem
internal import TandemGrammar
internal import TandemJSON

private let maximumStopCount = 256

/// The engine's parameters for checked options.
func generateParameters(_ given: tandem_generate_options) throws(CallError) -> GenerateParameters {
    let mode = try decodingMode(unsafe given.mode)
    let stop = try unsafe stopTexts(given.stop, count: given.stop_count)
    let logprobs = try unsafe logprobCount(given)
    let priority = try generationPriority(unsafe given.priority)
    let overflow = try unsafe contextOverflow(given)
    let grammar = try unsafe grammar(given)
    let draftTree = try treeSize(unsafe given.draft_tree, name: "draft_tree")
    do throws(TandemError) {
        let sampling = try unsafe SamplingParameters(
            temperature: given.temperature, topK: Int(given.top_k), topP: given.top_p == 0 ? 1 : given.top_p,
            minP: given.min_p, repeatPenalty: given.repeat_penalty == 0 ? 1 : given.repeat_penalty,
            repeatLastN: given.repeat_last_n == 0 ? 64 : Int(given.repeat_last_n),
            presencePenalty: given.presence_penalty, frequencyPenalty: given.frequency_penalty,
            seed: given.seed)
        return try unsafe GenerateParameters(
            maxTokens: given.max_tokens == 0 ? nil : Int(given.max_tokens), mode: mode,
            draftMax: given.draft_max == 0 ? nil : Int(given.draft_max),
            draftMin: given.draft_min == 0 ? nil : Int(given.draft_min), draftTree: draftTree,
            sampling: sampling, stop: stop,
            ignoreEndTokens: given.ignore_end_tokens != 0, logprobs: logprobs, grammar: grammar,
            priority: priority,
            contextOverflow: overflow)
    } catch {
        throw CallError(error)
    }
}

/// The size of a tree of drafts: `nil` for 0, 0 for -1.
func treeSize(_ size: Int32, name: String) throws(CallError) -> Int? {
    switch size {
    case 0: return nil
    case -1: return 0
    default:
        let sizes = SessionOptions.treeSizes
        guard sizes.contains(Int(size)) else {
            throw .invalidArgument("\(name) is \(size), but must be in -1 ... \(sizes.upperBound)")
        }
        return Int(size)
    }
}

private func logprobCount(_ given: tandem_generate_options) throws(CallError) -> Int? {
    let (wanted, count) = unsafe (given.logprobs != 0, given.top_logprobs)
    if wanted { return Int(count) }
    guard count == 0 else { throw .invalidArgument("top_logprobs is \(count), but logprobs is not set") }
    return nil
}

/// The grammar in GBNF or that of the JSON Schema.
private func grammar(_ given: tandem_generate_options) throws(CallError) -> Grammar? {
    if let pointer = unsafe given.grammar {
        guard unsafe given.json_schema == nil else {
            throw .invalidArgument("grammar and json_schema are both given; leave one of them NULL")
        }
        let text = try unsafe checkedText(at: pointer, length: -1, name: "grammar")
        return try compiled { () throws(GrammarError) in try Grammar(gbnf: text) }
    }
    let schema = try unsafe checkedJSON(given.json_schema, name: "json_schema", "a schema") { $0 }
    guard let schema else { return nil }
    return try compiled { () throws(GrammarError) in try Grammar(jsonSchema: schema) }
}

private func compiled(_ grammar: () throws(GrammarError) -> Grammar) throws(CallError) -> Grammar {
    do throws(GrammarError) {
        return try grammar()
    } catch {
        throw CallError(.grammar(error))
    }
}

private func generationPriority(_ priority: Int32) throws(CallError) -> GenerationPriority {
    switch priority {
    case TANDEM_PRIORITY_INTERACTIVE: return .interactive
    case TANDEM_PRIORITY_BACKGROUND: return .background
    default:
        throw CallError(
            TANDEM_ERROR_UNSUPPORTED, "priority is \(priority), which is no TANDEM_PRIORITY_ value")
    }
}

private func contextOverflow(_ given: tandem_generate_options) throws(CallError) -> ContextOverflow {
    let (overflow, keep) = unsafe (given.context_overflow, given.context_keep)
    switch overflow {
    case TANDEM_OVERFLOW_STOP where keep == 0: return .stop
    case TANDEM_OVERFLOW_SHIFT: return .shift(keep: Int(keep))
    case TANDEM_OVERFLOW_STOP:
        throw .invalidArgument("context_keep is \(keep), but context_overflow is TANDEM_OVERFLOW_STOP")
    default:
        throw CallError(
            TANDEM_ERROR_UNSUPPORTED, "context_overflow is \(overflow), which is no TANDEM_OVERFLOW_ value")
    }
}

private func decodingMode(_ mode: Int32) throws(CallError) -> DecodingMode? {
    switch mode {
    case TANDEM_MODE_DEFAULT: return nil
    case TANDEM_MODE_SPEED: return .speed
    case TANDEM_MODE_TANDEM: return .tandem
    case TANDEM_MODE_PRIMARY: return .primary
    case TANDEM_MODE_SECONDARY: return .secondary
    default: throw CallError(TANDEM_ERROR_UNSUPPORTED, "mode is \(mode), which is no TANDEM_MODE_ value")
    }
}

private func stopTexts(_ pointer: UnsafePointer<UnsafePointer<CChar>?>?, count: Int) throws(CallError)
    -> [String]
{
    if count == 0 { return [] }
    guard let pointer = unsafe pointer else {
        throw .invalidArgument("stop is NULL, but stop_count is not 0")
    }
    guard (1...maximumStopCount).contains(count) else {
        throw .invalidArgument(
            "stop_count is \(UInt(bitPattern: count)), but must be at most \(maximumStopCount)")
    }
    var texts: [String] = []
    for index in 0..<count {
        texts.append(try unsafe checkedText(at: pointer[index], length: -1, name: "stop[\(index)]"))
    }
    return texts
}
