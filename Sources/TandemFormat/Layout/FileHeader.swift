// SPDX-License-Identifier: Apache-2.0

/// Byte offsets of the header's fields (`Formats/tandem-file.md`, "Header").
package enum HeaderLayout {
    package static let magic = 0  // 8 bytes
    package static let versionMajor = 8  // u16
    package static let versionMinor = 10  // u16
    package static let headerSize = 12  // u32
    package static let fileSize = 16  // u64
    package static let requiredFeatures = 24  // u64
    package static let optionalFeatures = 32  // u64
    package static let manifest = 40  // section: u64 offset, u64 length, u64 XXH64
    package static let chunkTable = 64  // section
    package static let tensorTable = 88  // section
    package static let stringTable = 112  // section
    package static let chunkRecordSize = 136  // u32
    package static let tensorRecordSize = 140  // u32
    package static let chunkCount = 144  // u32
    package static let tensorCount = 148  // u32
    package static let reserved = 152  // 32 bytes
    package static let checksum = 184  // u64, of all bytes before it; always the header's last 8 bytes
    package static let size = 192

    /// `\x89TNDM\r\n\x1a`: no text, and damaged by every conversion of line ends.
    package static let magicBytes: [UInt8] = [0x89, 0x54, 0x4E, 0x44, 0x4D, 0x0D, 0x0A, 0x1A]
    static let maximumSize = 4096
}

/// A run of bytes in the file with its checksum.
struct Section {
    var offset = 0
    var length = 0
    var checksum: UInt64 = 0
}

/// The fixed structure at offset 0.
struct FileHeader {
    var versionMinor = 0
    var headerSize = HeaderLayout.size
    var fileSize = 0
    var requiredFeatures: FormatFeatures = []
    var optionalFeatures: UInt64 = 0
    var manifest = Section()
    var chunkTable = Section()
    var tensorTable = Section()
    var stringTable = Section()
    var chunkRecordSize = ChunkRecordLayout.size
    var tensorRecordSize = TensorRecordLayout.size
    var chunkCount = 0
    var tensorCount = 0
    /// XXH64 of the header before it. The header holds the checksums of the tables and these hold those of the chunks, so it
    /// stands for the whole file. 0 until it was read.
    var checksum: UInt64 = 0

    func encoded() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: HeaderLayout.size)
        bytes.replaceSubrange(0..<8, with: HeaderLayout.magicBytes)
        bytes.store(UInt16(FormatVersion.major), at: HeaderLayout.versionMajor)
        let minor = requiredFeatures.isEmpty ? 0 : FormatVersion.minor
        bytes.store(UInt16(minor), at: HeaderLayout.versionMinor)
        bytes.store(UInt32(HeaderLayout.size), at: HeaderLayout.headerSize)
        bytes.store(UInt64(fileSize), at: HeaderLayout.fileSize)
        bytes.store(requiredFeatures.rawValue, at: HeaderLayout.requiredFeatures)
        let sections = [
            (HeaderLayout.manifest, manifest), (HeaderLayout.chunkTable, chunkTable),
            (HeaderLayout.tensorTable, tensorTable), (HeaderLayout.stringTable, stringTable),
        ]
        for (at, section) in sections {
            bytes.store(UInt64(section.offset), at: at)
            bytes.store(UInt64(section.length), at: at + 8)
            bytes.store(section.checksum, at: at + 16)
        }
        bytes.store(UInt32(chunkRecordSize), at: HeaderLayout.chunkRecordSize)
        bytes.store(UInt32(tensorRecordSize), at: HeaderLayout.tensorRecordSize)
        bytes.store(UInt32(chunkCount), at: HeaderLayout.chunkCount)
        bytes.store(UInt32(tensorCount), at: HeaderLayout.tensorCount)
        bytes.store(XXH64.hash(Array(bytes[0..<HeaderLayout.checksum])), at: HeaderLayout.checksum)
        return bytes
    }
}
