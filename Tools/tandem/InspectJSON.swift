// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemJSON
import TandemPack

extension TandemFile {
    /// Everything `tandem inspect --json` prints.
    var json: JSONObject {
        [
            "path": .string(path),
            "file_bytes": .integer(Int64(fileSize)),
            "format_version": .string("\(FormatVersion.major).\(minorVersion)"),
            "manifest": manifestJSON,
            "tensors": .array(tensors.map { $0.json(chunk: chunks[$0.chunk].name) }),
            "chunks": .array(chunks.map(\.json)),
        ]
    }
}

extension TensorDescriptor {
    fileprivate func json(chunk: String) -> JSONValue {
        [
            "name": .string(name),
            "rows": .integer(Int64(rows)),
            "columns": .integer(Int64(columns)),
            "encoding": .string(encoding.name),
            "group_size": .integer(Int64(groupSize)),
            "chunk": .string(chunk),
            "data_offset": .integer(Int64(dataOffset)),
            "data_bytes": .integer(Int64(dataLength)),
            "scales_offset": .integer(Int64(scalesOffset)),
            "scales_bytes": .integer(Int64(scalesLength)),
        ]
    }
}

extension ChunkDescriptor {
    fileprivate var json: JSONValue {
        [
            "name": .string(name),
            "codec": .string(codec.name),
            "offset": .integer(Int64(offset)),
            "stored_bytes": .integer(Int64(storedLength)),
            "raw_bytes": .integer(Int64(rawLength)),
            "checksum": .string(checksumText),
            "reason": .string(codecReason),
        ]
    }

    /// 16 hexadecimal digits.
    private var checksumText: String {
        let digits = String(checksum, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}
