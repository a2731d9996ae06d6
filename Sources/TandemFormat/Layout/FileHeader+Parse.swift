// SPDX-License-Identifier: Apache-2.0

extension FileHeader {
    /// Reads and checks the header.
    ///
    /// - Parameters:
    ///   - prefix: the first bytes of the file, up to 4096.
    ///   - actualSize: the file's size.
    ///   - path: named when the file is of another kind.
    init(prefix: [UInt8], actualSize: Int, path: String) throws(FormatError) {
        let magic = HeaderLayout.magicBytes
        guard Array(prefix.prefix(8)) == Array(magic.prefix(prefix.count)) else {
            throw .notTandem(path: path, looksLike: FileKind.guess(prefix))
        }
        guard prefix.count >= HeaderLayout.size else {
            throw .truncated(expected: HeaderLayout.size, actual: actualSize)
        }
        let bytes = FileBytes(bytes: prefix, fileOffset: 0)
        let major = Int(bytes.u16(at: HeaderLayout.versionMajor))
        versionMinor = Int(bytes.u16(at: HeaderLayout.versionMinor))
        guard major == FormatVersion.major else {
            throw .unsupportedVersion(major: major, minor: versionMinor)
        }
        headerSize = Int(bytes.u32(at: HeaderLayout.headerSize))
        guard headerSize >= HeaderLayout.size, headerSize <= HeaderLayout.maximumSize, headerSize % 8 == 0
        else {
            throw .invalidField(
                name: "header.header_size", offset: HeaderLayout.headerSize,
                reason:
                    "\(headerSize) is not a multiple of 8 in "
                    + "\(HeaderLayout.size)...\(HeaderLayout.maximumSize)"
            )
        }
        guard prefix.count >= headerSize else { throw .truncated(expected: headerSize, actual: actualSize) }
        let at = headerSize - 8
        let (stored, computed) = (bytes.u64(at: at), XXH64.hash(Array(prefix[0..<at])))
        guard stored == computed else {
            throw .checksumMismatch(field: "header", offset: at, expected: stored, actual: computed)
        }
        checksum = stored
        try readFields(bytes, actualSize: actualSize)
    }

    private mutating func readFields(_ bytes: FileBytes, actualSize: Int) throws(FormatError) {
        requiredFeatures = FormatFeatures(rawValue: bytes.u64(at: HeaderLayout.requiredFeatures))
        let unknown = requiredFeatures.subtracting(.known)
        guard unknown.isEmpty else {
            throw .unsupportedFeatures(bits: unknown.rawValue, offset: HeaderLayout.requiredFeatures)
        }
        optionalFeatures = bytes.u64(at: HeaderLayout.optionalFeatures)
        fileSize = try bytes.length(at: HeaderLayout.fileSize, field: "header.file_size")
        guard fileSize <= actualSize else { throw .truncated(expected: fileSize, actual: actualSize) }
        guard fileSize == actualSize else {
            throw .invalidField(
                name: "header.file_size", offset: HeaderLayout.fileSize,
                reason: "\(fileSize), but the file has \(actualSize) bytes")
        }
        if versionMinor <= FormatVersion.minor {
            try bytes.requireZero(HeaderLayout.reserved..<headerSize - 8, field: "header.reserved")
        }
        chunkRecordSize = try recordSize(bytes, HeaderLayout.chunkRecordSize, "chunk", ChunkRecordLayout.size)
        tensorRecordSize = try recordSize(
            bytes, HeaderLayout.tensorRecordSize, "tensor", TensorRecordLayout.size)
        chunkCount = try count(bytes, HeaderLayout.chunkCount, "chunk")
        tensorCount = try count(bytes, HeaderLayout.tensorCount, "tensor")
        let text = FormatLimits.maximumTextLength
        manifest = try section(bytes, HeaderLayout.manifest, "manifest", lengths: 2...text)
        stringTable = try section(bytes, HeaderLayout.stringTable, "string_table", lengths: 0...text)
        let chunkBytes = chunkCount * chunkRecordSize
        chunkTable = try section(
            bytes, HeaderLayout.chunkTable, "chunk_table", lengths: chunkBytes...chunkBytes)
        let tensorBytes = tensorCount * tensorRecordSize
        tensorTable = try section(
            bytes, HeaderLayout.tensorTable, "tensor_table", lengths: tensorBytes...tensorBytes)
    }

    private func recordSize(
        _ bytes: FileBytes, _ at: Int, _ kind: String, _ least: Int
    ) throws(FormatError) -> Int {
        let value = Int(bytes.u32(at: at))
        let exact = versionMinor <= FormatVersion.minor
        guard value >= least, value <= 4096, value % 8 == 0, !exact || value == least else {
            throw .invalidField(
                name: "header.\(kind)_record_size", offset: at,
                reason:
                    "\(value), records of version 1.\(versionMinor) have "
                    + "\(exact ? "" : "at least ")\(least) bytes"
            )
        }
        return value
    }

    private func count(_ bytes: FileBytes, _ at: Int, _ kind: String) throws(FormatError) -> Int {
        let value = Int(bytes.u32(at: at))
        guard value <= FormatLimits.maximumRecords else {
            throw .invalidField(
                name: "header.\(kind)_count", offset: at,
                reason: "\(value), the limit is \(FormatLimits.maximumRecords)")
        }
        return value
    }

    private func section(
        _ bytes: FileBytes, _ at: Int, _ name: String, lengths: ClosedRange<Int>
    ) throws(FormatError) -> Section {
        let offset = try bytes.length(at: at, field: "header.\(name)_offset")
        let length = try bytes.length(at: at + 8, field: "header.\(name)_length")
        guard lengths.contains(length) else {
            let allowed = lengths.count == 1 ? "must be \(lengths.lowerBound)" : "must be in \(lengths)"
            throw .invalidField(name: "header.\(name)_length", offset: at + 8, reason: "\(length) \(allowed)")
        }
        guard offset >= headerSize, offset % FormatLimits.sectionAlignment == 0 else {
            throw .invalidField(
                name: "header.\(name)_offset", offset: at,
                reason: "\(offset) is inside the header or not a multiple of \(FormatLimits.sectionAlignment)"
            )
        }
        guard let last = end(offset, length), last <= fileSize else {
            throw .invalidField(
                name: "header.\(name)_offset", offset: at,
                reason: "\(length) bytes at \(offset) do not fit in a file of \(fileSize) bytes")
        }
        return Section(offset: offset, length: length, checksum: bytes.u64(at: at + 16))
    }
}
