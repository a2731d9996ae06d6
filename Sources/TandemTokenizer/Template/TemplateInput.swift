// SPDX-License-Identifier: Apache-2.0

internal import TandemJSON

/// A request as the variables of a template, prepared as transformers prepares it.
///
/// Members of messages that are null are dropped; the reasoning of a message goes under each name that templates look for
/// it. All texts of messages, tools and documents are marked as content, but for the roles.
struct TemplateInput {
    private var messages: [[(key: String, value: TemplateValue)]] = []
    private var others: [(name: String, value: TemplateValue)] = []
    /// How many code points the request holds.
    private(set) var unitCount = 0

    private static let reasoningKeys = ["reasoning_content", "thinking", "reasoning"]

    init(_ request: ChatRequest) throws(TemplateError) {
        guard !request.messages.isEmpty else {
            throw .invalidInput(reason: "the conversation has no messages")
        }
        for message in request.messages { messages.append(try members(of: message)) }
        for (name, list) in [("tools", request.tools), ("documents", request.documents)] {
            var value = TemplateValue.none
            if let list { value = try convert(.array(list), marked: true, depth: 0) }
            others.append((name, value))
        }
        others.append(("add_generation_prompt", .boolean(request.addsGenerationPrompt)))
        for member in request.variables.members {
            guard !["messages", "tools", "documents", "add_generation_prompt"].contains(member.key) else {
                throw .invalidInput(reason: "'\(member.key)' cannot be set as a variable")
            }
            others.append((member.key, try convert(member.value, marked: false, depth: 0)))
        }
    }

    private mutating func members(
        of message: ChatMessage
    ) throws(TemplateError) -> [(key: String, value: TemplateValue)] {
        var members: [(key: String, value: TemplateValue)] = []
        for member in message.members.members where !member.value.isNull {
            members.append(
                (member.key, try convert(member.value, marked: member.key != "role", depth: 0)))
        }
        guard
            let reasoning = Self.reasoningKeys.lazy.compactMap({ key in
                members.first { $0.key == key }?.value
            }).first
        else { return members }
        if !members.contains(where: { $0.key == "thinking" }) {
            members.insert(("thinking", reasoning), at: 0)
        }
        Self.set("reasoning_content", reasoning, in: &members)
        return members
    }

    private static func set(
        _ key: String, _ value: TemplateValue, in members: inout [(key: String, value: TemplateValue)]
    ) {
        if let place = members.firstIndex(where: { $0.key == key }) {
            members[place].value = value
        } else {
            members.append((key, value))
        }
    }

    private mutating func convert(
        _ value: JSONValue, marked: Bool, depth: Int
    ) throws(TemplateError) -> TemplateValue {
        guard depth < TemplateLimits.valueDepth - 2 else {
            throw .invalidInput(
                reason:
                    "the conversation nests lists and objects more than \(TemplateLimits.valueDepth - 2) deep"
            )
        }
        unitCount += 1
        switch value {
        case .null: return .none
        case .bool(let flag): return .boolean(flag)
        case .integer(let number): return .integer(Int(number))
        case .number(let number): return .float(number)
        case .string(let string):
            let text = TemplateText(string, marked: marked)
            unitCount += text.count
            return .text(text)
        case .array(let elements):
            var items: [TemplateValue] = []
            for element in elements { items.append(try convert(element, marked: marked, depth: depth + 1)) }
            return .list(ItemList(items))
        case .object(let object):
            let dictionary = DictionaryValue()
            for member in object.members {
                let key = TemplateText(member.key, marked: marked)
                unitCount += key.count
                dictionary.set(.text(key), try convert(member.value, marked: marked, depth: depth + 1))
            }
            return .dictionary(dictionary)
        }
    }

    /// All variables of the template.
    var variables: [(name: String, value: TemplateValue)] {
        let list = messages.map { members in
            let dictionary = DictionaryValue()
            for (key, value) in members { dictionary.set(.text(key), value) }
            return TemplateValue.dictionary(dictionary)
        }
        return [("messages", .list(ItemList(list)))] + others
    }
}

// MARK: - Continuing the last message

extension TemplateInput {
    /// Finds the place in the rendered text where the last message ends.
    struct FinalMessageMarker {
        fileprivate static let tag = TemplateText("CONTINUE_FINAL_MESSAGE_TAG ", marked: true)
        fileprivate let content: TemplateText

        /// The text up to the end of the message.
        func cut(_ units: [UInt32]) throws(TemplateError) -> [UInt32] {
            let text = TemplateText(units: units)
            let trimmedTag = Self.tag.stripped(.both)
            guard text.contains(content.stripped(.both)), let place = text.findLast(trimmedTag) else {
                throw .invalidInput(
                    reason: "the last message cannot be continued: the template does not write it as it is")
            }
            let head = Array(units[..<place])
            return text.matches(Self.tag.units, at: place) ? head : TemplateText(units: head).stripped(.right)
        }
    }

    /// Puts a mark at the end of the last message's text.
    mutating func markFinalMessage(source: String) throws(TemplateError) -> FinalMessageMarker {
        guard case .boolean(false)? = others.first(where: { $0.name == "add_generation_prompt" })?.value
        else {
            throw .invalidInput(
                reason:
                    "the last message cannot be continued and answered at once; ask for no generation prompt")
        }
        let last = messages.count - 1
        guard let place = messages[last].firstIndex(where: { $0.key == "content" }) else {
            throw .invalidInput(reason: "the last message has no content that could be continued")
        }
        switch messages[last][place].value {
        case .text(let text):
            messages[last][place].value = .text(text.with(text.units + FinalMessageMarker.tag.units))
            return FinalMessageMarker(content: text)
        case .list(let list):
            let key = TemplateText("text")
            for index in list.items.indices.reversed() {
                guard case .dictionary(let part) = list.items[index], case .text(let text)? = part[key] else {
                    continue
                }
                let marked = DictionaryValue()
                for entry in part.entries { marked.set(entry.key, entry.value) }
                marked.set(.text(key), .text(text.with(text.units + FinalMessageMarker.tag.units)))
                var items = list.items
                items[index] = .dictionary(marked)
                messages[last][place].value = .list(ItemList(items))
                return FinalMessageMarker(content: text)
            }
        default: break
        }
        throw .invalidInput(reason: "the last message has no text that could be continued")
    }
}
