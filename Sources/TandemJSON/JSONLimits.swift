// SPDX-License-Identifier: Apache-2.0

/// What a parser accepts before it gives up on a text.
public struct JSONLimits: Sendable, Equatable {
    /// How deep arrays and objects may nest, 1 … 1024. Values outside are clamped, because a deeper tree
    /// would exhaust the stack when it is compared or released.
    public var maxDepth: Int {
        didSet { maxDepth = Self.clampedDepth(maxDepth) }
    }

    /// The longest text in bytes; `nil` is unlimited.
    public var maxBytes: Int?

    /// Whether an object that repeats a key is refused. When it is not, the last value wins, in the first
    /// one's place.
    public var rejectDuplicateKeys: Bool

    /// 64 levels, any length, duplicate keys refused.
    public static let `default` = JSONLimits()

    public init(maxDepth: Int = 64, maxBytes: Int? = nil, rejectDuplicateKeys: Bool = true) {
        self.maxDepth = Self.clampedDepth(maxDepth)
        self.maxBytes = maxBytes
        self.rejectDuplicateKeys = rejectDuplicateKeys
    }

    private static func clampedDepth(_ depth: Int) -> Int {
        min(max(depth, 1), 1024)
    }
}
