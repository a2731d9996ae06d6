// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Reproducible random numbers for tests, independent of the engine's own generator (PCG-XSH-RR, 32 bits a draw).
struct TestRandom {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed &* 2 &+ 0x1405_7B7E_F767_814F
        _ = bits()
    }

    mutating func bits() -> UInt32 {
        let old = state
        state = old &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let mixed = UInt32(truncatingIfNeeded: ((old >> 18) ^ old) >> 27)
        let turn = UInt32(truncatingIfNeeded: old >> 59)
        return (mixed >> turn) | (mixed << (32 &- turn & 31))
    }

    /// Uniform in (0, 1).
    mutating func uniform() -> Double { (Double(bits()) + 0.5) * 0x1p-32 }

    /// Standard normal (Box and Muller).
    mutating func normal() -> Double {
        (-2 * log(uniform())).squareRoot() * cos(2 * .pi * uniform())
    }

    mutating func normals(_ count: Int, deviation: Double, mean: Double = 0) -> [Float] {
        (0..<count).map { _ in Float(mean + deviation * normal()) }
    }

    mutating func index(below limit: Int) -> Int { min(limit - 1, Int(uniform() * Double(limit))) }

    /// An index drawn with the given weights (sum 1).
    mutating func index(weights: [Double]) -> Int {
        var rest = uniform()
        for (index, weight) in weights.enumerated() {
            rest -= weight
            if rest < 0 { return index }
        }
        return weights.lastIndex { $0 > 0 } ?? 0
    }
}
