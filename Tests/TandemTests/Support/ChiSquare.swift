// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Pearson's test of counts against expected counts.
struct ChiSquare {
    let statistic: Double
    let degreesOfFreedom: Int
    /// Probability of a statistic at least this large when the counts do follow the expectation.
    let pValue: Double

    /// Outcomes with fewer than 5 expected counts are pooled. An outcome that is impossible but was seen gives p = 0.
    init(counts: [Int], probabilities: [Double]) {
        let total = Double(counts.reduce(0, +))
        var statistic = 0.0
        var cells = 0
        var pooledCount = 0.0
        var pooledExpected = 0.0
        var isImpossible = false
        for (count, probability) in zip(counts, probabilities) {
            if probability <= 0 {
                if count > 0 { isImpossible = true }
                continue
            }
            let expected = probability * total
            if expected < 5 {
                pooledCount += Double(count)
                pooledExpected += expected
            } else {
                statistic += (Double(count) - expected) * (Double(count) - expected) / expected
                cells += 1
            }
        }
        if pooledExpected > 0 {
            let difference = pooledCount - pooledExpected
            statistic += difference * difference / max(pooledExpected, 1e-9)
            cells += 1
        }
        self.statistic = statistic
        degreesOfFreedom = max(0, cells - 1)
        pValue =
            isImpossible
            ? 0 : degreesOfFreedom == 0 ? 1 : upperGamma(Double(degreesOfFreedom) / 2, statistic / 2)
    }
}

/// The regularised upper incomplete gamma function Q(a, x): series below a + 1, continued fraction (Lentz) above.
func upperGamma(_ a: Double, _ x: Double) -> Double {
    if x <= 0 { return 1 }
    let front = exp(a * log(x) - x - lgamma(a))
    if x < a + 1 {
        var term = 1 / a
        var sum = term
        var n = a
        while term > sum * 1e-15 {
            n += 1
            term *= x / n
            sum += term
        }
        return 1 - front * sum
    }
    var b = x + 1 - a
    var c = 1e300
    var d = 1 / b
    var result = d
    for i in 1...100_000 {
        let step = -Double(i) * (Double(i) - a)
        b += 2
        d = 1 / (step * d + b)
        c = b + step / c
        result *= d * c
        if abs(d * c - 1) < 1e-14 { break }
    }
    return front * result
}
