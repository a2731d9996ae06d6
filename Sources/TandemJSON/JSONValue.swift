// SPDX-License-Identifier: Apache-2.0

/// A JSON value (RFC 8259).
///
///     let config = try JSONValue(parsing: bytes)
///     let layers = config["num_hidden_layers"]?.intValue
///
/// Numbers written without fraction and exponent that fit 64 bits stay exact as ``integer(_:)``; all others
/// are the nearest `Double`. Strings compare by their bytes.
public enum JSONValue: Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)
}

extension JSONValue {
    /// Parses one JSON text. Linear in its length, without recursion.
    ///
    /// - Throws: ``JSONError`` with the byte offset of the first thing that is wrong.
    public init(parsing bytes: [UInt8], limits: JSONLimits = .default) throws(JSONError) {
        var parser = JSONParser(limits: limits)
        self = try parser.parse(bytes.span)
    }

    /// Parses one JSON text from memory that stays valid and unchanged during the call.
    ///
    /// - Throws: ``JSONError`` with the byte offset of the first thing that is wrong.
    public init(parsing bytes: UnsafeRawBufferPointer, limits: JSONLimits = .default) throws(JSONError) {
        var parser = JSONParser(limits: limits)
        self = try unsafe bytes.withMemoryRebound(to: UInt8.self) { (elements) throws(JSONError) in
            try parser.parse(unsafe Span(_unsafeElements: elements))
        }
    }
}

extension JSONValue: Equatable {
    public static func == (first: JSONValue, second: JSONValue) -> Bool {
        switch (first, second) {
        case (.null, .null): true
        case (.bool(let first), .bool(let second)): first == second
        case (.integer(let first), .integer(let second)): first == second
        case (.number(let first), .number(let second)): first == second
        case (.string(let first), .string(let second)): sameBytes(first, second)
        case (.array(let first), .array(let second)): first == second
        case (.object(let first), .object(let second)): first == second
        default: false
        }
    }
}
