// SPDX-License-Identifier: Apache-2.0

import CTandemKernels
import Testing

@Suite("f16 and bf16 conversions")
struct ConversionTests {
    static let allHalves = (0...UInt16.max).map { $0 }

    /// The value of an f16 from its definition.
    private func reference(_ h: UInt16) -> Double {
        let sign: Double = h >> 15 == 0 ? 1 : -1
        let exponent = Int(h >> 10 & 31)
        let mantissa = Double(h & 1023)
        if exponent == 31 { return mantissa == 0 ? sign * .infinity : .nan }
        if exponent == 0 { return sign * mantissa * 0x1p-24 }
        return sign * Double(sign: .plus, exponent: exponent - 15, significand: 1 + mantissa / 1024)
    }

    @Test("all 65536 f16 values widen exactly", arguments: Table.all)
    func widening(table: Table) {
        let wide = table.float(fromHalf: Self.allHalves)
        for (h, f) in zip(Self.allHalves, wide) {
            let expected = reference(h)
            #expect(expected.isNaN ? f.isNaN : Double(f) == expected && f.sign == expected.sign, "\(h)")
            #expect(f.bitPattern == tk_f32_from_f16(h).bitPattern)
            if f.isNaN {
                #expect(!f.isSignalingNaN && f.bitPattern >> 31 == UInt32(h >> 15))
            }
        }
    }

    @Test(
        "narrowing rounds half to even: values, neighbours of midpoints, overflow, NaN", arguments: Table.all)
    func narrowing(table: Table) {
        var inputs: [Float] = []
        var expected: [UInt16] = []
        func add(_ f: Float, _ h: UInt16) {
            inputs += [f, -f]
            expected += [h, h | 0x8000]
        }
        for h in UInt16(0)..<0x7c00 {
            let f = Float(reference(h))
            add(f, h)
            // Above the greatest finite value the next step would be 65536.
            let next = h == 0x7bff ? 65536 : Float(reference(h + 1))
            let middle = (f + next) / 2
            add(middle, h % 2 == 0 ? h : h + 1)
            add(middle.nextDown, h)
            add(middle.nextUp, h + 1)
        }
        add(.infinity, 0x7c00)
        add(.greatestFiniteMagnitude, 0x7c00)
        add(.leastNonzeroMagnitude, 0)
        add(65520, 0x7c00)
        #expect(table.half(fromFloat: inputs) == expected)
        #expect(inputs.map(tk_f16_from_f32) == expected)
    }

    @Test("NaN stays NaN, quiet, with its sign and the payload that fits", arguments: Table.all)
    func nan(table: Table) {
        let patterns: [UInt32] = [
            0x7fc0_0000, 0x7f80_0001, 0xff80_0001, 0xffff_ffff, 0x7fa0_2000, 0x7f80_2000,
        ]
        let inputs = (0..<20).map { Float(bitPattern: patterns[$0 % patterns.count]) }
        let expected: [UInt16] = [0x7e00, 0x7e00, 0xfe00, 0xffff, 0x7f01, 0x7e01]
        #expect(table.half(fromFloat: inputs) == (0..<20).map { expected[$0 % expected.count] })
    }

    @Test("random bit patterns narrow like the scalar function", arguments: Table.all)
    func random(table: Table) {
        var random = Random(seed: 51)
        let inputs = (0..<100_003).map { _ in Float(bitPattern: UInt32(truncatingIfNeeded: random.next())) }
        #expect(table.half(fromFloat: inputs) == inputs.map(tk_f16_from_f32))
    }

    @Test("bf16 moves its bits unchanged", arguments: Table.all)
    func bfloat(table: Table) {
        let wide = table.float(fromBFloat: Self.allHalves)
        #expect(zip(Self.allHalves, wide).allSatisfy { $1.bitPattern == UInt32($0) << 16 })
        for n in 1...40 {
            #expect(table.float(fromBFloat: Array(Self.allHalves[16000..<16000 + n])).count == n)
            #expect(
                bits(table.float(fromHalf: Array(Self.allHalves[5000..<5000 + n])))
                    == bits(Array(Table.scalar.float(fromHalf: Self.allHalves)[5000..<5000 + n])))
        }
    }
}
