// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat

/// The last units of a pass, kept in memory as long as nobody else needs the room.
///
/// A unit is copied from the ring as a pass goes by it: nothing is read for that. The units that are held are always the last
/// ones, so that giving some up never concerns what was read ahead for the next pass, which begins with the first ones.
///
/// The last unit lies at the start of the buffer, each one before it behind the one after: giving up the first of those that
/// are held leaves the pages at the end to the system.
///
/// Thread safety: none; used by whoever holds the stream's pass, or keeps passes away.
@safe
final class HeldUnits {
    /// The units from here on are held.
    private(set) var first: Int
    /// There is room for the units from here on.
    private var target: Int
    /// The unit that this pass copies next; those behind ``first`` are there already.
    private var next: Int
    /// Bytes of the regions from each unit on.
    private let lengths: [Int]
    private let buffer: AlignedBuffer?
    private let geometry: PageGeometry

    /// - Parameter capacity: bytes there may ever be room for.
    init(units: [StreamUnit], capacity: Int, geometry: PageGeometry = .system) throws(TandemError) {
        var lengths = [Int](repeating: 0, count: units.count + 1)
        for index in units.indices.reversed() {
            lengths[index] = lengths[index + 1] + units[index].regionLength
        }
        self.lengths = lengths
        self.geometry = geometry
        first = units.count
        target = first
        next = first
        let size = min(capacity, geometry.up(lengths[0]))
        buffer =
            size > 0
            ? try AlignedBuffer(byteCount: size, purpose: "weights held for a while", isSparse: true) : nil
    }

    /// Bytes of memory that are in use for units, or will be when the next pass is over.
    var byteCount: Int { geometry.up(lengths[min(first, target)]) }

    /// Bytes of the units that are held.
    var heldBytes: Int { lengths[first] }

    /// Leaves so many bytes to units. What is too much goes at once; for more of them, the next passes copy.
    func setRoom(_ bytes: Int) {
        let room = min(bytes, buffer?.byteCount ?? 0)
        let used = byteCount
        // The least index whose units fit.
        var (low, high) = (0, lengths.count - 1)
        while low < high {
            let middle = (low + high) / 2
            if geometry.up(lengths[middle]) <= room { high = middle } else { low = middle + 1 }
        }
        target = low
        first = max(first, target)
        next = target
        if byteCount < used { buffer?.discard(from: byteCount) }
    }

    /// A pass begins: what one that was given up has copied does not count.
    func beginPass() {
        next = target
    }

    /// Where a unit is, if it is held.
    func region(of unit: Int) -> UnsafeMutableRawPointer? {
        guard unit >= first, unit + 1 < lengths.count, let buffer else { return nil }
        return unsafe buffer.base + lengths[unit + 1]
    }

    /// Copies a unit that the pass is done with, if there is room for it.
    /// - Returns: whether more units are held than before: all there is room for.
    func take(_ unit: Int, from region: UnsafeRawPointer) -> Bool {
        guard unit == next, unit < first, let buffer else { return false }
        unsafe (buffer.base + lengths[unit + 1]).copyMemory(
            from: region, byteCount: lengths[unit] - lengths[unit + 1])
        next += 1
        guard next == first else { return false }
        first = target
        return true
    }
}
