// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A regular file, mapped read-only as a whole. The only owner of its mapping, which ends with it.
///
/// Thread safety: immutable; the mapped bytes are never written through it.
@safe final class MappedFile: Sendable {
    let path: String
    let count: Int
    /// The first bytes of the file, read rather than mapped.
    let prefix: [UInt8]
    private let descriptor: FileDescriptor
    nonisolated(unsafe) private let base: UnsafeRawPointer
    private let watcher = Guarded<MappingGuard?>(nil)

    init(path: String) throws(FormatError) {
        let descriptor = try FileDescriptor(opening: path)
        let count = try descriptor.regularFileSize()
        guard count > 0 else { throw .emptyFile(path: path) }
        // Header and tables are read here and there: no reading ahead of what is not wanted.
        posix_fadvise(descriptor.number, 0, 0, POSIX_FADV_RANDOM)
        let prefix = try descriptor.read(at: 0, count: min(count, HeaderLayout.maximumSize))
        let address = unsafe mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor.number, 0)
        guard let address = unsafe address, unsafe address != MAP_FAILED else {
            throw .system(operation: "map", path: path, code: errno)
        }
        self.path = path
        self.count = count
        self.prefix = prefix
        self.descriptor = descriptor
        unsafe base = UnsafeRawPointer(address)
    }

    deinit {
        watcher.withLock { $0 }?.stop()
        unsafe munmap(UnsafeMutableRawPointer(mutating: base), count)
    }

    /// The open file; it stays open as long as this object lives.
    var descriptorNumber: Int32 { descriptor.number }

    /// Keeps the process alive from now on when the file is truncated, where the system can; see ``MappingGuard``.
    /// - Returns: whether it can.
    func watch() -> Bool {
        watcher.withLock { watcher in
            if watcher == nil {
                unsafe watcher = MappingGuard(
                    descriptor: descriptor.number, base: UnsafeMutableRawPointer(mutating: base), count: count
                )
            }
            return watcher != nil
        }
    }

    /// Whether what was read from the mapping until now was the file's.
    ///
    /// - Throws: ``FormatError/fileChanged(path:)``; where the file is not watched, ``FormatError/truncated(expected:actual:)``
    ///   for one that is shorter by now.
    func checkIntact() throws(FormatError) {
        if let watcher = watcher.withLock({ $0 }) {
            if watcher.isBroken { throw .fileChanged(path: path) }
            return
        }
        let size = try descriptor.regularFileSize()
        guard size >= count else { throw .truncated(expected: count, actual: size) }
    }

    /// Asks for large pages, which the file's pages become as they are read from storage, where the system and the file system
    /// have such. Pages that are in the page cache already stay as they are.
    func preferLargePages() {
        unsafe _ = madvise(UnsafeMutableRawPointer(mutating: base), count, Int32(MADV_HUGEPAGE))
    }

    /// Lets the kernel read ahead again, once the tables have been read.
    func endParsing() {
        posix_fadvise(descriptor.number, 0, 0, POSIX_FADV_NORMAL)
    }

    /// The mapped byte at an offset inside the file.
    @unsafe func pointer(at offset: Int) -> UnsafeRawPointer { unsafe base + offset }

    /// The mapped bytes of a range that lies inside the file. They are valid as long as this object is.
    @unsafe func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: base + range.lowerBound, count: range.count)
    }

    /// A copy of a range, read through the descriptor: what is checked cannot change afterwards, and a file
    /// that shrank since it was opened gives an error instead of a signal.
    func read(_ range: Range<Int>) throws(FormatError) -> [UInt8] {
        try descriptor.read(at: range.lowerBound, count: range.count)
    }

    /// Gives the kernel a hint about a range; never fails, because hints have no effect on results.
    func advise(_ advice: MemoryAdvice, _ range: Range<Int>) {
        let pages = advice.pages(of: range, fileSize: count, geometry: .system)
        guard !pages.isEmpty else { return }
        unsafe _ = madvise(
            UnsafeMutableRawPointer(mutating: base + pages.lowerBound), pages.count, advice.flag)
    }
}

/// How a chunk's bytes will be used next.
public enum MemoryAdvice: Sendable {
    case normal
    /// In order: read ahead far, drop behind.
    case sequential
    /// Here and there: do not read ahead.
    case random
    /// Soon: start reading.
    case willNeed
    /// Not soon: pages wholly inside the chunk may be dropped; they are read again when touched.
    case dontNeed

    /// The pages of a file of `fileSize` bytes that a hint about a range concerns.
    package func pages(of range: Range<Int>, fileSize: Int, geometry: PageGeometry) -> Range<Int> {
        if self == .dontNeed { return geometry.inside(range, fileSize: fileSize) }
        return range.isEmpty ? range : geometry.cover(range).clamped(to: 0..<fileSize)
    }

    fileprivate var flag: Int32 {
        switch self {
        case .normal: Int32(MADV_NORMAL)
        case .sequential: Int32(MADV_SEQUENTIAL)
        case .random: Int32(MADV_RANDOM)
        case .willNeed: Int32(MADV_WILLNEED)
        case .dontNeed: Int32(MADV_DONTNEED)
        }
    }
}
