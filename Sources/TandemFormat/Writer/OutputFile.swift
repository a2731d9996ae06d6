// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A file that appears under its name only when it is complete.
///
/// Bytes go to a temporary file beside the target, named after it and this process. ``commit()`` makes them
/// durable and renames the file; without it the temporary file is removed. The temporary file is locked while
/// it is written, so that one left behind by a process that was killed can be told from one in use; the next writer
/// of the same target removes it.
///
/// Not thread-safe: one owner at a time.
package final class OutputFile {
    let path: String
    private let temporary: String
    private let file: FileDescriptor
    private var buffer: [UInt8] = []
    private var state = State.open
    /// Bytes appended so far, buffered ones included.
    package private(set) var count = 0

    private enum State {
        case open, committed, discarded
    }

    private static let bufferSize = 1 << 20

    package init(path: String) throws(FormatError) {
        self.path = path
        temporary = "\(path).partial-\(getpid())"
        try OutputFile.checkTarget(path)
        OutputFile.removeLeftovers(of: path)
        file = try OutputFile.create(temporary, for: path)
        buffer.reserveCapacity(OutputFile.bufferSize)
    }

    deinit { discard() }

    /// Removes the temporary file, unless the file is complete. Writing fails from now on.
    package func discard() {
        guard state == .open else { return }
        state = .discarded
        unsafe unlink(temporary)
    }

    private func requireOpen() throws(FormatError) {
        guard state == .open else { throw .misuse("writing '\(path)' has ended") }
    }

    /// Appends bytes.
    package func write(_ bytes: UnsafeRawBufferPointer) throws(FormatError) {
        try requireOpen()
        if buffer.count + bytes.count > OutputFile.bufferSize { try flush() }
        if bytes.count >= OutputFile.bufferSize {
            try unsafe writeAll(bytes, at: count)
        } else {
            unsafe buffer.append(contentsOf: bytes)
        }
        count += bytes.count
    }

    package func write(_ bytes: [UInt8]) throws(FormatError) {
        try unsafe withBytes(bytes) { (raw) throws(FormatError) in try unsafe write(raw) }
    }

    /// Appends zeros up to a multiple of `alignment`.
    package func pad(to alignment: Int) throws(FormatError) {
        let missing = roundUp(count, to: alignment) - count
        if missing > 0 { try write([UInt8](repeating: 0, count: missing)) }
    }

    /// Overwrites bytes written before.
    package func overwrite(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FormatError) {
        try flush()
        try unsafe writeAll(bytes, at: offset)
    }

    /// Reads back bytes written before.
    func read(at offset: Int, count: Int) throws(FormatError) -> [UInt8] {
        try flush()
        return try file.read(at: offset, count: count)
    }

    /// Drops everything from `offset` on.
    func truncate(to offset: Int) throws(FormatError) {
        try flush()
        guard retrying({ ftruncate(file.number, offset) }) == 0 else { throw failure("truncate") }
        count = offset
    }

    /// Makes the file durable and visible under its name. Nothing may be written afterwards.
    package func commit() throws(FormatError) {
        try flush()
        guard retrying({ fsync(file.number) }) == 0 else { throw failure("sync") }
        guard unsafe rename(temporary, path) == 0 else { throw failure("rename to") }
        state = .committed
        try OutputFile.syncDirectory(of: path)
    }

    private func flush() throws(FormatError) {
        try requireOpen()
        guard !buffer.isEmpty else { return }
        let at = count - buffer.count
        try unsafe withBytes(buffer) { (raw) throws(FormatError) in try unsafe writeAll(raw, at: at) }
        buffer.removeAll(keepingCapacity: true)
    }

    private func writeAll(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FormatError) {
        guard let base = bytes.baseAddress else { return }
        var done = 0
        while done < bytes.count {
            let wrote = retrying {
                unsafe pwrite(file.number, base + done, bytes.count - done, offset + done)
            }
            guard wrote > 0 else { throw failure("write") }
            done += wrote
        }
    }

    private func failure(_ operation: String) -> FormatError {
        let code = errno
        discard()
        return OutputFile.error(operation, path, code)
    }

    private static func error(_ operation: String, _ path: String, _ code: Int32) -> FormatError {
        code == ENOSPC || code == EDQUOT
            ? .diskFull(path: path) : .system(operation: operation, path: path, code: code)
    }

    /// Only a regular file may be replaced.
    private static func checkTarget(_ path: String) throws(FormatError) {
        guard !path.isEmpty, !path.utf8.contains(0) else { throw .noSuchFile(path: path) }
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            if errno == ENOENT { return }
            throw error("create", path, errno)
        }
        switch status.st_mode & mode_t(S_IFMT) {
        case mode_t(S_IFREG): return
        case mode_t(S_IFDIR): throw .isDirectory(path: path)
        default: throw .notRegularFile(path: path)
        }
    }

    private static func create(_ temporary: String, for path: String) throws(FormatError) -> FileDescriptor {
        for attempt in 0..<2 {
            let number = retrying { unsafe open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o666) }
            if number >= 0 {
                let file = FileDescriptor(number: number, path: path)
                guard flock(number, LOCK_EX | LOCK_NB) == 0 || errno == ENOLCK || errno == EOPNOTSUPP else {
                    throw error("lock", path, errno)
                }
                return file
            }
            let code = errno
            guard code == EEXIST else { throw error("create", path, code) }
            guard attempt == 0, removeStale(temporary) else { break }
        }
        throw .misuse("'\(path)' is being written already (see '\(temporary)')")
    }

    /// Removes a temporary file that nobody writes any more.
    private static func removeStale(_ temporary: String) -> Bool {
        let number = retrying { unsafe open(temporary, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) }
        guard number >= 0 else { return false }
        defer { _ = close(number) }
        guard flock(number, LOCK_EX | LOCK_NB) == 0 else { return false }
        return unsafe unlink(temporary) == 0
    }

    /// Removes the temporary files that killed processes have left of this target. Those in use are locked; one that is
    /// about to be locked is too young to be taken for a leftover.
    private static func removeLeftovers(of path: String) {
        let (folder, name) = split(path)
        guard let directory = unsafe opendir(folder) else { return }
        defer { unsafe closedir(directory) }
        let prefix = "\(name).partial-"
        while let entry = unsafe readdir(directory) {
            let found = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { raw in
                unsafe String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard found.hasPrefix(prefix), found.dropFirst(prefix.count).allSatisfy(\.isNumber) else {
                continue
            }
            let leftover = "\(folder)/\(found)"
            var status = stat()
            guard unsafe lstat(leftover, &status) == 0, status.st_mode & mode_t(S_IFMT) == mode_t(S_IFREG),
                time(nil) - status.st_mtim.tv_sec > 60
            else { continue }
            _ = removeStale(leftover)
        }
    }

    /// The folder and the name of a path.
    private static func split(_ path: String) -> (folder: String, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return (".", path) }
        return (
            slash == path.startIndex ? "/" : String(path[..<slash]), String(path[path.index(after: slash)...])
        )
    }

    /// Makes the rename durable. File systems that cannot sync a directory say so with EINVAL.
    private static func syncDirectory(of path: String) throws(FormatError) {
        let number = retrying { unsafe open(split(path).folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard number >= 0 else { return }
        defer { _ = close(number) }
        guard retrying({ fsync(number) }) == 0 || errno == EINVAL else {
            throw error("sync the directory of", path, errno)
        }
    }
}

/// `withUnsafeBytes` that keeps the error's type.
func withBytes<R>(
    _ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws(FormatError) -> R
) throws(FormatError) -> R {
    let result: Result<R, FormatError> = unsafe bytes.withUnsafeBytes { raw in
        do throws(FormatError) { return .success(try unsafe body(raw)) } catch { return .failure(error) }
    }
    return try result.get()
}
