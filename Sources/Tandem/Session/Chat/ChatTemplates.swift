// SPDX-License-Identifier: Apache-2.0

public import TandemJSON
public import TandemTokenizer

/// How a model wants its conversations written.
public struct ChatTemplates: Sendable {
    /// The template of conversations.
    public let plain: ChatTemplate
    /// The template of conversations with tools, where the model has one of its own for them.
    public let forTools: ChatTemplate?
    /// The texts of the special tokens under the names that templates know: `bos_token`, `eos_token` and others.
    public let variables: JSONObject

    public init(plain: ChatTemplate, forTools: ChatTemplate? = nil, variables: JSONObject = JSONObject()) {
        self.plain = plain
        self.forTools = forTools
        self.variables = variables
    }

    /// The conversation as the model wants it: with the special tokens' texts, by the template for it.
    ///
    /// - Throws: ``TandemError/chatTemplate(_:)``.
    public func prompt(_ request: ChatRequest) throws(TandemError) -> ChatPrompt {
        var request = request
        for member in variables.members where request.variables[member.key] == nil {
            request.variables[member.key] = member.value
        }
        let template = request.tools == nil ? plain : forTools ?? plain
        do {
            return try template.prompt(request)
        } catch {
            throw .chatTemplate(error)
        }
    }
}

extension TandemModel {
    /// The chat templates of the file; nil when it has none.
    ///
    /// - Throws: ``TandemError/chatTemplate(_:)`` when a template cannot be read.
    public var chatTemplates: ChatTemplates? {
        get throws(TandemError) {
            guard let reference = manifest.tokenizer, let source = reference.chatTemplate else { return nil }
            do {
                return ChatTemplates(
                    plain: try ChatTemplate(source: source),
                    forTools: try reference.toolTemplate.map { (source) throws(TemplateError) in
                        try ChatTemplate(source: source)
                    }, variables: templateVariables)
            } catch {
                throw .chatTemplate(error)
            }
        }
    }

    /// The texts of the special tokens, as the file has them; for the beginning and the end, where the file names no
    /// text, those of its ids.
    public var templateVariables: JSONObject {
        guard let reference = manifest.tokenizer else { return JSONObject() }
        var variables = reference.specialTokens
        for (name, id) in [("bos_token", reference.bos), ("eos_token", reference.eos.first)]
        where variables[name] == nil {
            if let id, let text = tokenizer?.token(TokenID(id)) { variables[name] = .string(text) }
        }
        return variables
    }
}
