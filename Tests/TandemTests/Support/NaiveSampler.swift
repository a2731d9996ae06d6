// SPDX-License-Identifier: Apache-2.0

import Foundation
import Tandem

/// KL(p ‖ q) in nats.
func naiveDivergence(_ p: [Double], _ q: [Double]) -> Double {
    zip(p, q).reduce(0) { $0 + $1.0 * (log($1.0) - log($1.1)) }
}

/// The sampling pipeline as a dense distribution: penalties, top-k, top-p, min-p, temperature.
func naiveDistribution(
    _ logits: [Double], _ parameters: SamplingParameters, history: [Int32]
) -> [Double] {
    var logits = logits
    let window =
        parameters.repeatLastN < 0 ? history : Array(history.suffix(parameters.repeatLastN))
    for token in Set(window) where Int(token) < logits.count {
        let count = Double(window.count { $0 == token })
        var logit = logits[Int(token)]
        if logit > 0 {
            logit /= Double(parameters.repeatPenalty)
        } else {
            logit *= Double(parameters.repeatPenalty)
        }
        logit -= Double(parameters.presencePenalty) + count * Double(parameters.frequencyPenalty)
        logits[Int(token)] = logit
    }
    var result = [Double](repeating: 0, count: logits.count)
    if parameters.temperature == 0 {
        result[Int(naiveBest(logits))] = 1
        return result
    }

    var kept = logits.indices.sorted { logits[$0] > logits[$1] || (logits[$0] == logits[$1] && $0 < $1) }
    if parameters.topK > 0 { kept = Array(kept.prefix(parameters.topK)) }
    if parameters.topP < 1 {
        var sum = 0.0
        var count = 0
        for probability in naiveSoftmax(kept.map { logits[$0] }) {
            count += 1
            sum += probability
            if sum >= Double(parameters.topP) { break }
        }
        kept = Array(kept.prefix(count))
    }
    if parameters.minP > 0 {
        let best = exp(logits[kept[0]])
        kept = kept.enumerated().filter {
            $0.offset == 0 || exp(logits[$0.element]) >= Double(parameters.minP) * best
        }
        .map(\.element)
    }
    let weights = naiveSoftmax(kept.map { logits[$0] / Double(parameters.temperature) })
    for (index, weight) in zip(kept, weights) { result[index] = weight }
    return result
}
