// SPDX-License-Identifier: Apache-2.0

extension ParsedFile {
    mutating func readTensors(_ table: FileBytes) throws(FormatError) {
        tensors.reserveCapacity(header.tensorCount)
        tensorIndex.reserveCapacity(header.tensorCount)
        for (chunkIndex, chunk) in chunks.enumerated() {
            var cursor = 0
            for index in chunk.tensors {
                let base = index * header.tensorRecordSize
                let tensor = try tensor(table, base, index: index, chunkIndex: chunkIndex, cursor: &cursor)
                guard tensorIndex.updateValue(index, forKey: tensor.name) == nil else {
                    throw .invalidField(
                        name: "tensors[\(index)].name", offset: table.fileOffset + base,
                        reason: "'\(tensor.name)' is used twice")
                }
                tensors.append(tensor)
            }
        }
    }

    private func tensor(
        _ table: FileBytes, _ base: Int, index: Int, chunkIndex: Int, cursor: inout Int
    ) throws(FormatError) -> TensorDescriptor {
        let field = "tensors[\(index)]"
        func invalid(_ member: String, _ at: Int, _ reason: String) -> FormatError {
            .invalidField(name: "\(field).\(member)", offset: table.fileOffset + base + at, reason: reason)
        }
        let name = try recordName(table, at: base, field: field)
        let owner = Int(table.u32(at: base + TensorRecordLayout.chunk))
        guard owner == chunkIndex else {
            throw invalid(
                "chunk", TensorRecordLayout.chunk, "\(owner), but chunk \(chunkIndex) lists this tensor")
        }
        let flags = table.u32(at: base + TensorRecordLayout.flags)
        guard flags == 0 else { throw invalid("flags", TensorRecordLayout.flags, "\(flags), must be 0") }
        if header.versionMinor <= FormatVersion.minor {
            try table.requireZero(
                base + TensorRecordLayout.reserved..<base + TensorRecordLayout.size,
                field: "\(field).reserved")
        }
        let layout = try layout(table, base, field: field)
        let raw = chunks[chunkIndex].rawLength
        let data = try range(
            table, base, field, "data", TensorRecordLayout.dataOffset, expected: layout.dataLength, limit: raw
        )
        let scales = try range(
            table, base, field, "scales", TensorRecordLayout.scalesOffset, expected: layout.scalesLength,
            limit: raw)
        guard data.lowerBound >= cursor else {
            throw invalid(
                "data_offset", TensorRecordLayout.dataOffset,
                "\(data.lowerBound) overlaps the tensor before, which ends at \(cursor)")
        }
        guard layout.scalesLength == 0 ? scales.lowerBound == 0 : scales.lowerBound >= data.upperBound else {
            throw invalid(
                "scales_offset", TensorRecordLayout.scalesOffset,
                layout.scalesLength == 0
                    ? "\(scales.lowerBound), must be 0 without scales"
                    : "\(scales.lowerBound) overlaps the data, which end at \(data.upperBound)")
        }
        cursor = max(data.upperBound, scales.upperBound)
        return TensorDescriptor(
            name: name, layout: layout, chunk: chunkIndex, dataOffset: data.lowerBound,
            scalesOffset: scales.lowerBound)
    }

    private func layout(_ table: FileBytes, _ base: Int, field: String) throws(FormatError) -> TensorLayout {
        let value = table.u32(at: base + TensorRecordLayout.encoding)
        guard let encoding = TensorEncoding(rawValue: value) else {
            throw .invalidField(
                name: "\(field).encoding", offset: table.fileOffset + base + TensorRecordLayout.encoding,
                reason: "\(value) is unknown")
        }
        guard header.requiredFeatures.isSuperset(of: encoding.requiredFeatures) else {
            throw .invalidField(
                name: "\(field).encoding", offset: table.fileOffset + base + TensorRecordLayout.encoding,
                reason: "\(encoding.name) needs a feature that required_features does not announce")
        }
        let rows = try table.length(at: base + TensorRecordLayout.rows, field: "\(field).rows")
        let columns = try table.length(at: base + TensorRecordLayout.columns, field: "\(field).columns")
        let groupSize = Int(table.u32(at: base + TensorRecordLayout.groupSize))
        do throws(FormatError) {
            return try TensorLayout(encoding: encoding, rows: rows, columns: columns, groupSize: groupSize)
        } catch .invalidField(let member, _, let reason) {
            let at =
                switch member {
                case "rows": TensorRecordLayout.rows
                case "columns": TensorRecordLayout.columns
                default: TensorRecordLayout.groupSize
                }
            throw .invalidField(
                name: "\(field).\(member)", offset: table.fileOffset + base + at, reason: reason)
        }
    }

    /// Reads an offset and a length, and checks both against the shape and the chunk.
    private func range(
        _ table: FileBytes, _ base: Int, _ field: String, _ part: String, _ at: Int, expected: Int, limit: Int
    ) throws(FormatError) -> Range<Int> {
        func invalid(_ member: String, _ at: Int, _ reason: String) -> FormatError {
            .invalidField(
                name: "\(field).\(part)_\(member)", offset: table.fileOffset + base + at, reason: reason)
        }
        let offset = try table.length(at: base + at, field: "\(field).\(part)_offset")
        let length = try table.length(at: base + at + 8, field: "\(field).\(part)_length")
        guard length == expected else {
            throw invalid("length", at + 8, "\(length), the shape and encoding need \(expected)")
        }
        guard offset % FormatLimits.sectionAlignment == 0 else {
            throw invalid("offset", at, "\(offset) is not a multiple of \(FormatLimits.sectionAlignment)")
        }
        guard let last = end(offset, length), last <= limit else {
            throw invalid(
                "offset", at, "\(length) bytes at \(offset) do not fit in a chunk of \(limit) bytes")
        }
        return offset..<last
    }
}
