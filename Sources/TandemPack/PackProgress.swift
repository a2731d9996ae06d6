// SPDX-License-Identifier: Apache-2.0

/// How far packing has come.
public struct PackProgress: Sendable, Equatable {
    /// Bytes of source weights that are packed, and all of them.
    public let completedBytes: Int
    public let totalBytes: Int
    /// The tensor being packed, by its name in the container.
    public let tensor: String

    /// Between 0 and 1.
    public var fraction: Double { totalBytes > 0 ? Double(completedBytes) / Double(totalBytes) : 1 }
}
