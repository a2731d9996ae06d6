// SPDX-License-Identifier: Apache-2.0

/// What a writer does with the bytes of a chunk.
public enum CodecChoice: Sendable, Equatable {
    /// Store as they are: usable in place.
    case raw
    /// LZ4 when that saves at least 10 %, else as they are.
    case lz4IfSmaller
    /// Bit planes with LZ4 when these take at most this part of the bytes, else as they are.
    case planesIfAtMost(Double)

    /// The codec that is tried, and the part of the bytes that it may take at most.
    var attempt: (codec: ChunkCodec, limit: Double)? {
        switch self {
        case .raw: nil
        case .lz4IfSmaller: (.lz4, 0.9)
        case .planesIfAtMost(let limit): (.planes, limit)
        }
    }
}

/// Writes a `.tandem` file, chunk by chunk.
///
/// The file appears under its name only when ``finish(manifest:)`` returns: bytes go to
/// `<path>.partial-<pid>`, which is removed on any failure and when the writer is released. The same calls
/// give the same bytes.
///
/// Usage:
///
///     let writer = try TandemWriter(path: "model.tandem")
///     let tokenizer = try writer.addBlob(name: "tokenizer", bytes: json, codec: .lz4IfSmaller)
///     try writer.beginChunk(name: "primary.embed")
///     try writer.beginTensor(
///         name: "primary.embed", encoding: .panelI8, rows: 4096, columns: 256, groupSize: 64)
///     for panel in panels {
///         try writer.appendData(panel.bytes)
///         try writer.appendScales(panel.scales)
///     }
///     try writer.endTensor()
///     try writer.endChunk()
///     …
///     try writer.finish(manifest: manifest)
///
/// Performance: memory does not depend on tensor sizes, except that a tensor's scales (1/32 of an int8 tensor
/// with groups of 64) are held until it ends.
///
/// Thread safety: none; one owner at a time. After an error only releasing the writer makes sense.
public final class TandemWriter {
    /// The path the finished file will have.
    public var path: String { output.path }

    let output: OutputFile
    var chunks: [ChunkDescriptor] = []
    var tensors: [TensorDescriptor] = []
    var chunkNames: Set<String> = []
    var tensorIndex: [String: Int] = [:]
    var ratios: [Double?] = []
    var chunk: OpenChunk?
    var tensor: OpenTensor?
    var finished = false

    /// Creates the temporary file.
    ///
    /// - Throws: ``FormatError`` when the target is not a regular file or its folder cannot be written.
    public init(path: String) throws(FormatError) {
        output = try OutputFile(path: path)
        try output.write([UInt8](repeating: 0, count: HeaderLayout.size))
    }

    /// Gives up: removes the temporary file now. Happens by itself after a failed write and on release.
    public func cancel() { output.discard() }

    /// Chunks written so far; their order is final.
    public var chunkCount: Int { chunks.count }

    /// Bytes written so far.
    public var bytesWritten: Int { output.count }

    /// How a codec would do on a chunk, or does: bit planes with LZ4 on tensors, LZ4 on blobs. Compressed over raw bytes,
    /// measured on samples of a raw chunk and on all of another. Nil when the chunk does not exist.
    public func measuredRatio(ofChunk index: Int) -> Double? {
        ratios.indices.contains(index) ? ratios[index] : nil
    }

    /// Starts a chunk; tensors follow.
    public func beginChunk(name: String, codec: CodecChoice = .raw) throws(FormatError) {
        try begin(name: name, codec: codec, probe: .planes)
    }

    /// - Parameter probe: the codec whose ratio is sampled when none is tried.
    private func begin(name: String, codec: CodecChoice, probe: ChunkCodec) throws(FormatError) {
        try requireOpen()
        guard chunk == nil else { throw .misuse("beginChunk('\(name)') before endChunk()") }
        try checkName(name, kind: "chunk")
        guard chunkNames.insert(name).inserted else { throw .misuse("two chunks are named '\(name)'") }
        guard chunks.count < FormatLimits.maximumRecords else {
            throw .misuse("more than \(FormatLimits.maximumRecords) chunks")
        }
        try output.pad(to: FormatLimits.pageAlignment)
        chunk = OpenChunk(
            name: name, codec: codec, offset: output.count, firstTensor: tensors.count,
            sampler: CompressionSampler(codec: probe))
    }

    /// Ends a chunk and decides its codec.
    ///
    /// - Returns: the chunk as it stands in the file.
    @discardableResult
    public func endChunk() throws(FormatError) -> ChunkDescriptor {
        guard let open = chunk else { throw .misuse("endChunk() without beginChunk") }
        guard tensor == nil else { throw .misuse("endChunk() before endTensor()") }
        let rawLength = output.count - open.offset
        guard rawLength > 0 else { throw .misuse("the chunk '\(open.name)' is empty") }
        var codec = ChunkCodec.raw
        var checksum = open.hash.digest()
        var ratio = open.sampler.ratio
        if let attempt = open.codec.attempt {
            let compressor = SpooledCompressor(
                output: output, offset: open.offset, rawLength: rawLength, codec: attempt.codec)
            let size = try compressor.measure()
            ratio = Double(size) / Double(rawLength)
            if Double(size) <= attempt.limit * Double(rawLength) {
                checksum = try compressor.compress()
                codec = attempt.codec
            }
        }
        let descriptor = ChunkDescriptor(
            name: open.name, offset: open.offset, storedLength: output.count - open.offset,
            rawLength: rawLength,
            codec: codec, checksum: checksum, tensors: open.firstTensor..<tensors.count)
        chunks.append(descriptor)
        ratios.append(ratio)
        chunk = nil
        return descriptor
    }

    /// Writes a chunk of opaque bytes, such as a tokenizer.
    ///
    /// - Returns: the chunk's index.
    @discardableResult
    public func addBlob(name: String, bytes: UnsafeRawBufferPointer, codec: CodecChoice) throws(FormatError)
        -> Int
    {
        try begin(name: name, codec: codec, probe: .lz4)
        try unsafe appendToChunk(bytes)
        try endChunk()
        return chunks.count - 1
    }

    /// Writes a chunk of opaque bytes, such as a tokenizer.
    ///
    /// - Returns: the chunk's index.
    @discardableResult
    public func addBlob(name: String, bytes: [UInt8], codec: CodecChoice) throws(FormatError) -> Int {
        try unsafe withBytes(bytes) { (raw) throws(FormatError) in
            try unsafe addBlob(name: name, bytes: raw, codec: codec)
        }
    }

    func requireOpen() throws(FormatError) {
        guard !finished else { throw .misuse("the writer of '\(path)' has finished") }
    }

    func checkName(_ name: String, kind: String) throws(FormatError) {
        guard Validation.isName(Array(name.utf8)) else {
            throw .misuse(
                "\(kind) name '\(name)' is not 1...\(FormatLimits.maximumNameLength) "
                    + "printable ASCII characters"
            )
        }
    }

    /// Appends bytes to the open chunk, its checksum and its compression sample.
    func appendToChunk(_ bytes: UnsafeRawBufferPointer) throws(FormatError) {
        unsafe chunk?.hash.update(bytes)
        if chunk?.codec.attempt == nil { unsafe chunk?.sampler.add(bytes) }
        try unsafe output.write(bytes)
    }
}

/// A chunk being written.
struct OpenChunk {
    let name: String
    let codec: CodecChoice
    let offset: Int
    let firstTensor: Int
    var sampler: CompressionSampler
    var hash = XXH64()
}
