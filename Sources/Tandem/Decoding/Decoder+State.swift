// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat
internal import TandemTokenizer

/// What lies in the caches, to be carried from one decoder to another.
extension Decoder {
    /// What the first rows of both caches are.
    struct State: Equatable {
        /// Committed tokens.
        var tokenCount = 0
        var lead = ModelRole.primary
        var secondaryContent = SecondaryContent.nothing
        /// How many of the model's lengths of text the RoPE frequencies in force are made for.
        var ropeStage = 0

        /// Positions of the primary's cache that count.
        var primaryPositions: Int { lead == .primary ? tokenCount : 0 }

        /// Positions of the secondary's cache that count.
        var secondaryPositions: Int {
            switch secondaryContent {
            case .nothing: 0
            case .derived: tokenCount
            case .own(let length): length
            }
        }
    }

    /// What the caches hold, once the secondary has been given the taps that are due to it.
    func settledState() throws(TandemError) -> State {
        try commitTaps()
        return State(
            tokenCount: tokens.count, lead: lead,
            secondaryContent: core.secondary == nil ? .nothing : secondaryContent,
            ropeStage: ropeStage(length: ropeLength))
    }

    /// Forgets everything and makes the caches ready to be filled with what `state` describes.
    func prepare(for state: State) throws(TandemError) {
        reset()
        lead = state.lead
        ropeLength = state.ropeStage == 0 ? 0 : core.ropeLimits[state.ropeStage - 1] + 1
        primaryCache?.selectRope(textLength: ropeLength)
        secondaryCache?.selectRope(textLength: ropeLength)
        if state.primaryPositions > 0, primaryCache == nil {
            primaryCache = try makeCache(core.primary)
        }
        if state.secondaryPositions > 0, secondaryCache == nil, let weights = core.secondary {
            secondaryCache = try makeCache(weights)
        }
        primaryCache?.use(upTo: state.primaryPositions)
        secondaryCache?.use(upTo: state.secondaryPositions)
        try core.fitWeights()
    }

    /// Begins to count on what the caches were filled with since ``prepare(for:)``.
    /// - Precondition: `tokens.count == state.tokenCount`.
    func adopt(_ state: State, tokens: [TokenID]) {
        self.tokens = tokens
        secondaryContent = state.secondaryContent
    }

    /// Takes what another decoder of the same model holds. Copies the positions in use.
    func copyState(from other: Decoder) throws(TandemError) {
        let state = try other.settledState()
        try prepare(for: state)
        if let source = other.primaryCache {
            primaryCache?.copyPositions(
                state.primaryPositions, layerCount: core.primary.configuration.layerCount, from: source)
        }
        if let source = other.secondaryCache, let configuration = core.secondary?.configuration {
            secondaryCache?.copyPositions(
                state.secondaryPositions, layerCount: configuration.layerCount, from: source)
        }
        adopt(state, tokens: other.tokens)
        policy = other.policy
    }
}
