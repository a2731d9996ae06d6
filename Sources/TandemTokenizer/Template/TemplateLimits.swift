// SPDX-License-Identifier: Apache-2.0

/// What a template may use before it is refused: templates come with models and are not trusted.
enum TemplateLimits {
    /// Code points of a template's source.
    static let sourceLength = 1 << 22
    /// Tags and brackets inside each other in the source, operators included.
    static let syntaxDepth = 200
    /// Expressions, statements and macro calls inside each other while rendering.
    static let renderDepth = 500
    /// Lists and mappings inside each other.
    static let valueDepth = 128
    /// Evaluated expressions and statements.
    static let steps = 5_000_000
    /// Items of one `range`, as jinja2's sandbox has it.
    static let rangeLength = 100_000
    /// Code points and list items that may be made while rendering, at least.
    static let createdUnits = 1 << 26
    /// The same, per code point of the template and the conversation.
    static let createdUnitsPerInput = 256
}
