// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat
internal import TandemTokenizer

/// Writes what a decoder holds as a session file, which appears under its name only when it is complete and on the disk.
///
/// Thread safety: none; the decoder must be at rest.
struct SessionFileWriter {
    private let decoder: Decoder
    private let file: OutputFile
    private var header: SessionFileHeader

    /// Bytes that are copied at a time.
    static let pieceBytes = 1 << 20

    /// - Parameter state: the decoder's own, settled.
    static func write(_ decoder: Decoder, _ state: Decoder.State, to path: String) throws(SessionFileError) {
        do throws(FormatError) {
            var writer = SessionFileWriter(decoder, state, file: try OutputFile(path: path))
            try writer.run()
        } catch {
            throw .storage(error)
        }
    }

    private init(_ decoder: Decoder, _ state: Decoder.State, file: OutputFile) {
        self.decoder = decoder
        self.file = file
        header = SessionFileHeader(
            model: decoder.core.file.fingerprint, keyValueType: decoder.keyValueType,
            state: state)
        header.place(in: decoder.core)
    }

    private mutating func run() throws(FormatError) {
        try file.write([UInt8](repeating: 0, count: SessionFileLayout.size))
        let state = header.state
        if header.tokens.length > 0 {
            try file.pad(to: SessionFileLayout.alignment)
            let bytes = Self.bytes(of: decoder.tokens)
            header.tokens.checksum = XXH64.hash(bytes)
            try file.write(bytes)
        }
        if header.primaryCache.length > 0, let cache = decoder.primaryCache {
            header.primaryCache.checksum = try write(
                cache, positions: state.primaryPositions,
                layerCount: decoder.core.primary.configuration.layerCount)
        }
        if header.secondaryCache.length > 0, let cache = decoder.secondaryCache,
            let configuration = decoder.core.secondary?.configuration
        {
            header.secondaryCache.checksum = try write(
                cache, positions: state.secondaryPositions, layerCount: configuration.layerCount)
        }
        let bytes = header.encoded()
        try unsafe bytes.withRawBytes { (raw) throws(FormatError) in try unsafe file.overwrite(raw, at: 0) }
        try file.commit()
    }

    /// Writes the first positions of a cache, plane by plane; returns their checksum.
    private func write(_ cache: KeyValueCache, positions: Int, layerCount: Int) throws(FormatError) -> UInt64
    {
        try file.pad(to: SessionFileLayout.alignment)
        var hash = XXH64()
        let piece = max(1, Self.pieceBytes / cache.rowBytes)
        var buffer = [UInt8](repeating: 0, count: min(piece, positions) * cache.rowBytes)
        for plane in 0..<cache.planeCount(layerCount: layerCount) {
            for first in stride(from: 0, to: positions, by: piece) {
                let rows = first..<min(positions, first + piece)
                try unsafe buffer.withMutableRawBytes { (raw) throws(FormatError) in
                    guard let base = raw.baseAddress else { return }
                    unsafe cache.copyRows(rows, ofPlane: plane, to: base)
                    let filled = unsafe UnsafeRawBufferPointer(
                        start: base, count: rows.count * cache.rowBytes)
                    unsafe hash.update(filled)
                    try unsafe file.write(filled)
                }
            }
        }
        return hash.digest()
    }

    private static func bytes(of tokens: [TokenID]) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 4 * tokens.count)
        for (index, token) in tokens.enumerated() {
            bytes.store(UInt32(bitPattern: token), at: 4 * index)
        }
        return bytes
    }
}

extension [UInt8] {
    /// `withUnsafeBytes` that keeps the error's type.
    fileprivate func withRawBytes(_ body: (UnsafeRawBufferPointer) throws(FormatError) -> Void)
        throws(FormatError)
    {
        let result: Result<Void, FormatError> = unsafe withUnsafeBytes { raw in
            do throws(FormatError) { return .success(try unsafe body(raw)) } catch { return .failure(error) }
        }
        try result.get()
    }

    /// `withUnsafeMutableBytes` that keeps the error's type.
    fileprivate mutating func withMutableRawBytes(
        _ body: (UnsafeMutableRawBufferPointer) throws(FormatError) -> Void
    ) throws(FormatError) {
        let result: Result<Void, FormatError> = unsafe withUnsafeMutableBytes { raw in
            do throws(FormatError) { return .success(try unsafe body(raw)) } catch { return .failure(error) }
        }
        try result.get()
    }
}
