// SPDX-License-Identifier: Apache-2.0
// swift-format-ignore-file: AlwaysUseLowerCamelCase

public import CTandemHeader
internal import Tandem

@c @implementation
public func tandem_generate(
    _ session: OpaquePointer?, _ prompt: UnsafePointer<CChar>?, _ length: Int,
    _ options: UnsafePointer<tandem_generate_options>?, _ onText: tandem_text_function?,
    _ userData: UnsafeMutableRawPointer?, _ result: UnsafeMutablePointer<tandem_result>?
) -> Int32 {
    unsafe SessionHandle.call(session) { target throws(CallError) in
        let call = try unsafe GenerateCall(
            options: options, onText: onText, userData: userData, result: result)
        let text = try unsafe checkedText(at: prompt, length: length, name: "prompt")
        let ids: [Int32]
        do throws(TandemError) {
            ids = try target.session.model.tokenize(text)
        } catch {
            throw CallError(error)
        }
        try call.run(target, prompt: ids)
    }
}

@c @implementation
public func tandem_generate_tokens(
    _ session: OpaquePointer?, _ prompt: UnsafePointer<Int32>?, _ count: Int,
    _ options: UnsafePointer<tandem_generate_options>?, _ onText: tandem_text_function?,
    _ userData: UnsafeMutableRawPointer?, _ result: UnsafeMutablePointer<tandem_result>?
) -> Int32 {
    unsafe SessionHandle.call(session) { target throws(CallError) in
        let call = try unsafe GenerateCall(
            options: options, onText: onText, userData: userData, result: result)
        try call.run(target, prompt: try unsafe checkedTokens(at: prompt, count: count, name: "prompt"))
    }
}

/// The checked arguments that both ways to generate share.
@safe
private struct GenerateCall {
    private let parameters: GenerateParameters
    private let tokens: UnsafeMutablePointer<Int32>?
    private let tokenCapacity: Int
    private let onText: tandem_text_function?
    private let onToken: tandem_token_function?
    private let userData: UnsafeMutableRawPointer?
    private let result: UnsafeMutablePointer<tandem_result>?
    /// Bytes at `result`.
    private let resultSize: Int

    init(
        options pointer: UnsafePointer<tandem_generate_options>?, onText: tandem_text_function?,
        userData: UnsafeMutableRawPointer?, result: UnsafeMutablePointer<tandem_result>?
    ) throws(CallError) {
        let given = try unsafe readOptions(
            at: pointer, default: tandem_generate_options(), first: FirstSize.generateOptions, name: "options"
        )
        parameters = try unsafe generateParameters(given)
        unsafe tokens = given.tokens
        tokenCapacity = unsafe given.token_capacity
        guard unsafe tokens != nil || tokenCapacity == 0 else {
            throw .invalidArgument("tokens is NULL, but token_capacity is not 0")
        }
        var size = 0
        if let result = unsafe result {
            size = unsafe UnsafeRawPointer(result).loadUnaligned(as: Int.self)
            try checkSize(
                size, first: FirstSize.result, known: MemoryLayout<tandem_result>.size, name: "result")
        }
        unsafe self.onText = unsafe onText
        unsafe onToken = unsafe given.on_token
        unsafe self.userData = unsafe userData
        unsafe self.result = unsafe result
        resultSize = size
    }

    func run(_ target: SessionHandle, prompt: [Int32]) throws(CallError) {
        var isStopped = false
        let outcome = try target.generating { cancellation throws(CallError) in
            do throws(TandemError) {
                return try target.session.generate(
                    tokens: prompt, parameters: parameters, cancellation: cancellation
                ) { delta in
                    if isStopped || show(delta) { return }
                    isStopped = true
                    cancellation.cancel()
                }
            } catch {
                throw CallError(error)
            }
        }
        store(outcome, isStopped: isStopped)
        target.log.write(TANDEM_LOG_DEBUG, summary(outcome))
    }

    /// Hands tokens and their text to the caller; returns whether it wants more.
    private func show(_ delta: GenerationDelta) -> Bool {
        if let onToken = unsafe onToken {
            for token in delta.tokens {
                let answer = unsafe token.withCToken { unsafe onToken(userData, $0) }
                if answer != 0 { return false }
            }
        }
        guard let onText = unsafe onText, !delta.text.isEmpty else { return true }
        return unsafe delta.text.withCString { unsafe onText(userData, $0, delta.text.utf8.count) } == 0
    }

    private func store(_ outcome: GenerationResult, isStopped: Bool) {
        if let tokens = unsafe tokens {
            // A capacity beyond Int.max arrives as a negative number.
            let count = tokenCapacity < 0 ? outcome.tokens.count : min(tokenCapacity, outcome.tokens.count)
            unsafe tokens.update(from: outcome.tokens, count: count)
        }
        guard let result = unsafe result else { return }
        var figures = tandem_result(outcome)
        if isStopped { figures.finish_reason = TANDEM_FINISH_CANCELLED }
        unsafe writeResult(figures, size: resultSize, at: result)
    }
}

private func summary(_ outcome: GenerationResult) -> String {
    let usage = outcome.usage
    return "generation ended (\(outcome.finishReason.rawValue)): prompt of \(usage.promptTokens) tokens,"
        + " \(usage.cachedPromptTokens) of them cached; \(usage.completionTokens) generated in"
        + " \(Int(outcome.timings.predictedSeconds * 1000)) ms"
}

extension tandem_result {
    fileprivate init(_ outcome: GenerationResult) {
        self.init()
        switch outcome.finishReason {
        case .stop: finish_reason = TANDEM_FINISH_STOP
        case .length: finish_reason = TANDEM_FINISH_LENGTH
        case .cancelled: finish_reason = TANDEM_FINISH_CANCELLED
        }
        prompt_tokens = Int64(outcome.usage.promptTokens)
        cached_prompt_tokens = Int64(outcome.usage.cachedPromptTokens)
        completion_tokens = Int64(outcome.usage.completionTokens)
        primary_passes = Int64(outcome.speculative.primaryPasses)
        drafted_tokens = Int64(outcome.speculative.drafted)
        accepted_tokens = Int64(outcome.speculative.accepted)
        prompt_seconds = outcome.timings.promptSeconds
        predicted_seconds = outcome.timings.predictedSeconds
        prompt_per_second = outcome.timings.promptPerSecond
        predicted_per_second = outcome.timings.predictedPerSecond
    }
}
