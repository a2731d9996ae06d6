// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemPack

extension PackReport {
    /// Every tensor, then every chunk.
    var details: String {
        var tensorTable = Table([
            "tensor", "shape", "encoding", "group", "quantiser", "bits", "bytes", "rms error", "largest",
            "output error",
        ])
        tensorTable.rightAligned = [3, 5, 6, 7, 8, 9]
        for tensor in tensors {
            tensorTable.add([
                tensor.name, shapeText(rows: tensor.rows, columns: tensor.columns), tensor.encoding.name,
                tensor.groupSize == 0 ? "-" : "\(tensor.groupSize)", tensor.quantizer ?? "-",
                fixed(tensor.bitsPerElement, 2), "\(tensor.bytes)",
                tensor.encoding.isQuantized ? "\(fixed(100 * tensor.relativeRMSError, 3)) %" : "-",
                tensor.encoding.isQuantized ? significant(tensor.largestError) : "-",
                tensor.relativeOutputError.map { "\(fixed(100 * $0, 3)) %" } ?? "-",
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
        var table = Table(["class", "tensors", "encoding", "bits", "size", "rms error", "output error"])
        table.rightAligned = [1, 3, 4, 5, 6]
        for group in TensorClass.group(tensors, name: \.name, encoding: \.encoding) {
            let bytes = group.members.reduce(0) { $0 + $1.bytes }
            let worst = group.members.map(\.relativeRMSError).max() ?? 0
            let elements = group.members.reduce(0) { $0 + $1.rows * $1.columns }
            let output = group.members.compactMap(\.relativeOutputError).max()
            table.add([
                group.name, "\(group.members.count)", group.encoding.name,
                fixed(Double(bytes) * 8 / Double(max(1, elements)), 2), byteText(bytes),
                group.encoding.isQuantized ? "≤ \(fixed(100 * worst, 2)) %" : "-",
                output.map { "≤ \(fixed(100 * $0, 2)) %" } ?? "-",
            ])
        }
        let rate = seconds > 0 ? " at \(byteText(Int(Double(sourceSize) / seconds)))/s" : ""
        return table.text
            + "\(path): \(kind.rawValue), \(byteText(fileSize)), \(fixed(bitsPerWeight, 2)) bits a weight, from \(byteText(sourceSize)) of weights"
            + " in \(fixed(seconds, 1)) s\(rate)\n"
    }
}

extension PackReport {
    /// Bits that an element of a matrix takes on average, in both models together.
    var bitsPerWeight: Double {
        let matrices = tensors.filter { $0.encoding.isPanel }
        let elements = matrices.reduce(0) { $0 + $1.rows * $1.columns }
        return Double(matrices.reduce(0) { $0 + $1.bytes }) * 8 / Double(max(1, elements))
    }
}
