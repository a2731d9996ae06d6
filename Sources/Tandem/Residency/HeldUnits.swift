// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat

/// Units of a pass that are kept in memory as long as nobody else needs the room.
///
/// A unit is copied from the ring as a pass goes by it: nothing is read for that. Which units there is room for follows
/// ``StreamProgram/holdingOrder``, the first of which lie at the start of the buffer: giving some up leaves the pages at the
/// end to the system.
///
/// Thread safety: none; used by whoever holds the stream's pass, or keeps passes away.
@safe
final class HeldUnits {
    /// The units in the order in which they are kept, and each one's place in it.
    private let order: [Int]
    private let rank: [Int]
    /// Bytes of the regions before each place.
    private let offsets: [Int]
    private var isHeld: [Bool]
    /// There is room for so many units.
    private var count = 0
    /// Bytes of the units that are held.
    private(set) var heldBytes = 0
    private let buffer: AlignedBuffer?
    private let geometry: PageGeometry

    /// - Parameter capacity: bytes there may ever be room for.
    init(program: StreamProgram, capacity: Int, geometry: PageGeometry = .system) throws(TandemError) {
        order = program.holdingOrder
        var rank = [Int](repeating: 0, count: order.count)
        var offsets = [0]
        for (place, unit) in order.enumerated() {
            rank[unit] = place
            offsets.append(offsets[place] + program.units[unit].regionLength)
        }
        self.rank = rank
        self.offsets = offsets
        self.geometry = geometry
        isHeld = [Bool](repeating: false, count: order.count)
        let size = min(capacity, geometry.up(offsets[order.count]))
        buffer =
            size > 0
            ? try AlignedBuffer(byteCount: size, purpose: "weights held for a while", largePages: .never)
            : nil
    }

    /// Leaves so many bytes to units. What is too much goes at once; for more of them, the next passes copy.
    /// - Returns: the units that are held no more.
    func setRoom(_ bytes: Int) -> [Int] {
        let room = min(bytes, buffer?.byteCount ?? 0)
        let before = count
        while count < order.count, geometry.up(offsets[count + 1]) <= room { count += 1 }
        while count > 0, geometry.up(offsets[count]) > room { count -= 1 }
        guard count < before else { return [] }
        let gone = order[count..<before].filter { isHeld[$0] }
        for unit in gone {
            isHeld[unit] = false
            heldBytes -= offsets[rank[unit] + 1] - offsets[rank[unit]]
        }
        buffer?.discard(from: geometry.up(offsets[count]))
        return gone
    }

    /// Where a unit is, if it is held.
    func region(of unit: Int) -> UnsafeRawPointer? {
        guard isHeld[unit], let buffer else { return nil }
        return unsafe UnsafeRawPointer(buffer.base + offsets[rank[unit]])
    }

    /// Copies a unit that the pass is done with, if there is room for it.
    /// - Returns: whether it is held from now on.
    func take(_ unit: Int, from region: UnsafeRawPointer) -> Bool {
        let place = rank[unit]
        guard place < count, !isHeld[unit], let buffer else { return false }
        let length = offsets[place + 1] - offsets[place]
        unsafe (buffer.base + offsets[place]).copyMemory(from: region, byteCount: length)
        isHeld[unit] = true
        heldBytes += length
        return true
    }
}
