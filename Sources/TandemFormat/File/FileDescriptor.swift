// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// An open file descriptor, closed with this object.
package final class FileDescriptor: Sendable {
    let number: Int32
    let path: String

    init(number: Int32, path: String) {
        self.number = number
        self.path = path
    }

    /// Opens an existing file for reading. Never blocks, whatever the path names.
    package convenience init(opening path: String) throws(FormatError) {
        guard !path.utf8.contains(0) else { throw .noSuchFile(path: path) }
        let number = retrying { unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        guard number >= 0 else {
            throw errno == ENOENT
                ? .noSuchFile(path: path) : .system(operation: "open", path: path, code: errno)
        }
        self.init(number: number, path: path)
    }

    deinit { _ = close(number) }

    /// The size, after checking that this is a regular file.
    package func regularFileSize() throws(FormatError) -> Int {
        var status = stat()
        guard unsafe fstat(number, &status) == 0 else {
            throw .system(operation: "stat", path: path, code: errno)
        }
        switch status.st_mode & mode_t(S_IFMT) {
        case mode_t(S_IFREG): return Int(status.st_size)
        case mode_t(S_IFDIR): throw .isDirectory(path: path)
        default: throw .notRegularFile(path: path)
        }
    }

    /// Reads exactly `count` bytes.
    package func read(at offset: Int, count: Int) throws(FormatError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = unsafe bytes.withUnsafeMutableBytes { buffer in
                let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
                return retrying { unsafe pread(number, rest.baseAddress, rest.count, offset + filled) }
            }
            guard got >= 0 else { throw .system(operation: "read", path: path, code: errno) }
            guard got > 0 else { throw .truncated(expected: offset + count, actual: offset + filled) }
            filled += got
        }
        return bytes
    }
}

/// Repeats a system call while a signal interrupts it.
func retrying<T: SignedInteger>(_ call: () -> T) -> T {
    while true {
        let result = call()
        if result >= 0 || errno != EINTR { return result }
    }
}
