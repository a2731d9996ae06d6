// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemJSON

/// What the codecs would make of one class of tensors.
struct ClassRatio {
    let name: String
    let encoding: String
    let ratios: CompressionRatios

    var json: JSONValue {
        [
            "class": .string(name),
            "encoding": .string(encoding),
            "raw_bytes": .integer(Int64(ratios.rawLength)),
            "lz4": .number(ratios.lz4),
            "planes_lz4": .number(ratios.planes),
        ]
    }
}

extension TandemFile {
    /// In the order of the table of classes.
    func classRatios() throws(FormatError) -> [ClassRatio] {
        var result: [ClassRatio] = []
        let numbered = tensors.enumerated().map { $0 }
        for group in TensorClass.group(numbered, name: \.element.name, encoding: \.element.encoding) {
            result.append(
                ClassRatio(
                    name: group.name, encoding: group.encoding.name,
                    ratios: try compressionRatios(ofTensors: group.members.map(\.offset))))
        }
        return result
    }

    /// Compressed over raw bytes; 1 = nothing saved.
    func ratioTable() throws(FormatError) -> String {
        var table = Table(["class", "encoding", "size", "lz4", "planes+lz4"])
        table.rightAligned = [2, 3, 4]
        for entry in try classRatios() {
            table.add([
                entry.name, entry.encoding, byteText(entry.ratios.rawLength), fixed(entry.ratios.lz4, 3),
                fixed(entry.ratios.planes, 3),
            ])
        }
        return table.text
    }
}
