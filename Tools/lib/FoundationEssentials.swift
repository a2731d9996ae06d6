// SPDX-License-Identifier: Apache-2.0

// A stand-in for the few members of the module FoundationEssentials that ArgumentParser uses. With the module itself the
// statically linked `tandem` would be 6 MB larger; Tools/install compiles ArgumentParser against this one instead.

/// An error that describes itself.
public protocol LocalizedError: Error {
    var errorDescription: String? { get }
}

/// Bytes.
public struct Data {
    let bytes: [UInt8]
}

extension String {
    /// How a text is encoded.
    public enum Encoding {
        case utf8
    }

    /// The text in `data`; nil when it is not UTF-8.
    public init?(data: Data, encoding: Encoding) {
        self.init(validating: data.bytes, as: UTF8.self)
    }
}

/// Writes values as JSON, always indented and with sorted keys.
public final class JSONEncoder {
    /// What ArgumentParser asks for, which is what it gets.
    public struct OutputFormatting: OptionSet, Sendable {
        public let rawValue: Int
        public init(rawValue: Int) { self.rawValue = rawValue }
        public static let prettyPrinted = OutputFormatting(rawValue: 1)
        public static let sortedKeys = OutputFormatting(rawValue: 2)
    }

    public var outputFormatting: OutputFormatting = []

    public init() {}

    public func encode(_ value: some Encodable) throws -> Data {
        let encoder = NodeEncoder(node: Node(), codingPath: [])
        try value.encode(to: encoder)
        return Data(bytes: Array(encoder.node.text(indent: "").utf8))
    }
}

/// A value of the document while it is put together.
private final class Node {
    enum Content {
        case scalar(String)
        case list([Node])
        case members([(key: String, node: Node)])
    }

    var content = Content.scalar("null")

    /// A new element of a list.
    func appended() -> Node {
        let node = Node()
        if case .list(let nodes) = content { content = .list(nodes + [node]) }
        return node
    }

    /// A new member of an object.
    func member(_ key: String) -> Node {
        let node = Node()
        if case .members(let members) = content {
            content = .members(members.filter { $0.key != key } + [(key, node)])
        }
        return node
    }

    func text(indent: String) -> String {
        let inner = indent + "  "
        switch content {
        case .scalar(let text): return text
        case .list(let nodes):
            if nodes.isEmpty { return "[]" }
            return "[\n" + nodes.map { inner + $0.text(indent: inner) }.joined(separator: ",\n") + "\n\(indent)]"
        case .members(let members):
            if members.isEmpty { return "{}" }
            let lines = members.sorted { $0.key < $1.key }.map {
                "\(inner)\(Node.quoted($0.key)) : \($0.node.text(indent: inner))"
            }
            return "{\n" + lines.joined(separator: ",\n") + "\n\(indent)}"
        }
    }

    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": result += "\\\(scalar)"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

private struct NodeEncoder: Encoder {
    let node: Node
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        if case .members = node.content {} else { node.content = .members([]) }
        return KeyedEncodingContainer(Members<Key>(node: node, codingPath: codingPath))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        node.content = .list([])
        return List(node: node, codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { Single(node: node, codingPath: codingPath) }
}

private struct Single: SingleValueEncodingContainer {
    let node: Node
    let codingPath: [any CodingKey]

    func encodeNil() { node.content = .scalar("null") }
    func encode(_ value: Bool) { node.content = .scalar(value ? "true" : "false") }
    func encode(_ value: String) { node.content = .scalar(Node.quoted(value)) }
    func encode(_ value: Double) throws { try encodeFinite(value) }
    func encode(_ value: Float) throws { try encodeFinite(value) }
    func encode<T: Encodable & FixedWidthInteger>(_ value: T) { node.content = .scalar("\(value)") }
    func encode<T: Encodable>(_ value: T) throws { try value.encode(to: NodeEncoder(node: node, codingPath: codingPath)) }

    private func encodeFinite<T: BinaryFloatingPoint & LosslessStringConvertible>(_ value: T) throws {
        guard value.isFinite else {
            throw EncodingError.invalidValue(value, .init(codingPath: codingPath, debugDescription: "not finite"))
        }
        node.content = .scalar(value.description)
    }
}

private struct List: UnkeyedEncodingContainer {
    let node: Node
    let codingPath: [any CodingKey]
    var count: Int {
        if case .list(let nodes) = node.content { nodes.count } else { 0 }
    }

    func encodeNil() { _ = node.appended() }
    func encode<T: Encodable>(_ value: T) throws {
        try Single(node: node.appended(), codingPath: codingPath).encode(value)
    }
    func nestedContainer<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        NodeEncoder(node: node.appended(), codingPath: codingPath).container(keyedBy: type)
    }
    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
        NodeEncoder(node: node.appended(), codingPath: codingPath).unkeyedContainer()
    }
    func superEncoder() -> any Encoder { NodeEncoder(node: node.appended(), codingPath: codingPath) }
}

private struct Members<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let node: Node
    let codingPath: [any CodingKey]

    private func encoder(_ key: String) -> NodeEncoder {
        NodeEncoder(node: node.member(key), codingPath: codingPath)
    }
    func encodeNil(forKey key: Key) { _ = node.member(key.stringValue) }
    func encode<T: Encodable>(_ value: T, forKey key: Key) throws {
        try Single(node: node.member(key.stringValue), codingPath: codingPath).encode(value)
    }
    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> {
        encoder(key.stringValue).container(keyedBy: type)
    }
    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        encoder(key.stringValue).unkeyedContainer()
    }
    func superEncoder() -> any Encoder { encoder("super") }
    func superEncoder(forKey key: Key) -> any Encoder { encoder(key.stringValue) }
}
