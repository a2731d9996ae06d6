// SPDX-License-Identifier: Apache-2.0

/// Byte offsets in a tensor record (`Formats/tandem-file.md`, "Tensor table").
package enum TensorRecordLayout {
    package static let nameOffset = 0  // u32, in the string table
    package static let nameLength = 4  // u32
    package static let encoding = 8  // u32
    package static let chunk = 12  // u32
    package static let rows = 16  // u64
    package static let columns = 24  // u64
    package static let dataOffset = 32  // u64, in the chunk's raw bytes
    package static let dataLength = 40  // u64
    package static let scalesOffset = 48  // u64, in the chunk's raw bytes
    package static let scalesLength = 56  // u64
    package static let groupSize = 64  // u32
    package static let flags = 68  // u32, 0
    package static let reserved = 72  // 24 bytes
    package static let size = 96
}

extension TensorDescriptor {
    func encode(into bytes: inout [UInt8], at base: Int, name: Range<Int>) {
        bytes.store(UInt32(name.lowerBound), at: base + TensorRecordLayout.nameOffset)
        bytes.store(UInt32(name.count), at: base + TensorRecordLayout.nameLength)
        bytes.store(encoding.rawValue, at: base + TensorRecordLayout.encoding)
        bytes.store(UInt32(chunk), at: base + TensorRecordLayout.chunk)
        bytes.store(UInt64(rows), at: base + TensorRecordLayout.rows)
        bytes.store(UInt64(columns), at: base + TensorRecordLayout.columns)
        bytes.store(UInt64(dataOffset), at: base + TensorRecordLayout.dataOffset)
        bytes.store(UInt64(dataLength), at: base + TensorRecordLayout.dataLength)
        bytes.store(UInt64(scalesOffset), at: base + TensorRecordLayout.scalesOffset)
        bytes.store(UInt64(scalesLength), at: base + TensorRecordLayout.scalesLength)
        bytes.store(UInt32(groupSize), at: base + TensorRecordLayout.groupSize)
    }
}
