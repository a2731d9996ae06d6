// SPDX-License-Identifier: Apache-2.0

/// What may stand in a `Host` header while only this machine can connect.
///
/// A page that a browser has loaded from elsewhere could reach the daemon under a name of its own that resolves to
/// 127.0.0.1; such names are refused.
enum LoopbackHost {
    /// Whether an address to listen on can be reached from this machine only.
    static func isLoopback(_ host: String) -> Bool {
        host == "localhost" || host == "::1" || host.hasPrefix("127.")
    }

    /// Whether the value of a `Host` header names this machine as such.
    static func allows(authority: String, listeningOn host: String) -> Bool {
        let name = withoutPort(authority)
        return isLoopback(name) || name == "[::1]" || name == host || name.hasSuffix(".localhost")
    }

    private static func withoutPort(_ authority: String) -> String {
        if authority.hasPrefix("[") {
            return authority.firstIndex(of: "]").map { String(authority[...$0]) } ?? authority
        }
        return authority.firstIndex(of: ":").map { String(authority[..<$0]) } ?? authority
    }
}
