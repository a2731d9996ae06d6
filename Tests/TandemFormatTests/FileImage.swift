// SPDX-License-Identifier: Apache-2.0

import TandemFormat

/// The bytes of a file whose fields can be changed and whose checksums can be made to fit again.
struct FileImage {
    var bytes: [UInt8]

    static let sections = [
        HeaderLayout.manifest, HeaderLayout.chunkTable, HeaderLayout.tensorTable, HeaderLayout.stringTable,
    ]

    func integer(at offset: Int, size: Int) -> UInt64 {
        (0..<size).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
    }

    mutating func store(_ value: UInt64, at offset: Int, size: Int) {
        for index in 0..<size {
            bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
        }
    }

    /// The bytes of a section, as far as they lie inside the file.
    func range(ofSection at: Int) -> Range<Int> {
        let count = UInt64(bytes.count)
        let offset = min(integer(at: at, size: 8), count)
        let length = min(integer(at: at + 8, size: 8), count - offset)
        return Int(offset)..<Int(offset + length)
    }

    /// Makes every checksum fit what is there, chunks included.
    mutating func repair() {
        let table = range(ofSection: HeaderLayout.chunkTable)
        for base in stride(from: table.lowerBound, to: table.upperBound - 63, by: 64) {
            let count = UInt64(bytes.count)
            let offset = min(integer(at: base + ChunkRecordLayout.offset, size: 8), count)
            let length = min(integer(at: base + ChunkRecordLayout.storedLength, size: 8), count - offset)
            let stored = Array(bytes[Int(offset)..<Int(offset + length)])
            store(XXH64.hash(stored), at: base + ChunkRecordLayout.checksum, size: 8)
        }
        for at in Self.sections {
            store(XXH64.hash(Array(bytes[range(ofSection: at)])), at: at + 16, size: 8)
        }
        store(XXH64.hash(Array(bytes[0..<HeaderLayout.checksum])), at: HeaderLayout.checksum, size: 8)
    }

    /// Every integer field of the header and the tables: its offset and size.
    var fields: [(offset: Int, size: Int)] {
        var fields: [(Int, Int)] = [(8, 2), (10, 2), (12, 4)]
        fields += stride(from: 16, to: 136, by: 8).map { ($0, 8) }
        fields += stride(from: 136, to: 152, by: 4).map { ($0, 4) }
        fields += stride(from: 152, to: 184, by: 8).map { ($0, 8) }
        for base in stride(
            from: range(ofSection: HeaderLayout.chunkTable).lowerBound,
            to: range(ofSection: HeaderLayout.chunkTable).upperBound, by: 64)
        {
            fields += [(0, 4), (4, 4), (40, 4), (44, 4), (48, 4), (52, 4)].map { (base + $0.0, $0.1) }
            fields += [8, 16, 24, 56].map { (base + $0, 8) }
        }
        for base in stride(
            from: range(ofSection: HeaderLayout.tensorTable).lowerBound,
            to: range(ofSection: HeaderLayout.tensorTable).upperBound, by: 96)
        {
            fields += [(0, 4), (4, 4), (8, 4), (12, 4), (64, 4), (68, 4)].map { (base + $0.0, $0.1) }
            fields += stride(from: 16, to: 64, by: 8).map { (base + $0, 8) }
            fields += [72, 80, 88].map { (base + $0, 8) }
        }
        return fields
    }
}
