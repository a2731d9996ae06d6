// SPDX-License-Identifier: Apache-2.0

/// How the bytes of a chunk are stored.
public enum ChunkCodec: UInt32, Sendable, CaseIterable {
    /// As they are; used in place from the mapping.
    case raw = 0
    /// Independent LZ4 blocks of 1 MiB.
    case lz4 = 1
    /// Blocks of 1 MiB as bit planes, each plane an LZ4 block or as it is: for quantised weights.
    case planes = 2

    /// The name used by `inspect`.
    public var name: String {
        switch self {
        case .raw: "raw"
        case .lz4: "lz4"
        case .planes: "planes+lz4"
        }
    }

    /// The features a reader needs for this codec.
    public var requiredFeatures: FormatFeatures { self == .planes ? .planes : [] }
}

/// One chunk of a file: a run of bytes with a codec and a checksum, holding tensors or an opaque blob.
public struct ChunkDescriptor: Sendable, Equatable {
    public let name: String
    /// Offset of the stored bytes in the file.
    public let offset: Int
    /// Bytes in the file.
    public let storedLength: Int
    /// Bytes after decoding; equal to ``storedLength`` for `raw`.
    public let rawLength: Int
    public let codec: ChunkCodec
    /// XXH64, seed 0, of the stored bytes.
    public let checksum: UInt64
    /// The chunk's tensors, as indices into the file's tensor list; empty for a blob.
    public let tensors: Range<Int>
}
