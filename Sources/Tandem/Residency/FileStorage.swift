// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels
import Glibc
import Synchronization
package import TandemFormat

/// An open file read with direct I/O, or, where the file system has none, through the page cache, from which everything
/// is dropped as soon as it was read.
///
/// Thread safety: any number of threads may read.
package final class FileStorage: BlockStorage {
    package let path: String
    private let direct: Int32
    private let buffered: Int32
    private let usesDirect: Atomic<Bool>
    private let geometry: PageGeometry

    /// Opens the file that `file` has open, under whatever name it has by now.
    /// - Parameters:
    ///   - bypassesPageCache: false = as on a file system without direct I/O.
    ///   - geometry: pages of the page cache.
    package init(
        _ file: TandemFile, bypassesPageCache: Bool = true, geometry: PageGeometry = .system
    ) throws(FormatError) {
        path = file.path
        self.geometry = geometry
        buffered = try file.reopen(flags: 0)
        posix_fadvise(buffered, 0, 0, POSIX_FADV_RANDOM)
        let flag = bypassesPageCache ? tk_direct_io_flag() : 0
        let number = flag == 0 ? -1 : (try? file.reopen(flags: flag)) ?? -1
        direct = number
        usesDirect = Atomic(number >= 0)
    }

    deinit {
        if direct >= 0 { close(direct) }
        close(buffered)
    }

    /// Whether reads bypass the page cache.
    package var isDirect: Bool { usesDirect.load(ordering: .relaxed) }

    package var fileSize: Int {
        var status = stat()
        return unsafe fstat(buffered, &status) == 0 ? Int(status.st_size) : 0
    }

    package func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FormatError) -> Int {
        if isDirect {
            let got = unsafe repeatedRead(direct, buffer, offset)
            if got >= 0 { return got }
            // Some file systems accept the flag and refuse the read.
            guard errno == EINVAL else { throw .system(operation: "read", path: path, code: errno) }
            usesDirect.store(false, ordering: .relaxed)
        }
        let got = unsafe repeatedRead(buffered, buffer, offset)
        guard got >= 0 else { throw .system(operation: "read", path: path, code: errno) }
        // The kernel drops whole pages only, and one may be longer than what was read.
        let pages = geometry.cover(offset..<offset + got)
        posix_fadvise(buffered, pages.lowerBound, pages.count, POSIX_FADV_DONTNEED)
        return got
    }

    private func repeatedRead(
        _ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer, _ offset: Int
    ) -> Int {
        while true {
            let got = unsafe pread(descriptor, buffer.baseAddress, buffer.count, offset)
            if got >= 0 || errno != EINTR { return got }
        }
    }
}
