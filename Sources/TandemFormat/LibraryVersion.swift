// SPDX-License-Identifier: Apache-2.0

/// The version of this library, independent of the container's (``FormatVersion``).
public enum LibraryVersion {
    /// As a string; see CHANGELOG.md.
    public static var current: String { "\(text)" }
    /// As a literal, for callers that need static storage.
    public static var text: StaticString { "0.1.0" }
}
