// SPDX-License-Identifier: Apache-2.0

import Tandem
import TandemTokenizer

/// A model in memory, and what requests need besides it.
final class LoadedModel: Sendable {
    let model: TandemModel
    let tokenizer: Tokenizer
    /// Nil when the model has no chat template.
    let templates: ChatTemplates?
    /// How the model writes calls of functions.
    let toolFormat: ToolFormat
    let pool: SessionPool
    /// Positions of every session.
    let contextSize: Int

    /// - Parameters:
    ///   - template: a chat template instead of the file's own.
    ///   - sessions: how many generations there can be at a time.
    init(
        model: TandemModel, template: String?, sessions: Int, options: SessionOptions
    ) throws(TandemError) {
        guard let tokenizer = model.tokenizer else { throw .noTokenizer }
        self.model = model
        self.tokenizer = tokenizer
        if let template {
            do {
                templates = ChatTemplates(
                    plain: try ChatTemplate(source: template), variables: model.templateVariables)
            } catch {
                throw .chatTemplate(error)
            }
        } else {
            templates = try model.chatTemplates
        }
        toolFormat = ToolFormat(templates: templates)
        pool = try SessionPool(model: model, options: options, count: sessions)
        // The first session tells the context's real size, and that the memory for one is there.
        contextSize = try pool.lease(for: []).session.contextSize
    }

    /// The tokens of a conversation.
    /// - Throws: 400 when the template refuses it.
    func tokens(of request: ChatRequest) throws(APIError) -> [TokenID] {
        guard let templates else { throw APIError(.noChatTemplate) }
        var request = request
        for member in templates.variables.members where request.variables[member.key] == nil {
            request.variables[member.key] = member.value
        }
        let template = request.tools == nil ? templates.plain : templates.forTools ?? templates.plain
        do {
            return tokenizer.encode(try template.prompt(request))
        } catch {
            throw APIError(.chatTemplate(error))
        }
    }
}
