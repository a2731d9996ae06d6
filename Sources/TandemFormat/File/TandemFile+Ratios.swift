// SPDX-License-Identifier: Apache-2.0

/// What the codecs would make of some tensors.
public struct CompressionRatios: Sendable, Equatable {
    /// Bytes of the tensors, scales included.
    public let rawLength: Int
    /// Compressed over raw bytes of plain LZ4, and of bit planes with LZ4; 1 = nothing saved.
    public let lz4: Double
    public let planes: Double
}

extension TandemFile {
    /// How small LZ4 and bit planes would make some of the file's tensors, whatever codec their chunks have: measured on
    /// samples of 64 KiB in every MiB, with fast compression.
    ///
    /// - Parameter tensors: indices of ``TandemFile/tensors``.
    /// - Throws: ``FormatError`` when a compressed chunk cannot be decoded.
    /// - Complexity: reads a sixteenth of raw chunks, all of compressed ones.
    public func compressionRatios(ofTensors tensors: [Int]) throws(FormatError) -> CompressionRatios {
        var lz4 = CompressionSampler(codec: .lz4)
        var planes = CompressionSampler(codec: .planes)
        var length = 0
        for index in tensors {
            let tensor = self.tensors[index]
            let chunk = try bytes(ofChunk: tensor.chunk)
            for (offset, count) in [
                (tensor.dataOffset, tensor.dataLength), (tensor.scalesOffset, tensor.scalesLength),
            ] where count > 0 {
                let part = unsafe UnsafeRawBufferPointer(start: chunk.baseAddress + offset, count: count)
                unsafe lz4.add(part)
                unsafe planes.add(part)
                length += count
            }
        }
        return CompressionRatios(rawLength: length, lz4: lz4.ratio ?? 1, planes: planes.ratio ?? 1)
    }
}
