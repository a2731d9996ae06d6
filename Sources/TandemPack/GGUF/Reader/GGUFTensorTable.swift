// SPDX-License-Identifier: Apache-2.0

/// The entries of a GGUF file's tensor table, before the place of the data is known.
struct GGUFTensorTable {
    private struct Entry {
        let name: String
        let type: GGMLType
        let shape: [Int]
        let length: Int
        /// From the start of the data.
        let dataOffset: UInt64
        /// Where the offset stands in the file.
        let offset: Int
    }

    private let alignment: Int
    private var entries: [Entry] = []

    init(alignment: Int) { self.alignment = alignment }

    mutating func read(_ cursor: inout GGUFCursor, count: Int) throws(PackError) {
        var names: Set<String> = []
        for index in 0..<count {
            let start = cursor.offset
            let name = try GGUFTensorTable.readName(&cursor, index: index)
            guard names.insert(name).inserted else {
                throw cursor.failure(.duplicateTensor(tensor: name, offset: start))
            }
            entries.append(try GGUFTensorTable.readEntry(&cursor, name: name))
        }
    }

    /// The tensors with their places, and the end of the data. `cursor` stands behind the table.
    func tensors(_ cursor: GGUFCursor) throws(PackError) -> (tensors: [GGUFTensor], end: Int) {
        guard let start = padded(cursor.offset) else { throw cursor.failure(.sizeOverflow(tensor: "")) }
        var position = 0
        var tensors: [GGUFTensor] = []
        tensors.reserveCapacity(entries.count)
        for entry in entries {
            guard entry.dataOffset == UInt64(position) else {
                throw cursor.failure(
                    .wrongDataOffset(
                        tensor: entry.name, offset: entry.offset, found: entry.dataOffset, expected: position)
                )
            }
            let end = padded(entry.length).map { position.addingReportingOverflow($0) }
            guard let end, !end.overflow, !start.addingReportingOverflow(end.partialValue).overflow else {
                throw cursor.failure(.sizeOverflow(tensor: entry.name))
            }
            tensors.append(
                GGUFTensor(
                    name: entry.name, type: entry.type, shape: entry.shape, offset: start + position,
                    length: entry.length))
            position = end.partialValue
        }
        return (tensors, start + position)
    }

    /// The next multiple of the alignment; nil when it does not fit.
    private func padded(_ size: Int) -> Int? {
        let (sum, overflow) = size.addingReportingOverflow(alignment - 1)
        return overflow ? nil : sum & ~(alignment - 1)
    }

    // MARK: Entries

    private static func readName(_ cursor: inout GGUFCursor, index: Int) throws(PackError) -> String {
        let start = cursor.offset
        func invalid(_ reason: String) -> PackError {
            .gguf(path: cursor.file.path, issue: .invalidName(tensor: index, offset: start, reason: reason))
        }
        let bytes = try cursor.text("the name of tensor \(index)")
        guard bytes.count <= GGUFFile.nameLimit else {
            throw invalid("has \(bytes.count) bytes; at most \(GGUFFile.nameLimit) are allowed")
        }
        guard let name = String(validating: bytes, as: UTF8.self) else {
            throw invalid("is not valid UTF-8")
        }
        return name
    }

    private static func readEntry(_ cursor: inout GGUFCursor, name: String) throws(PackError) -> Entry {
        let field = "the description of tensor '\(name)'"
        let shape = try readShape(&cursor, name: name, field: field)
        let typeOffset = cursor.offset
        let number = try cursor.integer(UInt32.self, field)
        guard let type = GGMLType(number: number) else {
            throw cursor.failure(.unknownTensorType(tensor: name, offset: typeOffset, type: number))
        }
        let columns = shape.last ?? 1
        guard columns % type.blockSize == 0 else {
            throw cursor.failure(
                .unevenRow(tensor: name, columns: columns, type: type.name, block: type.blockSize))
        }
        var length = columns / type.blockSize
        for factor in shape.dropLast() + [type.blockLength] {
            let (product, overflow) = length.multipliedReportingOverflow(by: factor)
            guard !overflow else { throw cursor.failure(.sizeOverflow(tensor: name)) }
            length = product
        }
        let offset = cursor.offset
        let dataOffset = try cursor.integer(UInt64.self, field)
        return Entry(
            name: name, type: type, shape: shape, length: length, dataOffset: dataOffset, offset: offset)
    }

    /// The dimensions, slowest first; their product fits.
    private static func readShape(
        _ cursor: inout GGUFCursor, name: String, field: String
    ) throws(PackError) -> [Int] {
        let start = cursor.offset
        let count = try cursor.integer(UInt32.self, field)
        guard count <= GGUFFile.dimensionLimit else {
            throw cursor.failure(.tooManyDimensions(tensor: name, offset: start, count: count))
        }
        var shape: [Int] = []
        var elements = 1
        for dimension in 0..<Int(count) {
            let offset = cursor.offset
            let size = Int64(bitPattern: try cursor.integer(UInt64.self, field))
            guard size > 0 else {
                throw cursor.failure(
                    .invalidDimension(tensor: name, offset: offset, dimension: dimension, size: size))
            }
            let (product, overflow) = elements.multipliedReportingOverflow(by: Int(size))
            guard !overflow else { throw cursor.failure(.sizeOverflow(tensor: name)) }
            elements = product
            shape.insert(Int(size), at: 0)
        }
        return shape
    }
}
