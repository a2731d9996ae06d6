// SPDX-License-Identifier: Apache-2.0

/// Byte offsets in a chunk record (`Formats/tandem-file.md`, "Chunk table").
package enum ChunkRecordLayout {
    package static let nameOffset = 0  // u32, in the string table
    package static let nameLength = 4  // u32
    package static let offset = 8  // u64
    package static let storedLength = 16  // u64
    package static let rawLength = 24  // u64
    package static let checksum = 32  // u64
    package static let codec = 40  // u32
    package static let flags = 44  // u32, 0
    package static let firstTensor = 48  // u32
    package static let tensorCount = 52  // u32
    package static let reserved = 56  // 8 bytes
    package static let size = 64
}

extension ChunkDescriptor {
    func encode(into bytes: inout [UInt8], at base: Int, name: Range<Int>) {
        bytes.store(UInt32(name.lowerBound), at: base + ChunkRecordLayout.nameOffset)
        bytes.store(UInt32(name.count), at: base + ChunkRecordLayout.nameLength)
        bytes.store(UInt64(offset), at: base + ChunkRecordLayout.offset)
        bytes.store(UInt64(storedLength), at: base + ChunkRecordLayout.storedLength)
        bytes.store(UInt64(rawLength), at: base + ChunkRecordLayout.rawLength)
        bytes.store(checksum, at: base + ChunkRecordLayout.checksum)
        bytes.store(codec.rawValue, at: base + ChunkRecordLayout.codec)
        bytes.store(UInt32(tensors.lowerBound), at: base + ChunkRecordLayout.firstTensor)
        bytes.store(UInt32(tensors.count), at: base + ChunkRecordLayout.tensorCount)
    }
}
