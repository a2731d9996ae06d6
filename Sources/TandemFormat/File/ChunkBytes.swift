// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The raw bytes of one chunk: in place in the mapping, or decompressed into memory of their own.
///
/// Keeps what it points into alive. Thread safety: immutable.
@safe public final class ChunkBytes: Sendable {
    private enum Owner: Sendable {
        case mapping(MappedFile)
        case memory(AlignedMemory)
    }

    private let owner: Owner
    nonisolated(unsafe) private let base: UnsafeRawPointer

    /// Bytes of the chunk.
    public let count: Int

    /// True when the bytes are the file's own pages, false when they were decompressed.
    public var isMapped: Bool {
        if case .mapping = owner { true } else { false }
    }

    /// The first byte, at an address that is a multiple of 64; valid as long as this object lives.
    @unsafe public var baseAddress: UnsafeRawPointer { unsafe base }

    /// Calls `body` with the bytes.
    public func withUnsafeBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        try unsafe body(UnsafeRawBufferPointer(start: base, count: count))
    }

    /// A copy of the bytes.
    public func copy() -> [UInt8] { unsafe withUnsafeBytes { unsafe Array($0) } }

    init(mapping file: MappedFile, range: Range<Int>) {
        owner = .mapping(file)
        count = range.count
        unsafe base = file.pointer(at: range.lowerBound)
    }

    init(memory: AlignedMemory) {
        owner = .memory(memory)
        count = memory.count
        unsafe base = UnsafeRawPointer(memory.base)
    }
}

/// Heap memory aligned to 64 bytes; the only owner of it.
@safe final class AlignedMemory: Sendable {
    let count: Int
    nonisolated(unsafe) let base: UnsafeMutableRawPointer

    init(count: Int, purpose: String) throws(FormatError) {
        var pointer: UnsafeMutableRawPointer?
        let size = max(count, FormatLimits.sectionAlignment)
        guard unsafe posix_memalign(&pointer, FormatLimits.sectionAlignment, size) == 0,
            let pointer = unsafe pointer
        else { throw .outOfMemory(bytes: count, purpose: purpose) }
        self.count = count
        unsafe base = pointer
    }

    deinit { unsafe free(base) }

    var buffer: UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(start: base, count: count)
    }
}
