// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Where GGUF models are: by the name of a file, or as the only one in a directory.
enum GGUFSet {
    static let suffix = ".gguf"

    /// Whether the file is called, or begins, like a GGUF file.
    static func isModel(_ path: String) throws(PackError) -> Bool {
        if path.hasSuffix(suffix) { return true }
        let file = try InputFile(path: path)
        guard file.size >= 4 else { return false }
        return try file.bytes(at: 0, count: 4) == Array("GGUF".utf8)
    }

    /// The only GGUF model of a directory, the first part of a split one; nil when there is none. Parts of multimodal
    /// models that are not for text ("mmproj") do not count.
    ///
    /// - Throws: ``PackError/notACheckpoint(path:reason:)`` when there are several.
    static func only(in directory: String) throws(PackError) -> String? {
        let names = try Paths.names(in: directory).filter { name in
            name.hasSuffix(suffix) && !name.hasPrefix("mmproj") && !isLaterPart(name)
        }
        guard names.count < 2 else {
            let list = names.sorted().prefix(4).map { "'\($0)'" }.joined(separator: ", ")
            throw .notACheckpoint(
                path: directory, reason: "it holds \(names.count) GGUF models; name one of them: \(list)")
        }
        return names.first.map { Paths.join(directory, $0) }
    }

    /// `NAME-00002-of-00003.gguf` and the like: all parts but the first.
    private static func isLaterPart(_ name: String) -> Bool {
        let parts = name.dropLast(suffix.count).split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count >= 4, parts[parts.count - 2] == "of", let index = Int(parts[parts.count - 3]),
            Int(parts[parts.count - 1]) != nil
        else { return false }
        return index != 1
    }
}

extension Paths {
    /// The names in a directory, in no order.
    static func names(in directory: String) throws(PackError) -> [String] {
        guard let stream = unsafe opendir(directory) else {
            throw .fileSystem(operation: "list", path: directory, code: errno)
        }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else {
                guard errno == 0 else { throw .fileSystem(operation: "list", path: directory, code: errno) }
                return names
            }
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { name in
                unsafe name.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) {
                    unsafe String(cString: $0)
                }
            }
            if name != "." && name != ".." { names.append(name) }
        }
    }
}
