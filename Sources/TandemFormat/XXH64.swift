// SPDX-License-Identifier: Apache-2.0

/// The 64-bit xxHash with seed 0, incremental. Detects damage; it does not protect against forgery.
///
/// Usage:
///
///     var hash = XXH64()
///     hash.update(bytes)
///     let checksum = hash.digest()
///
/// Source: the public algorithm description of xxHash (XXH64). Complexity: O(bytes), constant memory.
public struct XXH64: Sendable {
    private static let prime1: UInt64 = 0x9E37_79B1_85EB_CA87
    private static let prime2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
    private static let prime3: UInt64 = 0x1656_67B1_9E37_79F9
    private static let prime4: UInt64 = 0x85EB_CA77_C2B2_AE63
    private static let prime5: UInt64 = 0x27D4_EB2F_1656_67C5
    private static let stripe = 32

    private var lanes: SIMD4<UInt64>
    private var total: UInt64 = 0
    private var pending: [UInt8] = []

    public init() {
        lanes = SIMD4(Self.prime1 &+ Self.prime2, Self.prime2, 0, 0 &- Self.prime1)
    }

    /// The hash of some bytes in one call.
    public static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var state = XXH64()
        unsafe state.update(bytes)
        return state.digest()
    }

    /// The hash of an array in one call.
    public static func hash(_ bytes: [UInt8]) -> UInt64 {
        unsafe bytes.withUnsafeBytes { unsafe hash($0) }
    }

    /// Adds bytes; the result depends on the bytes alone, not on how they are split over calls.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        total &+= UInt64(bytes.count)
        var start = 0
        if !pending.isEmpty {
            start = min(Self.stripe - pending.count, bytes.count)
            unsafe pending.append(contentsOf: bytes[0..<start])
            guard pending.count == Self.stripe else { return }
            unsafe pending.withUnsafeBytes { unsafe Self.consume($0, into: &lanes) }
            pending.removeAll(keepingCapacity: true)
        }
        let whole = (bytes.count &- start) & ~(Self.stripe - 1)
        unsafe Self.consume(UnsafeRawBufferPointer(rebasing: bytes[start..<start + whole]), into: &lanes)
        unsafe pending.append(contentsOf: bytes[(start + whole)...])
    }

    /// The hash of everything added so far.
    public func digest() -> UInt64 {
        var hash: UInt64
        if total >= UInt64(Self.stripe) {
            hash = Self.rotate(lanes[0], 1) &+ Self.rotate(lanes[1], 7)
            hash = hash &+ Self.rotate(lanes[2], 12) &+ Self.rotate(lanes[3], 18)
            for lane in 0..<4 {
                hash = (hash ^ Self.round(0, lanes[lane])) &* Self.prime1 &+ Self.prime4
            }
        } else {
            hash = Self.prime5
        }
        hash = hash &+ total
        return Self.avalanche(finish(hash))
    }

    private func finish(_ start: UInt64) -> UInt64 {
        var hash = start
        var index = 0
        while index + 8 <= pending.count {
            hash =
                Self.rotate(hash ^ Self.round(0, word(at: index, bytes: 8)), 27) &* Self.prime1 &+ Self.prime4
            index += 8
        }
        if index + 4 <= pending.count {
            hash =
                Self.rotate(hash ^ (word(at: index, bytes: 4) &* Self.prime1), 23) &* Self.prime2
                &+ Self.prime3
            index += 4
        }
        while index < pending.count {
            hash = Self.rotate(hash ^ (UInt64(pending[index]) &* Self.prime5), 11) &* Self.prime1
            index += 1
        }
        return hash
    }

    private func word(at index: Int, bytes: Int) -> UInt64 {
        var value: UInt64 = 0
        for byte in (0..<bytes).reversed() { value = value << 8 | UInt64(pending[index + byte]) }
        return value
    }

    private static func avalanche(_ value: UInt64) -> UInt64 {
        var hash = value
        hash = (hash ^ (hash >> 33)) &* prime2
        hash = (hash ^ (hash >> 29)) &* prime3
        return hash ^ (hash >> 32)
    }

    @inline(__always)
    private static func rotate(_ value: UInt64, _ count: UInt64) -> UInt64 {
        value &<< count | value &>> (64 &- count)
    }

    @inline(__always)
    private static func round(_ lane: UInt64, _ word: UInt64) -> UInt64 {
        rotate(lane &+ word &* prime2, 31) &* prime1
    }

    /// Mixes whole 32-byte stripes into the four lanes.
    private static func consume(_ bytes: UnsafeRawBufferPointer, into lanes: inout SIMD4<UInt64>) {
        guard let base = bytes.baseAddress else { return }
        var (a, b, c, d) = (lanes[0], lanes[1], lanes[2], lanes[3])
        var offset = 0
        while offset < bytes.count {
            unsafe a = round(
                a, UInt64(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
            unsafe b = round(
                b, UInt64(littleEndian: base.loadUnaligned(fromByteOffset: offset &+ 8, as: UInt64.self)))
            unsafe c = round(
                c, UInt64(littleEndian: base.loadUnaligned(fromByteOffset: offset &+ 16, as: UInt64.self)))
            unsafe d = round(
                d, UInt64(littleEndian: base.loadUnaligned(fromByteOffset: offset &+ 24, as: UInt64.self)))
            offset &+= 32
        }
        lanes = SIMD4(a, b, c, d)
    }
}
