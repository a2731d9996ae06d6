// SPDX-License-Identifier: Apache-2.0
// swift-format-ignore-file: AlwaysUseLowerCamelCase

public import CTandemHeader
internal import Tandem
internal import TandemJSON
internal import TandemTokenizer

private let maximumMessageCount = 65_536

@c @implementation
public func tandem_chat_prompt(
    _ model: OpaquePointer?, _ messages: UnsafePointer<tandem_chat_message>?, _ count: Int,
    _ options: UnsafePointer<tandem_chat_options>?, _ text: UnsafeMutablePointer<CChar>?, _ capacity: Int,
    _ length: UnsafeMutablePointer<Int>?
) -> Int32 {
    unsafe length?.pointee = 0
    return unsafe ModelHandle.call(model) { target throws(CallError) in
        let length = try unsafe checkedPlace(
            text, capacity: capacity, name: "text", length, countName: "length")
        let prompt = try unsafe chatPrompt(target.model, messages, count: count, options)
        try unsafe store(prompt.text, at: text, capacity: capacity, length: length)
    }
}

@c @implementation
public func tandem_chat_tokens(
    _ model: OpaquePointer?, _ messages: UnsafePointer<tandem_chat_message>?, _ count: Int,
    _ options: UnsafePointer<tandem_chat_options>?, _ tokens: UnsafeMutablePointer<Int32>?, _ capacity: Int,
    _ ids: UnsafeMutablePointer<Int>?
) -> Int32 {
    unsafe ids?.pointee = 0
    return unsafe ModelHandle.call(model) { target throws(CallError) in
        let ids = try unsafe checkedPlace(tokens, capacity: capacity, name: "tokens", ids, countName: "ids")
        guard let tokenizer = target.model.tokenizer else { throw CallError(TandemError.noTokenizer) }
        let prompt = try unsafe chatPrompt(target.model, messages, count: count, options)
        try unsafe store(tokenizer.encode(prompt), at: tokens, capacity: capacity, count: ids)
    }
}

private func chatPrompt(
    _ model: TandemModel, _ messages: UnsafePointer<tandem_chat_message>?, count: Int,
    _ options: UnsafePointer<tandem_chat_options>?
) throws(CallError) -> ChatPrompt {
    let given = try unsafe readOptions(
        at: options, default: tandem_chat_options(), first: MemoryLayout<tandem_chat_options>.size,
        name: "options")
    let request = ChatRequest(
        messages: try unsafe chatMessages(messages, count: count),
        tools: try unsafe checkedJSON(given.tools, name: "tools", "a list") { $0.arrayValue },
        addsGenerationPrompt: unsafe given.omit_generation_prompt == 0,
        continuesFinalMessage: unsafe given.continue_last_message != 0,
        variables: try unsafe checkedJSON(given.variables, name: "variables", "an object") { $0.objectValue }
            ?? JSONObject(),
        time: .now())
    let templates = try unsafe chatTemplates(model, source: given.chat_template)
    do throws(TandemError) {
        return try templates.prompt(request)
    } catch {
        throw CallError(error)
    }
}

/// The template in a text of the caller, or the model's own for NULL.
private func chatTemplates(
    _ model: TandemModel, source: UnsafePointer<CChar>?
) throws(CallError) -> ChatTemplates {
    guard let source = unsafe source else {
        do throws(TandemError) {
            guard let own = try model.chatTemplates else { throw .noChatTemplate }
            return own
        } catch {
            throw CallError(error)
        }
    }
    let text = try unsafe checkedText(at: source, length: -1, name: "chat_template")
    do throws(TemplateError) {
        return ChatTemplates(plain: try ChatTemplate(source: text), variables: model.templateVariables)
    } catch {
        throw CallError(.chatTemplate(error))
    }
}

private func chatMessages(
    _ pointer: UnsafePointer<tandem_chat_message>?, count: Int
) throws(CallError) -> [ChatMessage] {
    guard (1...maximumMessageCount).contains(count) else {
        throw .invalidArgument(
            "count is \(UInt(bitPattern: count)), but must be in 1 ... \(maximumMessageCount)")
    }
    guard let pointer = unsafe pointer else { throw .invalidArgument("messages is NULL") }
    var messages: [ChatMessage] = []
    for index in 0..<count {
        let given = unsafe pointer[index]
        let name = "messages[\(index)]"
        let role = try unsafe checkedText(at: given.role, length: -1, name: name + ".role")
        var members =
            try unsafe checkedJSON(given.members, name: name + ".members", "an object") { $0.objectValue }
            ?? JSONObject()
        if let content = unsafe given.content {
            members["content"] = .string(
                try unsafe checkedText(at: content, length: -1, name: name + ".content"))
        }
        messages.append(ChatMessage(role: role, members: members))
    }
    return messages
}
