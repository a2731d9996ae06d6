// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The one owner of an anonymous, zero-filled, page-aligned block of memory.
///
/// Pages that are never written cost nothing, so a cache sized for the whole context may be reserved at once.
/// The memory returns to the system when the last reference goes.
///
/// Thread safety: the class only owns; whoever reads and writes through `base` keeps order among threads.
@safe
final class AlignedBuffer: @unchecked Sendable {
    /// First byte; aligned to a page.
    let base: UnsafeMutableRawPointer
    /// Usable bytes.
    let byteCount: Int

    /// Reserves `byteCount` bytes (at least one page).
    /// - Parameter isSparse: what is never written must cost nothing even where the system gives out huge pages.
    /// - Throws: ``TandemError/outOfMemory(requestedBytes:purpose:)`` when the system refuses.
    init(byteCount: Int, purpose: String, isSparse: Bool = false) throws(TandemError) {
        let size = max(byteCount, 1)
        let protection = PROT_READ | PROT_WRITE
        let flags = MAP_PRIVATE | MAP_ANONYMOUS
        let mapped = unsafe mmap(nil, size, protection, flags, -1, 0)
        guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else {
            throw .outOfMemory(requestedBytes: size, purpose: purpose)
        }
        if isSparse { unsafe _ = madvise(mapped, size, Int32(MADV_NOHUGEPAGE)) }
        unsafe self.base = mapped
        self.byteCount = size
    }

    deinit {
        unsafe munmap(base, byteCount)
    }

    /// Gives the pages back to the system; the bytes are zero when they are looked at next.
    func discard() { discard(from: 0) }

    /// Gives back the pages from `offset` on, the start of a page.
    func discard(from offset: Int) {
        guard offset < byteCount else { return }
        unsafe _ = madvise(base + offset, byteCount - offset, Int32(MADV_DONTNEED))
    }

    /// The block seen as elements of a trivial type.
    func pointer<T: BitwiseCopyable>(to type: T.Type, offset: Int = 0) -> UnsafeMutablePointer<T> {
        unsafe (base + offset).assumingMemoryBound(to: T.self)
    }
}

/// `count * stride` bytes, or `nil` when the product does not fit an `Int`.
func byteProduct(_ factors: Int...) -> Int? {
    var result = 1
    for factor in factors {
        guard factor >= 0 else { return nil }
        let (product, overflow) = result.multipliedReportingOverflow(by: factor)
        if overflow { return nil }
        result = product
    }
    return result
}
