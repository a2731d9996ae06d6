// SPDX-License-Identifier: Apache-2.0

import TandemFormat

/// A matrix in double precision, row-major.
struct NaiveMatrix {
    let rows: Int
    let columns: Int
    let values: [Double]
    /// When positive, inputs are rounded to int8 in groups of this many elements first, as the engine does for
    /// quantised weights.
    let activationGroup: Int

    func callAsFunction(_ input: [Double]) -> [Double] {
        let x = activationGroup > 0 ? rounded(input) : input
        return (0..<rows).map { row in
            var sum = 0.0
            for column in 0..<columns { sum += values[row * columns + column] * x[column] }
            return sum
        }
    }

    func row(_ index: Int) -> [Double] { Array(values[index * columns..<(index + 1) * columns]) }

    private func rounded(_ input: [Double]) -> [Double] {
        var result = input
        for first in stride(from: 0, to: input.count, by: activationGroup) {
            let range = first..<min(first + activationGroup, input.count)
            let largest = input[range].reduce(0) { max($0, abs($1)) }
            guard largest > 0 else { continue }
            for index in range {
                result[index] = (input[index] * 127 / largest).rounded(.toNearestOrEven) * largest / 127
            }
        }
        return result
    }
}

extension NaiveMatrix {
    init(_ matrix: TestMatrix?, roundsActivations: Bool) {
        rows = matrix?.layout.rows ?? 0
        columns = matrix?.layout.columns ?? 0
        values = (matrix?.values ?? []).map(Double.init)
        activationGroup = roundsActivations ? matrix?.layout.activationGroup ?? 0 : 0
    }
}
