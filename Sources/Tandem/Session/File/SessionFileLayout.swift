// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat

/// Byte offsets of the header's fields (`Formats/session-file.md`, "Header").
package enum SessionFileLayout {
    package static let magic = 0  // 8 bytes
    package static let versionMajor = 8  // u16
    package static let versionMinor = 10  // u16
    package static let headerSize = 12  // u32
    package static let fileSize = 16  // u64
    package static let model = 24  // u64
    package static let keyValueType = 32  // u32
    package static let lead = 36  // u32
    package static let secondary = 40  // u32
    package static let ropeStage = 44  // u32
    package static let tokenCount = 48  // u64
    package static let secondaryPositions = 56  // u64
    package static let tokens = 64  // section: u64 offset, u64 length, u64 XXH64
    package static let primaryCache = 88  // section
    package static let secondaryCache = 112  // section
    package static let reserved = 136  // 48 bytes
    package static let checksum = 184  // u64, of all bytes before it
    package static let size = 192

    /// `\x89TNDS\r\n\x1a`: no text, and damaged by every conversion of line ends.
    package static let magicBytes: [UInt8] = [0x89, 0x54, 0x4E, 0x44, 0x53, 0x0D, 0x0A, 0x1A]
    package static let major = 1
    /// The newest minor version; each file has the oldest one that knows what is in it.
    package static let minor = 1
    package static let alignment = 64
}

/// A run of bytes of a session file with its checksum; all zero when there is none.
struct SessionFileSection: Equatable {
    var offset = 0
    var length = 0
    var checksum: UInt64 = 0

    var end: Int { offset + length }
}

/// What a session file says of a session, and where its parts are.
struct SessionFileHeader: Equatable {
    /// Fingerprint of the model's file.
    var model: UInt64
    var keyValueType: KeyValueType
    var state: Decoder.State
    var tokens = SessionFileSection()
    var primaryCache = SessionFileSection()
    var secondaryCache = SessionFileSection()

    /// Bytes of the whole file.
    var fileSize: Int {
        max(SessionFileLayout.size, tokens.end, primaryCache.end, secondaryCache.end)
    }

    /// Offsets and lengths of the sections: they follow from the state and the model's shape. Checksums stay 0.
    ///
    /// - Precondition: the state's positions fit the decoder's context.
    mutating func place(in core: ModelCore) {
        var end = SessionFileLayout.size
        func next(_ length: Int) -> SessionFileSection {
            guard length > 0 else { return SessionFileSection() }
            let offset = (end + SessionFileLayout.alignment - 1) & ~(SessionFileLayout.alignment - 1)
            end = offset + length
            return SessionFileSection(offset: offset, length: length)
        }
        func cacheBytes(_ configuration: ModelConfiguration?, _ positions: Int) -> Int {
            guard let configuration else { return 0 }
            let layout = KeyValueLayout(type: keyValueType, headSize: configuration.headSize)
            return byteProduct(
                positions, 2 * configuration.layerCount, configuration.keyValueHeadCount, layout.rowBytes)
                ?? .max / 8
        }
        tokens = next(4 * state.tokenCount)
        primaryCache = next(cacheBytes(core.primary.configuration, state.primaryPositions))
        secondaryCache = next(cacheBytes(core.secondary?.configuration, state.secondaryPositions))
    }

    func encoded() -> [UInt8] {
        typealias Layout = SessionFileLayout
        var bytes = [UInt8](repeating: 0, count: Layout.size)
        bytes.replaceSubrange(0..<8, with: Layout.magicBytes)
        bytes.store(UInt16(Layout.major), at: Layout.versionMajor)
        bytes.store(UInt16(keyValueType.sessionFileMinor), at: Layout.versionMinor)
        bytes.store(UInt32(Layout.size), at: Layout.headerSize)
        bytes.store(UInt64(fileSize), at: Layout.fileSize)
        bytes.store(model, at: Layout.model)
        bytes.store(keyValueType.sessionFileCode, at: Layout.keyValueType)
        bytes.store(UInt32(state.lead == .primary ? 0 : 1), at: Layout.lead)
        bytes.store(state.secondaryContent.sessionFileCode, at: Layout.secondary)
        bytes.store(UInt32(state.ropeStage), at: Layout.ropeStage)
        bytes.store(UInt64(state.tokenCount), at: Layout.tokenCount)
        bytes.store(UInt64(state.secondaryPositions), at: Layout.secondaryPositions)
        let sections = [
            (Layout.tokens, tokens), (Layout.primaryCache, primaryCache),
            (Layout.secondaryCache, secondaryCache),
        ]
        for (at, section) in sections {
            bytes.store(UInt64(section.offset), at: at)
            bytes.store(UInt64(section.length), at: at + 8)
            bytes.store(section.checksum, at: at + 16)
        }
        bytes.store(XXH64.hash(Array(bytes[..<Layout.checksum])), at: Layout.checksum)
        return bytes
    }
}

extension KeyValueType {
    /// By the numbers that session files give them.
    static let sessionFileOrder: [KeyValueType] = [.f32, .f16, .int8]

    fileprivate var sessionFileCode: UInt32 { UInt32(Self.sessionFileOrder.firstIndex(of: self) ?? 0) }

    /// The oldest minor version that knows the type.
    var sessionFileMinor: Int { self == .int8 ? 1 : 0 }
}

extension Decoder.SecondaryContent {
    fileprivate var sessionFileCode: UInt32 {
        switch self {
        case .nothing: 0
        case .derived: 1
        case .own: 2
        }
    }
}
