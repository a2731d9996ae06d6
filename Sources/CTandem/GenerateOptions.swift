// SPDX-License-Identifier: Apache-2.0

internal import CTandemHeader
internal import Tandem

private let maximumStopCount = 256

/// The engine's parameters for checked options.
func generateParameters(_ given: tandem_generate_options) throws(CallError) -> GenerateParameters {
    let mode = try decodingMode(unsafe given.mode)
    let stop = try unsafe stopTexts(given.stop, count: given.stop_count)
    let logprobs = try unsafe logprobCount(given)
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
            draftMin: given.draft_min == 0 ? nil : Int(given.draft_min), sampling: sampling, stop: stop,
            ignoreEndTokens: given.ignore_end_tokens != 0, logprobs: logprobs)
    } catch {
        throw CallError(error)
    }
}

private func logprobCount(_ given: tandem_generate_options) throws(CallError) -> Int? {
    let (wanted, count) = unsafe (given.logprobs != 0, given.top_logprobs)
    if wanted { return Int(count) }
    guard count == 0 else { throw .invalidArgument("top_logprobs is \(count), but logprobs is not set") }
    return nil
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
