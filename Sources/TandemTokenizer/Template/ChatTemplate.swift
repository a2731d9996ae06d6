// SPDX-License-Identifier: Apache-2.0

/// A model's chat template: turns a conversation into the text that the model was trained on.
///
///     let template = try ChatTemplate(source: source)
///     let request = ChatRequest(messages: [.user("Hello")], variables: ["bos_token": "<s>"])
///     let text = try template.render(request)
///
/// Templates are written in Jinja. This is an implementation of the part of it that the templates of models use, and it
/// renders them as jinja2 does within transformers' `apply_chat_template`: `trim_blocks`, `lstrip_blocks`, `break` and
/// `continue`, `{% generation %}`, a sandbox in which values cannot be changed, and `tojson` without escapes for HTML.
/// What is outside of that part is refused when a template is read, by name and place.
///
/// Not implemented: `block`, `extends`, `include`, `import`, `autoescape`, `do`; the filters `filesizeformat`, `groupby`,
/// `pprint`, `random`, `striptags`, `urlencode`, `urlize`, `wordwrap`, `xmlattr`; the globals `cycler`, `joiner`,
/// `lipsum`; integers beyond 64 bits.
///
/// ## Bounds
/// Templates come with models and are not trusted: nesting, steps, and the memory that rendering may use are bounded, and
/// a template that goes beyond ends in ``TemplateError/limitExceeded(what:limit:line:column:)``.
///
/// ## Thread Safety
/// Immutable; any number of threads may render with one template at once. Rendering needs up to 1 MiB of stack.
public struct ChatTemplate: Sendable {
    /// The Jinja source.
    public let source: String
    private let statements: [Statement]

    /// Reads a template.
    ///
    /// - Throws: ``TemplateError/syntax(reason:line:column:)``, ``TemplateError/unsupported(construct:line:column:)``,
    ///   ``TemplateError/limitExceeded(what:limit:line:column:)``.
    public init(source: String) throws(TemplateError) {
        self.source = source
        statements = try TemplateParser.statements(of: try TemplateSource(source))
    }

    /// The text of a conversation.
    ///
    /// - Throws: ``TemplateError``: what the template refuses, cannot evaluate, or is given wrongly.
    public func render(_ request: ChatRequest) throws(TemplateError) -> String {
        TemplateText(units: try renderUnits(request)).string
    }

    /// The text of a conversation, with a record of what in it came from the messages.
    ///
    /// - Throws: ``TemplateError``, as ``render(_:)``.
    public func prompt(_ request: ChatRequest) throws(TemplateError) -> ChatPrompt {
        ChatPrompt(try renderUnits(request))
    }

    private func renderUnits(_ request: ChatRequest) throws(TemplateError) -> [UInt32] {
        var input = try TemplateInput(request)
        let marker = request.continuesFinalMessage ? try input.markFinalMessage(source: source) : nil
        let run = TemplateRun(
            inputUnits: input.unitCount + source.unicodeScalars.count, time: request.time)
        let units = try run.render(statements, variables: input.variables)
        return try marker.map { (marker) throws(TemplateError) in try marker.cut(units) } ?? units
    }
}
