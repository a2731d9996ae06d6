// SPDX-License-Identifier: Apache-2.0

import Tandem
import TandemJSON

extension RouterStatistics {
    var json: JSONValue {
        ["sampled": sampled.json, "greedy": greedy.json]
    }

    /// The line under the table.
    var line: String {
        "router: Brier score \(fixed(greedy.brierScore, 4)) greedy, \(fixed(sampled.brierScore, 4)) sampled; promises "
            + "\(fixed(100 * greedy.meanEstimate, 1)) % of \(fixed(100 * greedy.meanOutcome, 1)) % kept greedily\n"
    }
}

extension RouterStatistics.Output {
    fileprivate var json: JSONValue {
        [
            "mean_estimate": .number(meanEstimate),
            "mean_outcome": .number(meanOutcome),
            "brier_score": .number(brierScore),
        ]
    }
}
