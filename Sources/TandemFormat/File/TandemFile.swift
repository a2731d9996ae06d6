// SPDX-License-Identifier: Apache-2.0

public import TandemJSON

/// A `.tandem` file, mapped read-only and checked.
///
/// Opening reads the header, the tables and the manifest, verifies their checksums, and checks every offset,
/// length, shape, count and name against the file, and every tensor that the manifest's models need.
/// Afterwards nothing that the file says can lead outside of it. The checksums of the chunks are verified on
/// demand (``verify(chunk:)``), and always for chunks that are decompressed or hold no tensors.
///
/// Usage:
///
///     let file = try TandemFile(path: "model.tandem")
///     if let query = file.tensor(named: TensorName.layer(.primary, 0, .query)) {
///         let chunk = try file.bytes(ofChunk: query.chunk)
///         // weights at chunk.baseAddress + query.dataOffset
///     }
///
/// File format: `Formats/tandem-file.md`, version 1.1.
///
/// Performance: opening costs O(chunks + tensors + manifest) and touches no weights.
///
/// Thread safety: immutable; any number of threads may use one object. Reading mapped bytes of a file that somebody
/// truncates ends the process, unless the file is watched, as the engine does.
public final class TandemFile: Sendable {
    /// The path the file was opened with.
    public let path: String
    /// Bytes of the file.
    public let fileSize: Int
    /// The format version of the file; the major version is ``FormatVersion/major``.
    public let minorVersion: Int
    /// What a reader must know to use the file; all of it is known to this library.
    public let requiredFeatures: FormatFeatures
    /// The header's checksum. The header holds the checksums of the tables, and these hold those of the chunks, so files with
    /// the same fingerprint hold the same. It finds mistakes; it is no signature.
    public let fingerprint: UInt64
    public let manifest: Manifest
    /// The manifest as it stands in the file, members unknown to this version included.
    public let manifestJSON: JSONValue
    /// All tensors, in chunk order and in the order of their bytes.
    public let tensors: [TensorDescriptor]
    /// All chunks, in table order.
    public let chunks: [ChunkDescriptor]

    private let index: [String: Int]
    let mapping: MappedFile

    /// Opens and checks a file.
    ///
    /// - Throws: ``FormatError``: what is wrong, the field's name and its offset.
    public init(path: String) throws(FormatError) {
        let mapping = try MappedFile(path: path)
        let parsed = try ParsedFile(mapping)
        mapping.endParsing()
        self.path = path
        self.mapping = mapping
        fileSize = mapping.count
        minorVersion = parsed.header.versionMinor
        requiredFeatures = parsed.header.requiredFeatures
        fingerprint = parsed.header.checksum
        manifest = parsed.manifest
        manifestJSON = parsed.manifestJSON
        tensors = parsed.tensors
        chunks = parsed.chunks
        index = parsed.tensorIndex
    }

    /// The tensor of that name. O(1).
    public func tensor(named name: String) -> TensorDescriptor? {
        index[name].map { tensors[$0] }
    }

    /// The chunk of that name, as an index. O(chunks).
    public func chunk(named name: String) -> Int? {
        chunks.firstIndex { $0.name == name }
    }
}
