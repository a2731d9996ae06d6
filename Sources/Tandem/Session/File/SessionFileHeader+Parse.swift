// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat

extension SessionFileHeader {
    /// Reads and checks the header of a file that is to be restored into `decoder`.
    ///
    /// Everything the file says of its own sizes has to be what its state, the model and the session make of it: nothing that
    /// a hostile file says is used before.
    init(_ prefix: [UInt8], path: String, actualSize: Int, decoder: Decoder) throws(SessionFileError) {
        typealias Layout = SessionFileLayout
        guard prefix.prefix(8).elementsEqual(Layout.magicBytes.prefix(prefix.count)) else {
            throw .notSessionFile(path: path)
        }
        guard prefix.count >= Layout.size else {
            throw .truncated(expected: Layout.size, actual: actualSize)
        }
        let bytes = FileBytes(bytes: prefix, fileOffset: 0)
        let version = (
            Int(bytes.u16(at: Layout.versionMajor)), Int(bytes.u16(at: Layout.versionMinor))
        )
        guard version.0 == Layout.major, version.1 <= Layout.minor else {
            throw .unsupportedVersion(major: version.0, minor: version.1)
        }
        let checksum = XXH64.hash(Array(prefix[..<Layout.checksum]))
        let stored = bytes.u64(at: Layout.checksum)
        guard stored == checksum else {
            throw .checksumMismatch(
                field: "header", offset: Layout.checksum, expected: stored, actual: checksum)
        }
        let fields = SessionFileFields(bytes: bytes)
        try fields.require("header_size", Layout.headerSize, bytes.u32(at: Layout.headerSize) == Layout.size)
        for offset in Layout.reserved..<Layout.checksum {
            try fields.require("reserved", offset, prefix[offset] == 0)
        }
        model = bytes.u64(at: Layout.model)
        guard model == decoder.core.file.fingerprint else {
            throw .otherModel(saved: model, loaded: decoder.core.file.fingerprint)
        }
        let types = KeyValueType.sessionFileOrder.filter { $0.sessionFileMinor <= version.1 }
        keyValueType = try fields.choice("key_value_type", Layout.keyValueType, types)
        guard keyValueType == decoder.keyValueType else {
            throw .otherKeyValueType(saved: keyValueType, session: decoder.keyValueType)
        }
        state = try fields.state(decoder: decoder)
        place(in: decoder.core)
        try readSections(fields)
        let size = bytes.u64(at: Layout.fileSize)
        try fields.require(
            "file_size", Layout.fileSize, size == UInt64(fileSize),
            "\(size), but the sections end at \(fileSize)")
        guard actualSize >= fileSize else { throw .truncated(expected: fileSize, actual: actualSize) }
        try fields.require(
            "file_size", Layout.fileSize, actualSize == fileSize,
            "\(fileSize), but the file has \(actualSize) bytes")
    }

    private mutating func readSections(_ fields: SessionFileFields) throws(SessionFileError) {
        typealias Layout = SessionFileLayout
        tokens.checksum = try fields.checksum(of: tokens, "tokens", Layout.tokens)
        primaryCache.checksum = try fields.checksum(of: primaryCache, "primary_cache", Layout.primaryCache)
        secondaryCache.checksum = try fields.checksum(
            of: secondaryCache, "secondary_cache", Layout.secondaryCache)
    }
}

/// The fields of a header whose checksum is right.
private struct SessionFileFields {
    let bytes: FileBytes

    func require(
        _ name: String, _ offset: Int, _ isAllowed: Bool, _ reason: @autoclosure () -> String? = nil
    ) throws(SessionFileError) {
        if isAllowed { return }
        let value = bytes.bytes[offset]
        throw .invalidField(
            name: "header.\(name)", offset: offset,
            reason: reason() ?? "the value (first byte \(value)) is not allowed there")
    }

    /// One of a few values, by their numbers.
    func choice<T>(_ name: String, _ offset: Int, _ values: [T]) throws(SessionFileError) -> T {
        let value = bytes.u32(at: offset)
        try require(name, offset, value < values.count, "\(value) is not in 0 ... \(values.count - 1)")
        return values[Int(value)]
    }

    /// What the caches hold, as far as the model and the session can hold it.
    func state(decoder: Decoder) throws(SessionFileError) -> Decoder.State {
        typealias Layout = SessionFileLayout
        let core = decoder.core
        var state = Decoder.State()
        state.lead = try choice("lead", Layout.lead, [.primary, .secondary])
        let content = bytes.u32(at: Layout.secondary)
        let ropeStage = bytes.u32(at: Layout.ropeStage)
        try require(
            "rope_stage", Layout.ropeStage, ropeStage <= core.ropeLimits.count,
            "\(ropeStage), but the model has \(core.ropeLimits.count) limits")
        state.ropeStage = Int(ropeStage)
        let count = bytes.u64(at: Layout.tokenCount)
        guard count <= UInt64(decoder.contextSize) else {
            throw .contextTooSmall(tokens: Int(clamping: count), contextSize: decoder.contextSize)
        }
        state.tokenCount = Int(count)
        let positions = bytes.u64(at: Layout.secondaryPositions)
        try require(
            "secondary_positions", Layout.secondaryPositions, positions <= count,
            "\(positions), but there are \(count) tokens")
        switch content {
        case 0: state.secondaryContent = .nothing
        case 1: state.secondaryContent = .derived
        default: state.secondaryContent = .own(length: Int(positions))
        }
        let isPossible =
            switch content {
            case 0: state.lead == .primary
            case 1: state.lead == .primary && !core.projections.isEmpty
            case 2: core.secondary != nil && (state.lead == .primary || positions == count)
            default: false
            }
        try require(
            "secondary", Layout.secondary, isPossible,
            "\(content) is not what this model writes where \(state.lead.rawValue) leads")
        try require(
            "secondary_positions", Layout.secondaryPositions, positions == UInt64(state.secondaryPositions),
            "\(positions), but there have to be \(state.secondaryPositions)")
        return state
    }

    /// The checksum of a section that has to be where it belongs.
    func checksum(of section: SessionFileSection, _ name: String, _ at: Int) throws(SessionFileError)
        -> UInt64
    {
        let (offset, length) = (bytes.u64(at: at), bytes.u64(at: at + 8))
        try require(
            "\(name)_offset", at, offset == UInt64(section.offset), "\(offset), but must be \(section.offset)"
        )
        try require(
            "\(name)_length", at + 8, length == UInt64(section.length),
            "\(length), but must be \(section.length)")
        let checksum = bytes.u64(at: at + 16)
        try require(
            "\(name)_checksum", at + 16, section.length > 0 || checksum == 0, "not 0, but there is no section"
        )
        return checksum
    }
}
