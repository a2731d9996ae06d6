// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension TandemFile {
    /// Another descriptor of the very file this object has open, even when its path names another one by now.
    ///
    /// The caller closes it. It is closed on `exec`.
    /// - Throws: ``FormatError/system(operation:path:code:)``, also where the file was replaced and the system cannot open
    ///   it again through `/proc`.
    package func reopen(flags: Int32) throws(FormatError) -> Int32 {
        let source = mapping.descriptorNumber
        let wanted = flags | O_RDONLY | O_CLOEXEC
        let direct = retrying { unsafe open("/proc/self/fd/\(source)", wanted) }
        if direct >= 0 { return direct }
        let code = errno
        guard code == ENOENT || code == EACCES else {
            throw .system(operation: "open", path: path, code: code)
        }
        // No /proc: by name, and only if the name still means this file.
        let named = retrying { unsafe open(path, wanted | O_NONBLOCK) }
        guard named >= 0 else { throw .system(operation: "open", path: path, code: errno) }
        var mine = stat()
        var other = stat()
        guard unsafe fstat(source, &mine) == 0, unsafe fstat(named, &other) == 0,
            mine.st_dev == other.st_dev, mine.st_ino == other.st_ino
        else {
            close(named)
            throw .system(operation: "open", path: path, code: ESTALE)
        }
        return named
    }

    /// Drops the file's clean pages from the page cache, but for those that some process has mapped. A hint.
    package func dropPageCache() {
        posix_fadvise(mapping.descriptorNumber, 0, 0, POSIX_FADV_DONTNEED)
    }

    /// Makes the file safe to keep mapped while others may write to it: its truncation no longer ends the process, but is
    /// found by ``checkIntact()``. Whoever wants to write waits for some microseconds until the mapping is out of the way.
    ///
    /// - Returns: false where the system cannot do that: for files of other users, on some file systems, and when the file
    ///   is open for writing. Then ``checkIntact()`` only finds what has happened between two uses.
    @discardableResult
    package func watch() -> Bool { mapping.watch() }

    /// Asks for large pages below the mapping, for files that are read as a whole and stay in memory: a pass that reads all
    /// weights then waits less for their addresses. A hint; the kernel reads some megabytes ahead for it.
    package func preferLargePages() { mapping.preferLargePages() }

    /// To be asked after every use of mapped bytes, before the results are believed.
    ///
    /// - Throws: ``FormatError/fileChanged(path:)`` or ``FormatError/truncated(expected:actual:)``.
    /// Complexity: tens of nanoseconds; one system call where the file is not watched.
    package func checkIntact() throws(FormatError) { try mapping.checkIntact() }
}
