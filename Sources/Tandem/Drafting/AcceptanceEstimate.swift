// SPDX-License-Identifier: Apache-2.0

/// How often something is accepted: a running share that forgets slowly and starts from a prior.
package struct AcceptanceEstimate: Sendable, Equatable {
    private var accepted = 0.0
    private var tried = 0.0
    private let prior: Double
    /// Trials the prior counts for.
    private let strength: Double

    /// What an old trial keeps of its weight with every new one: about the last 100 count.
    private static let memory = 0.99

    /// - Parameters:
    ///   - prior: the share expected before any trial, 0 … 1.
    ///   - strength: trials that it counts for.
    package init(prior: Double, strength: Double = 4) {
        self.prior = prior
        self.strength = strength
    }

    /// The share expected of the next trial, 0 < share < 1.
    package var share: Double {
        (accepted + prior * strength) / (tried + strength)
    }

    /// Weight of the trials so far (at most 100).
    package var trials: Double { tried }

    /// Adds a trial that counts for `weight` trials.
    package mutating func record(_ success: Bool, weight: Int = 1) {
        for _ in 0..<weight {
            accepted = accepted * Self.memory + (success ? 1 : 0)
            tried = tried * Self.memory + 1
        }
    }
}
