// SPDX-License-Identifier: Apache-2.0

import CTandemKernels
import Foundation
import Testing

@Suite("exp, tanh, log and RoPE tables")
struct HelperTests {
    @Test("exp: relative error below 2e-7, and the documented ends")
    func exponential() {
        var worst = 0.0
        for i in 0...1_750_000 {
            let x = -87.32 + Float(i) * 0.0001
            if x > 88.72 { break }
            let exact = exp(Double(x))
            worst = max(worst, abs(Double(tk_expf_ref(x)) - exact) / exact)
        }
        #expect(worst < 2e-7)
        #expect(tk_expf_ref(0) == 1 && tk_expf_ref(-0.0) == 1)
        #expect(tk_expf_ref(-87.34) == 0 && tk_expf_ref(-.infinity) == 0 && tk_expf_ref(-87.33) > 0)
        #expect(tk_expf_ref(88.73) == .infinity && tk_expf_ref(.infinity) == .infinity)
        #expect(tk_expf_ref(88.72).isFinite && tk_expf_ref(.nan).isNaN)
    }

    @Test("tanh: relative error below 3e-7, odd, and the documented ends")
    func hyperbolicTangent() {
        var worst = 0.0
        for i in 1...1_000_000 {
            let x = Float(i) * 1e-5
            let exact = tanh(Double(x))
            worst = max(worst, abs(Double(tk_tanhf_ref(x)) - exact) / exact)
        }
        var x: Float = 1e-38
        while x < 1e-5 {
            worst = max(worst, abs(Double(tk_tanhf_ref(x)) - tanh(Double(x))) / tanh(Double(x)))
            x *= 1.37
        }
        #expect(worst < 3e-7)
        for x in [Float(1e-30), 0.1, 0.5499999, 0.55, 3, 50, 1e30] {
            #expect(tk_tanhf_ref(-x) == -tk_tanhf_ref(x))
        }
        #expect(tk_tanhf_ref(0) == 0 && tk_tanhf_ref(.infinity) == 1 && tk_tanhf_ref(-.infinity) == -1)
        #expect(tk_tanhf_ref(20) == 1 && tk_tanhf_ref(.nan).isNaN)
    }

    @Test("log: relative error below 1e-15, and the documented ends")
    func logarithm() {
        func error(_ x: Double) -> Double { abs(tk_log_ref(x) - log(x)) / abs(log(x)) }
        var worst = 0.0
        var x = 0x1p-1060
        while x < 1e308 {
            worst = max(worst, error(x))
            x *= 1.0171
        }
        for i in 1...100_000 { worst = max(worst, error(1 + Double(i) * 7e-6), error(1 - Double(i) * 7e-6)) }
        for i in 1...52 { worst = max(worst, error(1 + Double(sign: .plus, exponent: -i, significand: 1))) }
        #expect(worst < 1e-15)
        #expect(tk_log_ref(1) == 0 && tk_log_ref(0) == -.infinity && tk_log_ref(.infinity) == .infinity)
        #expect(tk_log_ref(-1).isNaN && tk_log_ref(.nan).isNaN)
    }

    /// Values computed with PyTorch 2.13: 1.0 / (base ** (torch.arange(0, dim, 2).float() / dim)), as bit patterns.
    @Test("RoPE frequencies agree with the reference models' to one unit in the last place")
    func frequencies() throws {
        for reference in ropeReferences {
            var mine = [Float](repeating: 0, count: reference.dimension / 2)
            unsafe tk_rope_frequencies(reference.base, reference.dimension / 2, &mine)
            for (i, pattern) in reference.values {
                let distance = abs(Int(mine[i].bitPattern) - Int(pattern))
                #expect(distance <= 1, "base \(reference.base), dim \(reference.dimension), index \(i)")
            }
            for i in mine.indices {
                let exact = pow(Double(reference.base), -Double(2 * i) / Double(reference.dimension))
                #expect(abs(Double(mine[i]) - exact) <= exact * 1e-6)
            }
        }
    }

    @Test("cosine and sine are the correctly rounded ones of the float angle")
    func ropeRow() {
        let half = 64
        var frequencies = [Float](repeating: 0, count: half)
        unsafe tk_rope_frequencies(10000, half, &frequencies)
        var row = [Float](repeating: 0, count: 2 * half)
        var scaled = row
        let positions = Array(0..<5000) + stride(from: 5000, to: 4_000_000, by: 7919)
        for position in positions {
            unsafe tk_rope_row(position, frequencies, half, 1, &row)
            unsafe tk_rope_row(position, frequencies, half, 1.19, &scaled)
            for i in 0..<half {
                let angle = Double(Float(position) * frequencies[i])
                guard row[i] == Float(cos(angle)), row[half + i] == Float(sin(angle)),
                    scaled[i] == row[i] * 1.19,
                    scaled[half + i] == row[half + i] * 1.19
                else {
                    Issue.record("position \(position), index \(i): angle \(angle)")
                    return
                }
            }
        }
    }

    @Test("angles near multiples of pi/2 and absurd ones")
    func ropeEdges() {
        var out: [Float] = [0, 0]
        // The floats nearest to multiples of pi/2 leave the smallest remainders.
        for k in 1...20_000 {
            let angle = Float(Double(k) * Double.pi / 2)
            unsafe tk_rope_row(1, [angle], 1, 1, &out)
            let tolerance = 1e-12
            #expect(
                abs(Double(out[0]) - cos(Double(angle))) <= abs(cos(Double(angle))) * 6.1e-8 + tolerance
                    * 1e-6)
            #expect(abs(Double(out[1]) - sin(Double(angle))) <= abs(sin(Double(angle))) * 6.1e-8)
        }
        for absurd in [Float.infinity, -.infinity, .nan, 1e30, -1e30, 0x1p50] {
            unsafe tk_rope_row(1, [absurd], 1, 1, &out)
            #expect(out[0].isNaN && out[1].isNaN)
        }
        unsafe tk_rope_row(.max, [1e-6], 1, 1, &out)
        #expect(abs(out[0]) <= 1 && abs(out[1]) <= 1)
    }
}
