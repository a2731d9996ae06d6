// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels
package import TandemTokenizer

/// The random numbers that choose the token of one place of a text.
///
/// The tokens run a race: of a distribution p, token t arrives at time `E(t) / p(t)`, where E(t) is exponentially
/// distributed and belongs to the seed, the place and the token alone. The first to arrive is token t with probability p(t)
/// exactly. So the text that a seed gives is a matter of the primary and its parameters; how the text is drafted cannot
/// show in it. And since two models run the same race, one that predicts nearly what the other predicts has nearly the
/// same tokens in front: these are what to draft (coupling by common exponentials, as in "Coupling without Communication
/// and Drafter-Invariant Speculative Decoding", Daliri, Musco, Suresh 2024).
///
/// Thread safety: a value.
package struct TokenRace: Sendable {
    private let state: UInt64

    /// - Parameters:
    ///   - seed: of the text.
    ///   - place: tokens of the text that came before; every place has numbers of its own.
    package init(seed: UInt64, place: Int) {
        var generator = SeededGenerator(seed: seed)
        let stream = generator.next()
        generator = SeededGenerator(seed: stream ^ UInt64(bitPattern: Int64(place)))
        state = generator.next()
    }

    /// Uniform in (0, 1], a multiple of 2⁻⁵³.
    private func uniform(_ token: TokenID) -> Double {
        var z = state &+ (UInt64(UInt32(bitPattern: token)) &+ 1) &* 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        z ^= z >> 31
        return Double((z >> 11) &+ 1) * 0x1p-53
    }

    /// The token that arrives first.
    package func winner(_ distribution: Distribution) -> TokenID {
        switch distribution {
        case .point(let only): only
        case .sparse: first(1, of: distribution).first?.token ?? 0
        }
    }

    /// A token that arrived, and when.
    package struct Arrival: Sendable, Equatable {
        package let token: TokenID
        package let time: Double
    }

    /// The first `count` tokens to arrive, in that order; fewer where fewer are possible.
    ///
    /// Complexity: O(n) for n possible tokens, and O(count) for each of the few that come to the front meanwhile.
    package func first(_ count: Int, of distribution: Distribution) -> [Arrival] {
        guard count > 0 else { return [] }
        guard case .sparse(let ids, let probabilities) = distribution else {
            if case .point(let only) = distribution { return [Arrival(token: only, time: 0)] }
            return []
        }
        var front: [Arrival] = []
        front.reserveCapacity(count + 1)
        var latest = Double.infinity
        for index in ids.indices where probabilities[index] > 0 {
            let probability = Double(probabilities[index])
            let uniform = uniform(ids[index])
            // −log(u) ≥ 1 − u: most need no logarithm.
            if front.count == count, 1 - uniform >= latest * probability { continue }
            let time = -tk_log_ref(uniform) / probability
            if front.count == count, time >= latest { continue }
            var place = front.count
            while place > 0, time < front[place - 1].time { place -= 1 }
            front.insert(Arrival(token: ids[index], time: time), at: place)
            if front.count > count { front.removeLast() }
            latest = front[front.count - 1].time
        }
        return front
    }
}

/// The races of a text, from one place on.
package struct TokenRaces: Sendable {
    private let seed: UInt64
    private let place: Int

    /// - Parameter place: tokens of the text that came before the first.
    package init(seed: UInt64, place: Int) {
        self.seed = seed
        self.place = place
    }

    /// The race for the token `offset` places after the first.
    package subscript(offset: Int) -> TokenRace { TokenRace(seed: seed, place: place + offset) }
}
