// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The one owner of an anonymous, zero-filled, page-aligned block of memory.
///
/// Pages that are never written cost nothing, so a cache sized for the whole context may be reserved at once.
/// The memory returns to the system when the last reference goes: all of it, because no large page reaches into memory of
/// others, where the kernel would keep the whole page for them.
///
/// Thread safety: the class only owns; whoever reads and writes through `base` keeps order among threads.
@safe
package final class AlignedBuffer: @unchecked Sendable {
    /// Whether the block may lie in the system's large pages (2 MiB on most machines).
    package enum LargePages: Sendable {
        /// What is never written must cost nothing, even where the system gives out large pages unasked.
        case never
        /// Where the system gives them out unasked.
        case allowed
        /// All of the block will be written, so they cost nothing and are asked for.
        case wanted
    }

    /// First byte; aligned to a page, and to a large page where one is wanted and fits.
    package let base: UnsafeMutableRawPointer
    /// Usable bytes.
    package let byteCount: Int

    /// Reserves `byteCount` bytes (at least one page).
    /// - Throws: ``TandemError/outOfMemory(requestedBytes:purpose:)`` when the system refuses.
    package init(byteCount: Int, purpose: String, largePages: LargePages = .allowed) throws(TandemError) {
        let size = max(byteCount, 1)
        let page = max(1, Int(sysconf(Int32(_SC_PAGESIZE))))
        let largePage = Self.largePageBytes(page: page)
        // Room to begin with a large page.
        let slack = largePages == .wanted && size >= largePage ? largePage : 0
        let (reserved, isTooLarge) = size.addingReportingOverflow(slack)
        guard !isTooLarge,
            let mapped = unsafe mmap(
                nil, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            unsafe mapped != MAP_FAILED
        else {
            throw .outOfMemory(requestedBytes: size, purpose: purpose)
        }
        /// Bytes before the first large page.
        var start = -Int(bitPattern: mapped) & (largePage - 1)
        if slack > 0 {
            if start > 0 { unsafe munmap(mapped, start) }
            let end = (start + size + page - 1) & ~(page - 1)
            if end < reserved { unsafe munmap(mapped + end, reserved - end) }
            unsafe base = mapped + start
            start = 0
        } else {
            unsafe base = mapped
        }
        self.byteCount = size
        let large = largePages == .never ? 0 : max(0, size - start) & ~(largePage - 1)
        if large == 0 { start = size }
        advise(from: 0, to: start, MADV_NOHUGEPAGE)
        if largePages == .wanted { advise(from: start, to: start + large, MADV_HUGEPAGE) }
        advise(from: start + large, to: size, MADV_NOHUGEPAGE)
    }

    private func advise(from start: Int, to end: Int, _ advice: some BinaryInteger) {
        guard start < end else { return }
        unsafe _ = madvise(base + start, end - start, Int32(advice))
    }

    /// Bytes of a large page: what one page full of addresses of eight bytes maps.
    package static func largePageBytes(page: Int) -> Int { page / 8 * page }

    deinit {
        unsafe munmap(base, byteCount)
    }

    /// Gives the pages back to the system; the bytes are zero when they are looked at next.
    func discard() { discard(from: 0) }

    /// Gives back the pages from `offset` on, the start of a page.
    func discard(from offset: Int) {
        advise(from: offset, to: byteCount, MADV_DONTNEED)
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
