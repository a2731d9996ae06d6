// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Memory the process may use, and what sets the limit.
public struct AvailableMemory: Sendable, Equatable {
    /// Bytes, what the process itself holds already included.
    public let bytes: Int
    /// The limit's name for messages: a control group's folder, or `MemAvailable`.
    public let limitedBy: String
    /// Bytes of those that the process holds already: a model's, and the host's.
    package let ownBytes: Int

    public init(bytes: Int, limitedBy: String) {
        self.init(bytes: bytes, limitedBy: limitedBy, ownBytes: 0)
    }

    package init(bytes: Int, limitedBy: String, ownBytes: Int) {
        self.bytes = bytes
        self.limitedBy = limitedBy
        self.ownBytes = ownBytes
    }

    /// What is there for a model that holds `held` bytes at most: whatever else the process holds is its host's.
    func without(hostsBeyond held: Int) -> AvailableMemory {
        AvailableMemory(
            bytes: bytes - max(0, ownBytes - held), limitedBy: limitedBy, ownBytes: min(ownBytes, held))
    }
}

/// What this process may really use: the least of the machine's available memory and what is left in each of its
/// control groups (version 2 `memory.max` and `memory.high`, version 1 `memory.limit_in_bytes`, from the process's own
/// group up to the root).
///
/// Page cache of files counts as free, because the kernel takes it back before it refuses memory. Swap does not count.
/// - Returns: `nil` where the system does not tell.
public func availableMemory() -> AvailableMemory? {
    availableMemory(pageSize: max(1, Int(sysconf(Int32(_SC_PAGESIZE)))), read: readSystemFile)
}

/// ``availableMemory()`` over any source of the kernel's text files.
package func availableMemory(pageSize: Int, read: (String) -> String?) -> AvailableMemory? {
    var best: AvailableMemory?
    func consider(_ bytes: Int, _ name: String) {
        if best.map({ bytes < $0.bytes }) ?? true { best = AvailableMemory(bytes: bytes, limitedBy: name) }
    }
    if let text = read("/proc/meminfo"), let available = keyedValue("MemAvailable:", in: text) {
        consider(available * 1024, "MemAvailable")
    }
    for group in MemoryControlGroup.ofThisProcess(read: read) {
        if let left = group.left(read: read) { consider(left, group.folder) }
    }
    guard let best else { return nil }
    var own = 0
    if let fields = read("/proc/self/statm")?.split(whereSeparator: \.isWhitespace), fields.count > 2,
        let resident = Int(fields[1]), let shared = Int(fields[2])
    {
        own = max(0, resident - shared) * pageSize
    }
    return AvailableMemory(bytes: max(0, best.bytes) + own, limitedBy: best.limitedBy, ownBytes: own)
}

/// Folder of one memory control group.
struct MemoryControlGroup {
    enum Version { case one, two }

    let folder: String
    let version: Version

    /// Bytes the group may still use when all its page cache is given back; `nil` when it has no limit.
    func left(read: (String) -> String?) -> Int? {
        switch version {
        case .two:
            let limits = ["memory.max", "memory.high"].compactMap { number(in: read("\(folder)/\($0)")) }
            guard let limit = limits.min(), let used = number(in: read("\(folder)/memory.current")) else {
                return nil
            }
            return limit - used + pageCache(["inactive_file ", "active_file "], read)
        case .one:
            // A group without a limit holds the largest multiple of a page below 2⁶³.
            guard let limit = number(in: read("\(folder)/memory.limit_in_bytes")), limit < 1 << 62,
                let used = number(in: read("\(folder)/memory.usage_in_bytes"))
            else { return nil }
            return limit - used + pageCache(["total_inactive_file ", "total_active_file "], read)
        }
    }

    private func pageCache(_ keys: [String], _ read: (String) -> String?) -> Int {
        guard let text = read("\(folder)/memory.stat") else { return 0 }
        return keys.reduce(0) { $0 + (keyedValue($1, in: text) ?? 0) }
    }

    private func number(in text: String?) -> Int? {
        guard let text else { return nil }
        return Int(text.prefix { $0.isNumber })
    }

    /// The process's groups, from its own up to the root of every hierarchy with a memory controller.
    static func ofThisProcess(read: (String) -> String?) -> [MemoryControlGroup] {
        guard let membership = read("/proc/self/cgroup"), let mounts = read("/proc/self/mountinfo") else {
            return []
        }
        var groups: [MemoryControlGroup] = []
        for line in membership.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let controllers = fields[1].split(separator: ",")
            let version: Version? =
                fields[0] == "0" && fields[1].isEmpty ? .two : controllers.contains("memory") ? .one : nil
            guard let version, let mount = mountPoint(of: version, in: mounts) else { continue }
            var path = relative(String(fields[2]), to: mount.root)
            while true {
                groups.append(MemoryControlGroup(folder: mount.folder + path, version: version))
                guard let slash = path.lastIndex(of: "/") else { break }
                path = String(path[..<slash])
            }
        }
        return groups
    }

    /// Path below the mounted root: empty, or with a leading slash.
    private static func relative(_ path: String, to root: String) -> String {
        var path = path
        if root != "/" {
            // In a namespace of its own, the mounted root is the process's group or above it.
            guard path == root || path.hasPrefix(root + "/") else { return "" }
            path.removeFirst(root.count)
        }
        return path == "/" || path.hasPrefix("/..") ? "" : path
    }

    /// Where the hierarchy is mounted, and which of its folders is mounted there.
    private static func mountPoint(of version: Version, in mounts: String) -> (folder: String, root: String)?
    {
        for line in mounts.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard let dash = fields.firstIndex(of: "-"), dash >= 6, fields.count > dash + 3 else { continue }
            let type = fields[dash + 1]
            let matches =
                switch version {
                case .two: type == "cgroup2"
                case .one: type == "cgroup" && fields[dash + 3].split(separator: ",").contains("memory")
                }
            if matches { return (String(fields[4]), String(fields[3])) }
        }
        return nil
    }
}

/// The number after `key` at the start of a line.
private func keyedValue(_ key: String, in text: String) -> Int? {
    for line in text.split(separator: "\n") where line.hasPrefix(key) {
        return Int(line.dropFirst(key.count).drop { $0 == " " }.prefix { $0.isNumber })
    }
    return nil
}

/// A text file of the kernel, at most 1 MiB of it, or `nil`.
private func readSystemFile(_ path: String) -> String? {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var text: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 4096)
    while text.count < 1 << 20 {
        let count = unsafe block.withUnsafeMutableBytes { buffer in
            unsafe Glibc.read(descriptor, buffer.baseAddress, buffer.count)
        }
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { break }
        text.append(contentsOf: block[..<count])
    }
    return text.isEmpty ? nil : String(decoding: text, as: UTF8.self)
}
