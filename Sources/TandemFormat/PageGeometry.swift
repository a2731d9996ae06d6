// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The arithmetic of memory pages. They have 4, 16 or 64 KiB where models run today; nothing in a file depends on it.
///
/// Raw chunks begin at multiples of 16 KiB. With larger pages two chunks may share one: hints to drop a chunk's pages leave
/// out those it shares, hints to read them include these.
package struct PageGeometry: Sendable, Equatable {
    /// Bytes of a page, a power of two.
    package let size: Int

    /// - Parameter size: a power of two.
    package init(size: Int) {
        self.size = size
    }

    /// The system's own.
    package static let system = PageGeometry(size: max(4096, sysconf(Int32(_SC_PAGESIZE))))

    /// A length in whole pages.
    package func up(_ length: Int) -> Int { (length + size - 1) & ~(size - 1) }

    /// All pages that hold some of a range.
    package func cover(_ range: Range<Int>) -> Range<Int> {
        range.lowerBound & ~(size - 1)..<up(range.upperBound)
    }

    /// The pages that hold nothing but a range; empty when there is none. The last page of a file of `fileSize` bytes holds
    /// nothing behind its end.
    package func inside(_ range: Range<Int>, fileSize: Int) -> Range<Int> {
        let low = up(range.lowerBound)
        let high = range.upperBound == fileSize ? fileSize : range.upperBound & ~(size - 1)
        return low < high ? low..<high : low..<low
    }
}
