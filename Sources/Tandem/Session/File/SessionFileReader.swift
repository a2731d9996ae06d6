// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat
internal import TandemTokenizer

/// Reads a session file into a decoder.
///
/// The whole file is checked before anything of the decoder changes. Should the file change meanwhile, the decoder ends up
/// empty, never with other bytes than those that were checked.
///
/// Thread safety: none; the decoder must be at rest.
struct SessionFileReader {
    private let decoder: Decoder
    private let file: FileDescriptor
    private let header: SessionFileHeader

    static func read(_ path: String, into decoder: Decoder) throws(TandemError) {
        let reader: SessionFileReader
        let tokens: [TokenID]
        do throws(SessionFileError) {
            reader = try SessionFileReader(path, decoder: decoder)
            tokens = try reader.tokens()
            try reader.checkPadding()
            try reader.readCaches(isFilling: false)
        } catch {
            throw .sessionFile(error)
        }
        try decoder.prepare(for: reader.header.state)
        do throws(SessionFileError) {
            try reader.readCaches(isFilling: true)
        } catch {
            decoder.reset()
            throw .sessionFile(error)
        }
        decoder.adopt(reader.header.state, tokens: tokens)
    }

    private init(_ path: String, decoder: Decoder) throws(SessionFileError) {
        self.decoder = decoder
        let file = try reading { () throws(FormatError) in try FileDescriptor(opening: path) }
        let size = try reading { () throws(FormatError) in try file.regularFileSize() }
        let prefix = try reading { () throws(FormatError) in
            try file.read(at: 0, count: min(size, SessionFileLayout.size))
        }
        guard !prefix.isEmpty else { throw .storage(.emptyFile(path: path)) }
        header = try SessionFileHeader(prefix, path: path, actualSize: size, decoder: decoder)
        self.file = file
    }

    private func tokens() throws(SessionFileError) -> [TokenID] {
        let section = header.tokens
        guard section.length > 0 else { return [] }
        let content = try reading { () throws(FormatError) in
            FileBytes(
                bytes: try file.read(at: section.offset, count: section.length), fileOffset: section.offset)
        }
        try check(XXH64.hash(content.bytes), of: section, "tokens")
        let core = decoder.core
        let vocabulary =
            header.state.lead == .primary ? core.primary.configuration.vocabularySize : core.sharedVocabulary
        var tokens: [TokenID] = []
        tokens.reserveCapacity(header.state.tokenCount)
        for index in 0..<header.state.tokenCount {
            let value = content.u32(at: 4 * index)
            guard value < vocabulary else {
                throw .invalidField(
                    name: "tokens", offset: section.offset + 4 * index,
                    reason: "\(value) is outside the vocabulary of \(vocabulary)")
            }
            tokens.append(TokenID(value))
        }
        return tokens
    }

    /// The bytes between sections are no part of any checksum.
    private func checkPadding() throws(SessionFileError) {
        var end = SessionFileLayout.size
        for section in [header.tokens, header.primaryCache, header.secondaryCache] where section.length > 0 {
            let gap = end..<section.offset
            let bytes = try reading { () throws(FormatError) in
                try file.read(at: gap.lowerBound, count: gap.count)
            }
            if let index = bytes.firstIndex(where: { $0 != 0 }) {
                throw .invalidField(
                    name: "padding", offset: gap.lowerBound + index, reason: "\(bytes[index]), not 0")
            }
            end = section.end
        }
    }

    /// Reads both caches and checks their checksums; where `isFilling`, the decoder's caches take the rows.
    private func readCaches(isFilling: Bool) throws(SessionFileError) {
        let (state, core) = (header.state, decoder.core)
        try read(
            header.primaryCache, "primary_cache", core.primary.configuration,
            positions: state.primaryPositions, into: isFilling ? decoder.primaryCache : nil)
        guard let secondary = core.secondary else { return }
        try read(
            header.secondaryCache, "secondary_cache", secondary.configuration,
            positions: state.secondaryPositions, into: isFilling ? decoder.secondaryCache : nil)
    }

    private func read(
        _ section: SessionFileSection, _ name: String, _ configuration: ModelConfiguration, positions: Int,
        into cache: KeyValueCache?
    ) throws(SessionFileError) {
        guard section.length > 0 else { return }
        let rowBytes = KeyValueLayout(type: header.keyValueType, headSize: configuration.headSize).rowBytes
        let piece = max(1, SessionFileWriter.pieceBytes / rowBytes)
        let planes = configuration.layerCount * configuration.keyValueHeadCount * 2
        var hash = XXH64()
        var offset = section.offset
        for plane in 0..<planes {
            for first in stride(from: 0, to: positions, by: piece) {
                let rows = first..<min(positions, first + piece)
                let bytes = try reading { () throws(FormatError) in
                    try file.read(at: offset, count: rows.count * rowBytes)
                }
                offset += bytes.count
                unsafe bytes.withUnsafeBytes { raw in
                    unsafe hash.update(raw)
                    if let base = raw.baseAddress {
                        unsafe cache?.setRows(rows, ofPlane: plane, from: base)
                    }
                }
            }
        }
        try check(hash.digest(), of: section, name)
    }

    private func check(_ computed: UInt64, of section: SessionFileSection, _ name: String)
        throws(SessionFileError)
    {
        guard computed == section.checksum else {
            throw .checksumMismatch(
                field: name, offset: section.offset, expected: section.checksum, actual: computed)
        }
    }
}

/// Runs `body`; what the file system refuses becomes an error of the session file.
private func reading<R>(_ body: () throws(FormatError) -> R) throws(SessionFileError) -> R {
    do throws(FormatError) {
        return try body()
    } catch .truncated(let expected, let actual) {
        throw .truncated(expected: expected, actual: actual)
    } catch {
        throw .storage(error)
    }
}
