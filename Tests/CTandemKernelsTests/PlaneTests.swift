// SPDX-License-Identifier: Apache-2.0

import CTandemKernels
import Testing

/// Bit planes of bytes, and back.
@Suite("Bit planes") struct PlaneTests {
    static let lengths = [0, 8, 16, 56, 64, 72, 200, 512, 520, 4096, 4104]

    static func bytes(_ count: Int) -> [UInt8] {
        var state: UInt32 = 12345
        return (0..<count).map { _ in
            state = state &* 1_664_525 &+ 1_013_904_223
            return UInt8(truncatingIfNeeded: state >> 24)
        }
    }

    static func split(_ bytes: [UInt8]) -> [UInt8] {
        var planes = [UInt8](repeating: 0xEE, count: bytes.count)
        unsafe tk_planes_split(bytes, bytes.count, &planes)
        return planes
    }

    @Test("planes hold the bits of folded bytes", arguments: lengths)
    func definition(length: Int) {
        let bytes = Self.bytes(length)
        let planes = Self.split(bytes)
        var expected = [UInt8](repeating: 0, count: length)
        for (index, byte) in bytes.enumerated() {
            let folded = byte >= 0x80 ? byte ^ 0x7F : byte
            for plane in 0..<8 where folded >> plane & 1 == 1 {
                expected[plane * (length / 8) + index / 8] |= 1 << UInt8(index % 8)
            }
        }
        #expect(planes == expected)
    }

    @Test("every way of joining gives the bytes back", arguments: lengths)
    func joined(length: Int) {
        let bytes = length == 4096 ? (0..<4096).map { UInt8($0 & 255) } : Self.bytes(length)
        let planes = Self.split(bytes)
        for way in 0..<tk_planes_ways() {
            var result = [UInt8](repeating: 0x55, count: length + 64)
            unsafe planes.withUnsafeBufferPointer { planes in
                let list = unsafe (0..<8).map { plane in
                    unsafe planes.baseAddress.map { unsafe $0 + plane * (length / 8) }
                }
                unsafe tk_planes_join_by(way, list, length, &result)
            }
            let name = unsafe String(cString: tk_planes_way_name(way))
            #expect(Array(result[..<length]) == bytes, "\(name)")
            #expect(result[length...].allSatisfy { $0 == 0x55 }, "\(name) wrote past the end")
        }
    }
}
