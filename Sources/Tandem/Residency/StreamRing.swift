// SPDX-License-Identifier: Apache-2.0

/// Where the units in flight lie in the ring buffer: contiguous regions, taken and given back in the same order.
///
/// Thread safety: a value; its owner keeps order.
package struct StreamRing {
    /// Bytes of the buffer.
    package let size: Int
    private var regions: [Range<Int>] = []

    package init(size: Int) {
        self.size = size
    }

    /// Regions in use, the oldest first.
    package var count: Int { regions.count }

    /// Takes `length` bytes (at least 1) behind the newest region, or at the start when the end is too near.
    /// - Returns: the region's first byte, or `nil` until older regions are given back.
    package mutating func place(_ length: Int) -> Int? {
        let start: Int
        if let first = regions.first, let last = regions.last {
            if last.lowerBound >= first.lowerBound {
                // Not wrapped: room behind the newest, then before the oldest.
                if size - last.upperBound >= length {
                    start = last.upperBound
                } else if length <= first.lowerBound {
                    start = 0
                } else {
                    return nil
                }
            } else {
                guard first.lowerBound - last.upperBound >= length else { return nil }
                start = last.upperBound
            }
        } else {
            guard length <= size else { return nil }
            start = 0
        }
        regions.append(start..<start + length)
        return start
    }

    /// Gives back the oldest region.
    package mutating func removeFirst() {
        if !regions.isEmpty { regions.removeFirst() }
    }

    /// Gives back the newest region.
    package mutating func removeLast() {
        if !regions.isEmpty { regions.removeLast() }
    }

    /// Gives back everything.
    package mutating func removeAll() {
        regions.removeAll(keepingCapacity: true)
    }
}
