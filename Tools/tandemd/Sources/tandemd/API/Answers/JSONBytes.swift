// SPDX-License-Identifier: Apache-2.0

import NIOCore
import TandemJSON

extension ByteBuffer {
    /// Appends a JSON string. The parts of a stream go this way, as there are thousands a second.
    mutating func writeJSON(_ text: String) {
        var text = text
        let isPlain = text.withUTF8 { bytes in
            unsafe bytes.allSatisfy { $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
        }
        if isPlain {
            writeInteger(UInt8(ascii: "\""))
            writeString(text)
            writeInteger(UInt8(ascii: "\""))
        } else {
            writeBytes(JSONValue.string(text).serializedBytes())
        }
    }

    /// Appends a JSON value, members in their order.
    mutating func writeJSON(_ value: JSONValue) {
        writeBytes(value.serializedBytes(sortedKeys: false))
    }
}
