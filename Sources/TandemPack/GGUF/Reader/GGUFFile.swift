// SPDX-License-Identifier: Apache-2.0

/// One tensor of a GGUF file.
package struct GGUFTensor: Sendable, Equatable {
    package let name: String
    package let type: GGMLType
    /// The slowest dimension first, as in PyTorch: [rows, columns] for a matrix. The file has them the other way round.
    package let shape: [Int]
    /// Offset of the first byte in the file.
    package let offset: Int
    /// Bytes.
    package let length: Int

    /// Elements of a row.
    package var columns: Int { shape.last ?? 1 }
}

/// A GGUF file (versions 2 and 3, little-endian) whose metadata and tensor table have been checked completely.
///
/// Accepts what ggml's own reader accepts: the tensors' data lies in the order of the table, each piece padded to the
/// file's alignment, without hole or overlap. In two points it reads more: arrays of arrays, and the element types of
/// newer versions. Whether the data is there is asked for separately, with ``checkData()``: a file may hold nothing but
/// a vocabulary.
///
/// Memory: the metadata, about as large as it is in the file, and the table. The header cannot make it larger.
package struct GGUFFile: Sendable {
    package let file: InputFile
    package let version: UInt32
    /// Bytes that the data of every tensor is padded to.
    package let alignment: Int
    /// In the order of the table, which is that of their bytes.
    package let tensors: [GGUFTensor]
    /// Where the tensors' data ends, its padding included.
    package let dataEnd: Int
    private let values: [String: GGUFValue]

    package var path: String { file.path }

    /// Bytes of a tensor's name.
    package static let nameLimit = 63
    package static let dimensionLimit = 4
    private static let defaultAlignment = 32

    package init(path: String) throws(PackError) {
        let file = try InputFile(path: path)
        var cursor = GGUFCursor(file: file)
        version = try GGUFFile.readVersion(&cursor)
        let tensorCount = try GGUFFile.readCount(&cursor, "tensors", smallest: 24)
        let valueCount = try GGUFFile.readCount(&cursor, "metadata entries", smallest: 13)
        values = try GGUFFile.readValues(&cursor, count: valueCount)
        alignment = try GGUFFile.alignment(values, &cursor)
        var table = GGUFTensorTable(alignment: alignment)
        try table.read(&cursor, count: tensorCount)
        (tensors, dataEnd) = try table.tensors(cursor)
        self.file = file
    }

    /// The value of `key`; nil when there is none.
    package subscript(key: String) -> GGUFValue? { values[key] }

    /// All keys, sorted.
    package var keys: [String] { values.keys.sorted() }

    /// Checks that the file holds the data of all tensors.
    ///
    /// - Throws: ``PackError/gguf(path:issue:)`` with ``GGUFIssue/dataBeyondEnd(tensor:end:size:)``.
    package func checkData() throws(PackError) {
        for tensor in tensors {
            let end = tensor.offset + tensor.length
            let padded = tensor == tensors.last ? dataEnd : end
            guard padded <= file.size else {
                throw .gguf(
                    path: path, issue: .dataBeyondEnd(tensor: tensor.name, end: padded, size: file.size))
            }
        }
    }

    // MARK: Header

    private static func readVersion(_ cursor: inout GGUFCursor) throws(PackError) -> UInt32 {
        let magic = try cursor.bytes(min(4, cursor.remaining), "the header")
        guard magic == Array("GGUF".utf8) else { throw cursor.failure(.notGGUF(magic: magic)) }
        let version = try cursor.integer(UInt32.self, "the version")
        if version != 0, version & 0xFFFF == 0 { throw cursor.failure(.bigEndian(version: version)) }
        guard version == 2 || version == 3 else { throw cursor.failure(.unsupportedVersion(version)) }
        return version
    }

    /// A number of things of which each takes at least `smallest` bytes.
    private static func readCount(
        _ cursor: inout GGUFCursor, _ what: String, smallest: Int
    ) throws(PackError) -> Int {
        let count = try cursor.integer(UInt64.self, "the number of \(what)")
        let limit = cursor.remaining / smallest
        guard count <= UInt64(limit) else {
            throw cursor.failure(.countTooLarge(what: what, count: count, limit: limit))
        }
        return Int(count)
    }

    // MARK: Metadata

    private static func readValues(
        _ cursor: inout GGUFCursor, count: Int
    ) throws(PackError) -> [String: GGUFValue] {
        var values: [String: GGUFValue] = [:]
        for index in 0..<count {
            let offset = cursor.offset
            let bytes = try cursor.text("the key of metadata entry \(index)")
            let key = String(decoding: bytes, as: UTF8.self)
            guard values[key] == nil else { throw cursor.failure(.duplicateKey(key: key, offset: offset)) }
            values[key] = try cursor.value(key: key)
        }
        return values
    }

    private static func alignment(
        _ values: [String: GGUFValue], _ cursor: inout GGUFCursor
    ) throws(PackError) -> Int {
        guard let value = values["general.alignment"] else { return defaultAlignment }
        guard case .integer(let number, .uint32) = value, let alignment = number.intValue, alignment > 0,
            alignment & (alignment - 1) == 0
        else {
            throw cursor.failure(.invalidAlignment(value: value.intValue.map { "\($0)" } ?? "no number"))
        }
        return alignment
    }
}
