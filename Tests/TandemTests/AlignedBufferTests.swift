// SPDX-License-Identifier: Apache-2.0

import Foundation
import Tandem
import Testing

@Suite(
    "Blocks of memory",
    .enabled(if: FileManager.default.fileExists(atPath: "/sys/kernel/mm/transparent_hugepage")))
struct AlignedBufferTests {
    private static let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    private static let largePage = AlignedBuffer.largePageBytes(page: page)

    @Test(
        "no large page reaches beyond a block, so all of its memory goes with it",
        arguments: [AlignedBuffer.LargePages.never, .allowed, .wanted],
        [1, page, largePage - 1, largePage, largePage + 1, 2 * largePage + 3 * page + 5])
    func largePages(kind: AlignedBuffer.LargePages, size: Int) throws {
        // Neighbours, which the kernel puts into one stretch where it can.
        let buffers = try (0..<3).map { _ in
            try AlignedBuffer(byteCount: size, purpose: "a test", largePages: kind)
        }
        let regions = try MemoryRegion.all()
        for buffer in buffers {
            let bytes = unsafe UnsafeMutableRawBufferPointer(start: buffer.base, count: size)
            unsafe bytes.initializeMemory(as: UInt8.self, repeating: 1)
            let start = unsafe UInt(bitPattern: buffer.base)
            let last = start + UInt(size) - 1
            if kind == .wanted, size >= Self.largePage { #expect(start % UInt(Self.largePage) == 0) }
            for address in stride(from: start & ~UInt(Self.page - 1), through: last, by: Self.page) {
                let region = try #require(regions.first { $0.addresses.contains(address) })
                let large = address & ~UInt(Self.largePage - 1)
                let isWhole = large >= start && large + UInt(Self.largePage) <= start + UInt(size)
                #expect(region.flags.contains("nh") == (kind == .never || !isWhole))
                #expect(region.flags.contains("hg") == (kind == .wanted && isWhole))
            }
        }
    }

    @Test("what a block reserved to begin with a large page goes back to the system")
    func released() throws {
        let size = UInt(2 * Self.largePage + Self.page + 1)
        let page = UInt(Self.page)
        // Other threads may put something beside one of them, but not on both sides of all.
        let buffers = try (0..<16).map { _ in
            try AlignedBuffer(byteCount: Int(size), purpose: "a test", largePages: .wanted)
        }
        let regions = try MemoryRegion.all()
        let isAlone = buffers.map { buffer in
            let start = unsafe UInt(bitPattern: buffer.base)
            let end = (start + size + page - 1) & ~(page - 1)
            return !regions.contains { $0.addresses.contains(start - page) || $0.addresses.contains(end) }
        }
        #expect(isAlone.contains(true))
        withExtendedLifetime(buffers) {}
    }

    @Test("more than there is of addresses is an error", arguments: [Int.max, 1 << 60])
    func tooLarge(size: Int) {
        #expect(throws: TandemError.outOfMemory(requestedBytes: size, purpose: "a test")) {
            try AlignedBuffer(byteCount: size, purpose: "a test", largePages: .wanted)
        }
    }
}
