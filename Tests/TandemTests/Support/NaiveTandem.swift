// SPDX-License-Identifier: Apache-2.0

import TandemFormat

/// Both models of a random file, and the ways they decode together.
struct NaiveTandem {
    var primary: NaiveTransformer
    let secondary: NaiveTransformer?
    /// Ids below this are tokens of both models.
    private let sharedVocabulary: Int
    private let projections: [NaiveMatrix]
    private let layerMap: [Int]

    init(_ model: RandomModel, roundsActivations: Bool = false) {
        let recipe = model.recipe
        sharedVocabulary = recipe.sharedVocabulary
        primary = NaiveTransformer(
            model, role: .primary, shape: recipe.primary, roundsActivations: roundsActivations)
        secondary = recipe.secondaryShape.map {
            NaiveTransformer(model, role: .secondary, shape: $0, roundsActivations: roundsActivations)
        }
        layerMap = recipe.layerMap ?? []
        projections = layerMap.indices.map {
            NaiveMatrix(model.matrices["tandem.projections.\($0)"], roundsActivations: roundsActivations)
        }
    }

    func primaryLogits(_ tokens: [Int32]) -> [[Double]] { primary.forward(tokens).logits }

    /// The secondary's logits when position i attends to the primary's representations of all t < blockStart(i).
    /// A plain draft model attends to its own. Only the tokens of both models have logits.
    func secondaryLogits(_ tokens: [Int32], blockStart: (Int) -> Int) -> [[Double]] {
        guard let secondary else { return [] }
        guard !projections.isEmpty else { return secondary.forward(tokens).logits.map(shared) }
        let streams = primary.forward(tokens).streams
        let given = secondary.given(streams: streams, projections: projections, layerMap: layerMap)
        return secondary.forward(tokens, given: given, blockStart: blockStart).logits.map(shared)
    }

    private func shared(_ logits: [Double]) -> [Double] { Array(logits.prefix(sharedVocabulary)) }

    /// Whether the secondary may draft after a token.
    private func knows(_ token: Int32) -> Bool { Int(token) < sharedVocabulary }

    /// How many tokens a text may gain before a model's RoPE takes other frequencies; no block goes further.
    private func room(after length: Int) -> Int {
        min(primary.ropeRoom(after: length), secondary?.ropeRoom(after: length) ?? Int.max)
    }

    /// Greedy standalone tandem: after every `drafts` tokens of the secondary one of the primary.
    func standaloneGreedy(_ prompt: [Int32], drafts: Int, count: Int) -> [Int32] {
        var tokens = prompt
        var isPrimary = true
        var blockStart = prompt.count
        var inBlock = 0
        while tokens.count < prompt.count + count {
            if isPrimary {
                blockStart = tokens.count
                tokens.append(naiveBest(primaryLogits(tokens).last ?? []))
                inBlock = 0
            } else {
                let start = blockStart
                let logits = secondaryLogits(tokens) { min($0, start) }
                tokens.append(naiveBest(logits.last ?? []))
                inBlock += 1
            }
            isPrimary =
                inBlock >= min(drafts, room(after: blockStart + 1)) || !knows(tokens[tokens.count - 1])
        }
        return Array(tokens.dropFirst(prompt.count))
    }

    /// Greedy SPEED: what was produced, and how many drafts of each pass were kept.
    func speedGreedy(_ prompt: [Int32], drafts: Int, count: Int) -> (tokens: [Int32], accepted: [Int]) {
        var tokens = prompt + [naiveBest(primaryLogits(prompt).last ?? [])]
        var accepted: [Int] = []
        while tokens.count < prompt.count + count {
            let start = tokens.count - 1
            var drafted = tokens
            let wanted = knows(tokens[start]) ? prompt.count + count - tokens.count - 1 : 0
            for _ in 0..<min(drafts, wanted, room(after: tokens.count)) {
                drafted.append(naiveBest(secondaryLogits(drafted) { min($0, start) }.last ?? []))
            }
            let truth = primaryLogits(drafted)
            var kept = 0
            while tokens.count < drafted.count, naiveBest(truth[tokens.count - 1]) == drafted[tokens.count] {
                tokens.append(drafted[tokens.count])
                kept += 1
            }
            accepted.append(kept)
            tokens.append(naiveBest(truth[tokens.count - 1]))
        }
        return (Array(tokens.dropFirst(prompt.count)), accepted)
    }

    /// Greedy decoding of one model alone.
    func greedy(_ prompt: [Int32], role: ModelRole, count: Int) -> [Int32] {
        let model = role == .primary ? primary : secondary ?? primary
        var tokens = prompt
        for _ in 0..<count {
            let logits = model.forward(tokens).logits.last ?? []
            tokens.append(naiveBest(role == .primary ? logits : shared(logits)))
        }
        return Array(tokens.dropFirst(prompt.count))
    }
}

/// First index of the greatest value.
func naiveBest(_ values: [Double]) -> Int32 {
    var best = 0
    for index in values.indices where values[index] > values[best] { best = index }
    return Int32(best)
}
