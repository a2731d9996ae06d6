// SPDX-License-Identifier: Apache-2.0

import Glibc

/// What stands at a path.
enum PathKind: Sendable {
    case missing, file, directory, other

    init(_ path: String) throws(PackError) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            guard errno == ENOENT || errno == ENOTDIR else {
                throw .fileSystem(operation: "examine", path: path, code: errno)
            }
            self = .missing
            return
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG: self = .file
        case S_IFDIR: self = .directory
        default: self = .other
        }
    }
}

enum Paths {
    static func join(_ directory: String, _ name: String) -> String {
        directory.hasSuffix("/") ? directory + name : "\(directory)/\(name)"
    }

    /// What stands before the last component; "." when nothing does.
    static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// The last component, with trailing slashes ignored; "." and ".." are resolved where that is possible.
    static func lastComponent(_ path: String) -> String {
        let parts = path.split(separator: "/", omittingEmptySubsequences: true)
        guard let last = parts.last else { return path }
        if last == "." || last == "..", let full = resolved(path) {
            return full.split(separator: "/").last.map(String.init) ?? "/"
        }
        return String(last)
    }

    /// The absolute path without links, or nil when it does not exist.
    static func resolved(_ path: String) -> String? {
        guard let full = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(full) }
        return unsafe String(cString: full)
    }

    /// Checks that `name`, found in `field` of the file `source`, stays inside the directory it is relative to.
    static func checkInside(_ name: String, source: String, field: String) throws(PackError) {
        let components = name.split(separator: "/", omittingEmptySubsequences: false)
        let isSafe =
            !name.isEmpty && !name.utf8.contains(0) && !components.contains("..") && !components.contains("")
        guard isSafe else { throw .unsafePath(path: source, field: field, value: name) }
    }
}
