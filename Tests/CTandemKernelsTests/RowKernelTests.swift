// SPDX-License-Identifier: Apache-2.0

import CTandemKernels
import Foundation
import Testing

@Suite("Row kernels: norm, rotation, gating, softmax, argmax")
struct RowKernelTests {
    static let lengths = Array(1...70) + [96, 255, 384, 1024, 4099]

    @Test("every table gives the scalar table's bits", arguments: Table.all)
    func equalsScalar(table: Table) {
        var random = Random(seed: 31)
        let scalar = Table.scalar
        for n in Self.lengths {
            for wild in [false, true] {
                let a = wild ? random.wildFloats(n) : random.floats(n, scale: 30)
                let b = wild ? random.wildFloats(n) : random.floats(n)
                let message: Comment = "n = \(n), wild: \(wild)"
                #expect(
                    bits(table.rmsnorm(a, weight: b, epsilon: 1e-5))
                        == bits(scalar.rmsnorm(a, weight: b, epsilon: 1e-5)), message)
                #expect(bits(table.swiglu(gate: a, up: b)) == bits(scalar.swiglu(gate: a, up: b)), message)
                #expect(bits(table.geglu(gate: a, up: b)) == bits(scalar.geglu(gate: a, up: b)), message)
                #expect(bits(table.add(a, b)) == bits(scalar.add(a, b)), message)
                #expect(
                    bits(table.addScaled(a, factor: 0.22, b)) == bits(scalar.addScaled(a, factor: 0.22, b)),
                    message)
                #expect(bits(table.scale(a, by: 19.6)) == bits(scalar.scale(a, by: 19.6)), message)
                for cap in [Float(0.5), 30] {
                    #expect(bits(table.softcap(a, cap: cap)) == bits(scalar.softcap(a, cap: cap)), message)
                }
                #expect(
                    bits(table.softmax(a, inverseTemperature: 0.8))
                        == bits(scalar.softmax(a, inverseTemperature: 0.8)),
                    message)
                #expect(table.argmax(a) == scalar.argmax(a), message)
            }
        }
    }

    @Test("rotation gives the scalar table's bits and leaves the rest alone", arguments: Table.all)
    func rope(table: Table) {
        var random = Random(seed: 32)
        for half in [1, 4, 7, 8, 15, 16, 17, 24, 32, 40, 48, 64, 100] {
            for extra in [0, 3] {
                for heads in [1, 2, 7] {
                    let stride = 2 * half + extra
                    let x = random.floats(heads * stride)
                    let angles = (0..<half).map { _ in Double(random.float()) * 10 }
                    let cosSin = angles.map { Float(cos($0)) } + angles.map { Float(sin($0)) }
                    let y = table.rope(x, heads: heads, stride: stride, half: half, cosSin: cosSin)
                    let reference = Table.scalar.rope(
                        x, heads: heads, stride: stride, half: half, cosSin: cosSin)
                    #expect(bits(y) == bits(reference), "half \(half), extra \(extra), heads \(heads)")
                    for head in 0..<heads {
                        let base = head * stride
                        for i in 0..<half {
                            let (a, b) = (Double(x[base + i]), Double(x[base + half + i]))
                            #expect(
                                abs(Double(y[base + i]) - (a * cos(angles[i]) - b * sin(angles[i]))) < 3e-7)
                            #expect(
                                abs(Double(y[base + half + i]) - (b * cos(angles[i]) + a * sin(angles[i])))
                                    < 3e-7)
                        }
                        for i in 2 * half..<stride { #expect(y[base + i] == x[base + i]) }
                    }
                }
            }
        }
    }

    @Test("the scalar table agrees with double precision", arguments: [1, 16, 37, 384, 4096])
    func accuracy(n: Int) {
        var random = Random(seed: 33)
        let a = random.floats(n, scale: 12)
        let b = random.floats(n)

        let mean = a.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(n)
        let norm = Table.scalar.rmsnorm(a, weight: b, epsilon: 1e-5)
        let gated = Table.scalar.swiglu(gate: a, up: b)
        let gelued = Table.scalar.geglu(gate: a, up: b)
        let soft = Table.scalar.softcap(a, cap: 8)
        let added = Table.scalar.addScaled(b, factor: 0.25, a)
        let scaled = Table.scalar.scale(b, by: 0.7)
        for i in 0..<n {
            let expected = Double(a[i]) / (mean + 1e-5).squareRoot() * Double(b[i])
            #expect(abs(Double(norm[i]) - expected) <= abs(expected) * 1e-6)
            let silu = Double(a[i]) / (1 + exp(-Double(a[i]))) * Double(b[i])
            #expect(abs(Double(gated[i]) - silu) <= abs(silu) * 5e-7)
            let x = Double(a[i])
            let inner = (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)
            // The textbook form 1 + tanh cancels for negative x, even in double precision.
            let gelu = x / (1 + exp(-2 * inner)) * Double(b[i])
            #expect(abs(Double(gelued[i]) - gelu) <= abs(gelu) * (5e-7 + 3e-7 * abs(inner)) + 1e-36)
            let capped = 8 * tanh(x / 8)
            #expect(abs(Double(soft[i]) - capped) <= abs(capped) * 6e-7)
            let sum = Double(b[i]) + 0.25 * x
            #expect(abs(Double(added[i]) - sum) <= abs(sum) * 6e-8)
            #expect(scaled[i] == b[i] * 0.7)
        }

        let weights = a.map { exp((Double($0) - Double(a.max()!)) * 0.7) }
        let total = weights.reduce(0, +)
        for (p, w) in zip(Table.scalar.softmax(a, inverseTemperature: 0.7), weights) {
            #expect(abs(Double(p) - w / total) <= w / total * 2e-6 + 1e-38)
        }
    }

    @Test("gates and caps of infinities are as documented", arguments: Table.all)
    func limits(table: Table) {
        let ends: [Float] = [.infinity, -.infinity, 3e38, -3e38, 0, -0.0, 1e-30]
        #expect(table.softcap(ends, cap: 50)[..<6] == [50, -50, 50, -50, 0, 0])
        #expect(table.softcap([.nan], cap: 50)[0].isNaN)
        let gated = table.geglu(gate: ends, up: [Float](repeating: 1, count: ends.count))
        #expect(gated[0] == .infinity && gated[2] == 3e38 && gated[3] == 0 && gated[4] == 0)
        // A factor of one is plain addition.
        var random = Random(seed: 34)
        let (a, b) = (random.floats(77, scale: 9), random.floats(77))
        #expect(bits(table.addScaled(a, factor: 1, b)) == bits(table.add(a, b)))
    }

    @Test("softmax of infinities and argmax of ties and NaN are as documented", arguments: Table.all)
    func edges(table: Table) {
        let masked = table.softmax(
            [-.infinity, 2, 2, -.infinity] + [Float](repeating: -.infinity, count: 20), inverseTemperature: 1)
        #expect(masked[0] == 0 && masked[1] == 0.5 && masked[2] == 0.5 && masked[23] == 0)

        #expect(table.argmax([.nan]) == 0)
        #expect(table.argmax([Float](repeating: .nan, count: 40)) == 0)
        #expect(table.argmax([.nan, -.infinity]) == 1)
        #expect(table.argmax([-0.0, 0.0]) == 0)
        for n in [1, 15, 16, 17, 31, 32, 33, 64, 100, 4097] {
            for position in Set([0, n / 3, n / 2, n - 1]) {
                var x = [Float](repeating: .nan, count: n)
                x[position] = -5
                x[n - 1] = position == n - 1 ? -5 : -5.5
                #expect(table.argmax(x) == position)
                // A tie goes to the first.
                x[n - 1] = -5
                #expect(table.argmax(x) == position)
            }
        }
    }
}
