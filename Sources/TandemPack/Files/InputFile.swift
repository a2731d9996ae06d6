// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A regular file open for reading at any position.
///
/// Checkpoints are read, not mapped: resident memory stays bounded, and a file that shrinks or a disk that fails gives
/// an error instead of a signal. Thread safety: reads may run concurrently.
package final class InputFile: Sendable {
    package let path: String
    /// Bytes when it was opened.
    package let size: Int
    private let descriptor: Int32

    package init(path: String) throws(PackError) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .fileSystem(operation: "open", path: path, code: errno) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            let code = errno
            close(descriptor)
            throw .fileSystem(operation: "examine", path: path, code: code)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw .notAFile(path: path)
        }
        self.path = path
        self.size = Int(status.st_size)
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// Fills `buffer` from the bytes at `offset`.
    package func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(PackError) {
        var done = 0
        while done < buffer.count {
            let count = unsafe pread(
                descriptor, buffer.baseAddress.map { unsafe $0 + done }, buffer.count - done,
                off_t(offset + done))
            if count < 0 {
                if errno == EINTR { continue }
                throw .fileSystem(operation: "read", path: path, code: errno)
            }
            guard count > 0 else { throw .shrunkWhileReading(path: path, offset: offset + done) }
            done += count
        }
    }

    /// The bytes `offset ..< offset + count`.
    package func bytes(at offset: Int, count: Int) throws(PackError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        try unsafe bytes.withUnsafeMutableBufferPointer { (buffer) throws(PackError) in
            try unsafe read(at: offset, into: UnsafeMutableRawBufferPointer(buffer))
        }
        return bytes
    }

    /// The whole file.
    package func contents(limit: Int) throws(PackError) -> [UInt8] {
        guard size <= limit else { throw .fileTooLarge(path: path, size: size, limit: limit) }
        return try bytes(at: 0, count: size)
    }
}
