// SPDX-License-Identifier: Apache-2.0

internal import TandemJSON

/// JSON pointers (RFC 6901) as fragments of URIs.
enum JSONPointer {
    /// The pointer to a member below `pointer`.
    static func child(_ pointer: String, _ key: String) -> String { pointer + "/" + escaped(key) }

    static func text(_ keys: [String]) -> String { keys.reduce("#") { child($0, $1) } }

    private static func escaped(_ key: String) -> String {
        var result = ""
        for scalar in key.unicodeScalars {
            switch scalar {
            case "~": result += "~0"
            case "/": result += "~1"
            case "%": result += "%25"
            case _ where scalar.isASCII: result.unicodeScalars.append(scalar)
            default:
                // As in fragments of URIs: pointers are told apart by their bytes.
                for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter {
                    result += "%" + String(byte, radix: 16, uppercase: true)
                }
            }
        }
        return result
    }

    /// The keys of `#/a/b`; nil where an escape is not one.
    static func decodedFragment(_ text: String) -> [String]? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8.dropFirst())[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst(), let low = rest.popFirst(),
                let value = UInt8(String(decoding: [high, low], as: UTF8.self), radix: 16)
            else { return nil }
            bytes.append(value)
        }
        var keys: [String] = []
        for part in bytes.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            var key: [UInt8] = []
            var part = part
            while let byte = part.popFirst() {
                if byte != UInt8(ascii: "~") {
                    key.append(byte)
                } else if let code = part.popFirst(), code == UInt8(ascii: "0") || code == UInt8(ascii: "1") {
                    key.append(code == UInt8(ascii: "0") ? UInt8(ascii: "~") : UInt8(ascii: "/"))
                } else {
                    return nil
                }
            }
            keys.append(String(decoding: key, as: UTF8.self))
        }
        return keys
    }

    static func find(_ keys: [String], in root: JSONValue) -> JSONValue? {
        var value = root
        for key in keys {
            switch value {
            case .object(let object):
                guard let member = object[key] else { return nil }
                value = member
            case .array(let elements):
                guard let index = Int(key), elements.indices.contains(index), String(index) == key else {
                    return nil
                }
                value = elements[index]
            default:
                return nil
            }
        }
        return value
    }
}
