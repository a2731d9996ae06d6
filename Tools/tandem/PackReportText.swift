// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemPack

extension PackReport {
    /// Every tensor, then every chunk.
    var details: String {
        var tensorTable = Table(["tensor", "shape", "encoding", "group", "bytes", "rms error", "largest"])
        tensorTable.rightAligned = [3, 4, 5, 6]
        for tensor in tensors {
            tensorTable.add([
                tensor.name, shapeText(rows: tensor.rows, columns: tensor.columns), tensor.encoding.name,
                tensor.groupSize == 0 ? "-" : "\(tensor.groupSize)", "\(tensor.bytes)",
                tensor.encoding.isQuantized ? "\(fixed(100 * tensor.relativeRMSError, 3)) %" : "-",
                tensor.encoding.isQuantized ? significant(tensor.largestError) : "-",
            ])
        }
        var chunkTable = Table(["chunk", "codec", "stored", "raw", "why"])
        chunkTable.rightAligned = [2, 3]
        for chunk in chunks {
            chunkTable.add([
                chunk.name, chunk.codec.name, "\(chunk.storedLength)", "\(chunk.rawLength)", chunk.reason,
            ])
        }
        return "\(tensorTable.text)\n\(chunkTable.text)\n"
    }

    /// One line for each class of tensors, and one for the file.
    func summary(seconds: Double) -> String {
        var table = Table(["class", "tensors", "encoding", "size", "rms error"])
        table.rightAligned = [1, 3, 4]
        for group in TensorClass.group(tensors, name: \.name, encoding: \.encoding) {
            let bytes = group.members.reduce(0) { $0 + $1.bytes }
            let worst = group.members.map(\.relativeRMSError).max() ?? 0
            table.add([
                group.name, "\(group.members.count)", group.encoding.name, byteText(bytes),
                group.encoding.isQuantized ? "≤ \(fixed(100 * worst, 2)) %" : "-",
            ])
        }
        let rate = seconds > 0 ? " at \(byteText(Int(Double(sourceSize) / seconds)))/s" : ""
        return table.text
            + "\(path): \(kind.rawValue), \(byteText(fileSize)), from \(byteText(sourceSize)) of weights"
            + " in \(fixed(seconds, 1)) s\(rate)\n"
    }
}
