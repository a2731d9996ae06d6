// SPDX-License-Identifier: Apache-2.0

import Glibc
import Tandem
import TandemFormat
import Testing

/// Pages of 4, 16 and 64 KiB, whatever this machine has.
@Suite("Residency: page sizes") struct PageSizeTests {
    private static let recipe = ResidencyPlanTests.recipe

    @Test(
        "hints to drop leave out shared pages, hints to read include them", arguments: [4096, 16384, 65536])
    func hints(pageSize: Int) {
        let geometry = PageGeometry(size: pageSize)
        let fileSize = 1_000_001
        var random = TestRandom(seed: UInt64(pageSize))
        for _ in 0..<2000 {
            let start = random.index(below: fileSize)
            let range = start..<start + random.index(below: fileSize - start + 1)
            let dropped = MemoryAdvice.dontNeed.pages(of: range, fileSize: fileSize, geometry: geometry)
            #expect(dropped.isEmpty || (range.lowerBound...range.upperBound).contains(dropped.upperBound))
            #expect(dropped.isEmpty || dropped.lowerBound >= range.lowerBound)
            #expect(dropped.lowerBound % pageSize == 0)
            #expect(dropped.upperBound % pageSize == 0 || dropped.upperBound == fileSize || dropped.isEmpty)
            // No whole page is forgotten.
            #expect(range.count - dropped.count < 2 * pageSize)
            let read = MemoryAdvice.willNeed.pages(of: range, fileSize: fileSize, geometry: geometry)
            #expect(read.clamped(to: range) == range)
            #expect(read.lowerBound % pageSize == 0 && read.upperBound <= fileSize)
        }
        let nothing = MemoryAdvice.dontNeed.pages(of: 1..<pageSize, fileSize: fileSize, geometry: geometry)
        #expect(nothing.isEmpty)
        let tail = MemoryAdvice.dontNeed.pages(
            of: pageSize..<fileSize, fileSize: fileSize, geometry: geometry)
        #expect(tail == pageSize..<fileSize)
    }

    /// Chunks begin at multiples of 16 KiB: with 64 KiB pages they share some, and dropping one leaves the other.
    @Test("neighbouring chunks are dropped apart", arguments: [4096, 16384, 65536])
    func neighbours(pageSize: Int) throws {
        let geometry = PageGeometry(size: pageSize)
        let fixture = try ResidencyFixture(Self.recipe)
        let file = try TandemFile(path: fixture.path)
        let stored = file.chunks.filter { !$0.tensors.isEmpty }.map {
            $0.offset..<$0.offset + $0.storedLength
        }
        #expect(stored.allSatisfy { $0.lowerBound % 16384 == 0 })
        for (index, range) in stored.enumerated() {
            let pages = MemoryAdvice.dontNeed.pages(of: range, fileSize: file.fileSize, geometry: geometry)
            for (other, neighbour) in stored.enumerated() where other != index {
                #expect(!pages.overlaps(neighbour))
            }
        }
        // There is something to share.
        #expect(pageSize < 65536 || stored.contains { $0.lowerBound % pageSize != 0 })
    }

    /// Which 4 KiB pages of a file are in the page cache.
    private func cached(_ path: String) throws -> [Bool] {
        let descriptor = unsafe open(path, O_RDONLY)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        let length = Int(lseek(descriptor, 0, SEEK_END))
        let base = unsafe try #require(mmap(nil, length, PROT_READ, MAP_SHARED, descriptor, 0))
        defer { unsafe munmap(base, length) }
        var flags = [UInt8](repeating: 0, count: (length + 4095) / 4096)
        let status = unsafe flags.withUnsafeMutableBufferPointer {
            unsafe mincore(base, length, $0.baseAddress)
        }
        try #require(status == 0)
        return flags.map { $0 & 1 == 1 }
    }

    /// Reads the whole file, as a neighbour of ours might, with nothing left to be written.
    private func fill(_ path: String) throws {
        let descriptor = unsafe open(path, O_RDWR)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        fsync(descriptor)
        var block = [UInt8](repeating: 0, count: 1 << 20)
        var offset = 0
        while true {
            let got = unsafe block.withUnsafeMutableBytes { buffer in
                unsafe pread(descriptor, buffer.baseAddress, buffer.count, offset)
            }
            guard got > 0 else { break }
            offset += got
        }
    }

    @Test(
        "without direct I/O, what was read leaves the page cache, whole pages of it",
        arguments: [4096, 65536])
    func dropping(pageSize: Int) throws {
        guard sysconf(Int32(_SC_PAGESIZE)) == 4096 else {
            print("skipped: this machine's own pages are not of 4 KiB")
            return
        }
        let fixture = try ResidencyFixture(Self.recipe)
        let file = try TandemFile(path: fixture.path)
        try #require(file.fileSize > 4 * 65536)
        try fill(fixture.path)
        file.dropPageCache()
        guard try cached(fixture.path).filter({ !$0 }).count > 32 else {
            print("skipped: this file system keeps what it is asked to drop")
            return
        }
        try fill(fixture.path)
        let storage = try FileStorage(
            file, bypassesPageCache: false, geometry: PageGeometry(size: pageSize))
        #expect(!storage.isDirect)
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 4096)
        defer { unsafe memory.deallocate() }
        #expect(unsafe try storage.read(at: 131_072 + 8192, into: memory) == 4096)
        let pages = try cached(fixture.path)
        let dropped = pageSize == 4096 ? 34..<35 : 32..<48
        for page in 16..<64 { #expect(pages[page] == !dropped.contains(page), "page \(page)") }
    }

    @Test("a model streams without direct I/O on large pages, bit for bit", arguments: [4096, 16384, 65536])
    func streaming(pageSize: Int) throws {
        let fixture = try ResidencyFixture(Self.recipe)
        let tokens = fixture.tokens(9)
        let reference = try fixture.mappedLogits(tokens, blockLength: 3)
        let least = try fixture.limits(sliceLength: 16384).least
        let model = try TandemModel.load(
            from: fixture.path, options: fixture.options(.bytes(least)), sliceLength: 16384
        ) { (file) throws(FormatError) in
            try FileStorage(file, bypassesPageCache: false, geometry: PageGeometry(size: pageSize))
        }
        #expect(model.memoryPlan.residency == .streamed)
        for _ in 0..<2 {
            let actual = try model.makeSession().allLogits(tokens, blockLength: 3)
            #expect(haveSameBits(actual.primary, reference.primary))
        }
    }
}
