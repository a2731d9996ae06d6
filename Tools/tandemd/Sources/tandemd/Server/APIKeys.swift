// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// The keys that requests over TCP must show.
///
/// Thread safety: any thread may check keys while others replace them.
final class APIKeys: Sendable {
    private let fixed: [[UInt8]]
    private let path: String?
    private let fromFile: Mutex<[[UInt8]]>

    /// - Parameters:
    ///   - keys: keys of the settings.
    ///   - path: a file with a key on every line; lines that begin with `#` are comments.
    init(keys: [String], path: String?) throws(SettingsError) {
        fixed = keys.map { Array($0.utf8) }
        self.path = path
        fromFile = Mutex(try path.map { (path) throws(SettingsError) in try Self.read(path) } ?? [])
        guard path == nil || count > 0 else {
            throw .unreadable(path: path ?? "", reason: "the file holds no key")
        }
    }

    /// How many keys there are; with none, no request needs one.
    var count: Int { fixed.count + fromFile.withLock { $0.count } }

    /// Reads the file again; keeps the keys there were when it cannot be used.
    func reload() throws(SettingsError) {
        guard let path else { return }
        let keys = try Self.read(path)
        guard !keys.isEmpty else { throw .unreadable(path: path, reason: "the file holds no key") }
        fromFile.withLock { $0 = keys }
    }

    /// Whether the value of an `Authorization` header is `Bearer` and one of the keys.
    ///
    /// Takes the same time for every wrong key of a length.
    func accepts(authorization: String?) -> Bool {
        guard let authorization else { return false }
        let scheme = "bearer "
        guard authorization.count > scheme.count, authorization.prefix(scheme.count).lowercased() == scheme
        else { return false }
        let given = Array(trimmed(authorization.dropFirst(scheme.count)).utf8)
        let keys = fixed + fromFile.withLock { $0 }
        var isAccepted = false
        for key in keys where Self.equal(key, given) { isAccepted = true }
        return isAccepted
    }

    /// Whether a text can be sent as a key at all.
    static func isUsable(_ key: String) -> Bool {
        (1...1024).contains(key.utf8.count) && key.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }

    private static func equal(_ first: [UInt8], _ second: [UInt8]) -> Bool {
        guard first.count == second.count else { return false }
        var difference: UInt8 = 0
        for index in first.indices { difference |= first[index] ^ second[index] }
        return difference == 0
    }

    private static func read(_ path: String) throws(SettingsError) -> [[UInt8]] {
        var keys: [[UInt8]] = []
        let text = try readTextFile(path, limit: 1 << 20)
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let key = String(trimmed(line))
            guard !key.isEmpty, !key.hasPrefix("#") else { continue }
            guard isUsable(key) else {
                throw .syntax(
                    path: path, line: index + 1,
                    reason: "a key must be 1 to 1024 visible ASCII characters, without spaces")
            }
            keys.append(Array(key.utf8))
        }
        return keys
    }
}
