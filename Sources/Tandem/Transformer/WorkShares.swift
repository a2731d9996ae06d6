// SPDX-License-Identifier: Apache-2.0

/// The items in which threads take the panels of a product: large ones first, then smaller and smaller, so that threads finish
/// together and yet claim, and begin a stream from memory, seldom (guided self-scheduling: Polychronopoulos and Kuck, 1987).
///
/// Value type; safe to share between threads.
package struct WorkShares: Sendable {
    /// Number of items; 1 or more.
    package let count: Int
    private let panels: Int
    private let least: Int
    private let divisor: Int
    private let multiple: Int

    /// A smaller item is not worth its claim and its start.
    private static let leastWeight = 512 * 1024

    /// - Parameters:
    ///   - panels: panels in all, at least 1.
    ///   - weight: what the product costs, in bytes of weights that take as long.
    ///   - threads: at least 1.
    ///   - pairs: whether the kernels work on two panels at a time.
    package init(panels: Int, weight: Int, threads: Int, pairs: Bool) {
        self.panels = panels
        // Small products: one or two items a thread, of one size.
        let small = weight < 2 * Self.leastWeight
        let items = threads &* (weight < Self.leastWeight / 2 ? 1 : 2)
        let even = (panels &+ items &- 1) / items
        divisor = small ? .max : 4 &* threads
        least = small ? even : max(1, min(4, panels / divisor), panels &* Self.leastWeight / weight)
        multiple = pairs && panels >= 4 &* threads ? 2 : 1

        var count = 0
        var begin = 0
        while begin < panels {
            begin = Self.end(after: begin, panels, least, divisor, multiple)
            count &+= 1
        }
        self.count = max(1, count)
    }

    /// The first panel of item `index`, and the one after its last.
    package subscript(index: Int) -> (begin: Int, end: Int) {
        var begin = 0
        var end = Self.end(after: 0, panels, least, divisor, multiple)
        for _ in 0..<index {
            begin = end
            end = Self.end(after: begin, panels, least, divisor, multiple)
        }
        return (begin, end)
    }

    private static func end(
        after begin: Int, _ panels: Int, _ least: Int, _ divisor: Int, _ multiple: Int
    ) -> Int {
        let left = panels &- begin
        let size = max(least, left / divisor)
        let rounded = (size &+ multiple &- 1) / multiple &* multiple
        return begin &+ min(left, rounded)
    }
}
