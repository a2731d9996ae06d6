// SPDX-License-Identifier: Apache-2.0

extension ParsedFile {
    /// A record's name in the string table.
    func recordName(
        _ table: FileBytes, at base: Int, field: String
    ) throws(FormatError) -> String {
        let start = Int(table.u32(at: base))
        let length = Int(table.u32(at: base + 4))
        guard start + length <= strings.count else {
            throw .invalidField(
                name: "\(field).name_offset", offset: table.fileOffset + base,
                reason: "\(length) bytes at \(start) do not fit in a string table of \(strings.count) bytes")
        }
        let bytes = strings[start..<start + length]
        guard Validation.isName(bytes) else {
            throw .invalidField(
                name: "\(field).name", offset: table.fileOffset + base,
                reason: "is not 1...\(FormatLimits.maximumNameLength) printable ASCII characters")
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    mutating func readChunks(_ table: FileBytes) throws(FormatError) {
        var names: Set<String> = []
        var nextTensor = 0
        chunks.reserveCapacity(header.chunkCount)
        for index in 0..<header.chunkCount {
            let base = index * header.chunkRecordSize
            let field = "chunks[\(index)]"
            let name = try recordName(table, at: base, field: field)
            guard names.insert(name).inserted else {
                throw .invalidField(
                    name: "\(field).name", offset: table.fileOffset + base, reason: "'\(name)' is used twice")
            }
            chunks.append(try chunk(table, base, field, name, &nextTensor))
        }
        guard nextTensor == header.tensorCount else {
            throw .invalidField(
                name: "header.tensor_count", offset: HeaderLayout.tensorCount,
                reason: "\(header.tensorCount), but the chunks hold \(nextTensor) tensors")
        }
    }

    private func chunk(
        _ table: FileBytes, _ base: Int, _ field: String, _ name: String, _ nextTensor: inout Int
    ) throws(FormatError) -> ChunkDescriptor {
        func invalid(_ member: String, _ at: Int, _ reason: String) -> FormatError {
            .invalidField(name: "\(field).\(member)", offset: table.fileOffset + base + at, reason: reason)
        }
        let codecValue = table.u32(at: base + ChunkRecordLayout.codec)
        guard let codec = ChunkCodec(rawValue: codecValue) else {
            throw invalid("codec", ChunkRecordLayout.codec, "\(codecValue) is unknown")
        }
        guard header.requiredFeatures.isSuperset(of: codec.requiredFeatures) else {
            throw invalid(
                "codec", ChunkRecordLayout.codec,
                "\(codec.name) needs a feature that required_features does not announce")
        }
        let flags = table.u32(at: base + ChunkRecordLayout.flags)
        guard flags == 0 else { throw invalid("flags", ChunkRecordLayout.flags, "\(flags), must be 0") }
        if header.versionMinor <= FormatVersion.minor {
            try table.requireZero(
                base + ChunkRecordLayout.reserved..<base + ChunkRecordLayout.size, field: "\(field).reserved")
        }
        let first = Int(table.u32(at: base + ChunkRecordLayout.firstTensor))
        let count = Int(table.u32(at: base + ChunkRecordLayout.tensorCount))
        guard first == nextTensor else {
            throw invalid("first_tensor", ChunkRecordLayout.firstTensor, "\(first), must be \(nextTensor)")
        }
        guard first + count <= header.tensorCount else {
            throw invalid(
                "tensor_count", ChunkRecordLayout.tensorCount,
                "\(count) tensors from \(first), the file has \(header.tensorCount)")
        }
        nextTensor = first + count
        let offset = try table.length(at: base + ChunkRecordLayout.offset, field: "\(field).offset")
        let stored = try table.length(
            at: base + ChunkRecordLayout.storedLength, field: "\(field).stored_length")
        let raw = try table.length(at: base + ChunkRecordLayout.rawLength, field: "\(field).raw_length")
        guard stored >= 1, let last = end(offset, stored), offset >= header.headerSize,
            last <= header.fileSize
        else {
            throw invalid(
                "offset", ChunkRecordLayout.offset,
                "\(stored) bytes at \(offset) do not fit in a file of \(header.fileSize) bytes")
        }
        let alignment =
            codec == .raw && count > 0 ? FormatLimits.pageAlignment : FormatLimits.sectionAlignment
        guard offset % alignment == 0 else {
            throw invalid("offset", ChunkRecordLayout.offset, "\(offset) is not a multiple of \(alignment)")
        }
        // Bounds what a decoder allocates by what the file holds.
        let possible =
            codec == .raw
            ? raw == stored
            : raw >= 1 && raw / FormatLimits.maximumExpansion <= stored
                && stored - min(stored, raw) <= LZ4Blocks.count(rawLength: raw) * LZ4Blocks.prefixLength
        guard possible else {
            throw invalid(
                "raw_length", ChunkRecordLayout.rawLength, "\(raw) is not possible for \(stored) stored bytes"
            )
        }
        return ChunkDescriptor(
            name: name, offset: offset, storedLength: stored, rawLength: raw, codec: codec,
            checksum: table.u64(at: base + ChunkRecordLayout.checksum), tensors: first..<nextTensor)
    }

    /// No two of header, tables, manifest and chunks may share a byte.
    func checkOverlaps() throws(FormatError) {
        var regions: [(range: Range<Int>, name: String, field: Int)] = [
            (0..<header.headerSize, "header", HeaderLayout.headerSize)
        ]
        func add(_ section: Section, _ name: String, _ field: Int) {
            regions.append((section.offset..<section.offset + section.length, name, field))
        }
        add(header.manifest, "manifest", HeaderLayout.manifest)
        add(header.chunkTable, "chunk_table", HeaderLayout.chunkTable)
        add(header.tensorTable, "tensor_table", HeaderLayout.tensorTable)
        add(header.stringTable, "string_table", HeaderLayout.stringTable)
        for (index, chunk) in chunks.enumerated() {
            let field = header.chunkTable.offset + index * header.chunkRecordSize + ChunkRecordLayout.offset
            regions.append((chunk.offset..<chunk.offset + chunk.storedLength, "chunks[\(index)]", field))
        }
        regions.removeAll { $0.range.isEmpty }
        regions.sort {
            ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
        }
        for (before, after) in zip(regions, regions.dropFirst())
        where after.range.lowerBound < before.range.upperBound {
            throw .invalidField(
                name: "\(after.name).offset", offset: after.field,
                reason: "bytes \(after.range) overlap \(before.name), bytes \(before.range)")
        }
    }
}
