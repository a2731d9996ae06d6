// SPDX-License-Identifier: Apache-2.0

import TandemFormat

extension ModelArchitecture {
    /// An architecture with every member drawn at random, within what a model of that shape may have.
    init(random: inout TestRandom, layers: Int, headSize: Int) {
        func pick<T>(_ choices: [T], _ random: inout TestRandom) -> T {
            choices[random.index(below: choices.count)]
        }
        func factor(_ low: Double, _ high: Double, _ random: inout TestRandom) -> Float {
            Float(low + (high - low) * random.uniform())
        }
        self.init()
        normPlacement = pick([.pre, .post, .prePost], &random)
        queryKeyNorm = pick([.none, .head, .row], &random)
        activation = pick([.silu, .geluTanh], &random)
        attentionBias = pick([true, false], &random)
        outputBias = pick([true, false], &random)
        mlpBias = pick([true, false], &random)
        if pick([true, false], &random) { attentionScale = factor(0.15, 0.6, &random) }
        if pick([true, false], &random) { attentionSoftcap = factor(0.5, 5, &random) }
        if pick([true, false], &random) { logitSoftcap = factor(3, 8, &random) }
        if pick([true, false], &random) { embeddingScale = factor(0.7, 3, &random) }
        if pick([true, false], &random) { residualScale = factor(0.3, 1, &random) }
        if pick([true, false], &random) { logitScale = factor(0.6, 1.4, &random) }
        let kinds = random.index(below: 4)
        for _ in 0..<kinds {
            ropes.append(
                Rope(
                    rotarySize: 2 * (1 + random.index(below: headSize / 2)),
                    attentionFactor: pick([1, factor(0.8, 1.2, &random)], &random),
                    longAbove: pick([nil, 20, 1000], &random)))
        }
        if pick([true, false], &random) {
            layerRopes = (0..<layers).map { _ in
                pick([nil] + (0..<max(1, kinds)).map(Optional.some), &random)
            }
        }
        if pick([true, false], &random) {
            layerWindows = (0..<layers).map { _ in pick([0, 1, 2, 5, 8, 30], &random) }
        }
    }
}

extension ModelShape {
    /// A random architecture in a small random shape.
    static func random(seed: UInt64, vocabulary: Int) -> ModelShape {
        var random = TestRandom(seed: seed)
        var shape = ModelShape(vocabulary: vocabulary)
        shape.hidden = [20, 36, 48, 64][random.index(below: 4)]
        shape.layers = 2 + random.index(below: 2)
        shape.keyValueHeads = 1 + random.index(below: 3)
        shape.heads = shape.keyValueHeads * (1 + random.index(below: 3))
        shape.headSize = [8, 12, 16, 20][random.index(below: 4)]
        shape.intermediate = [33, 48, 70][random.index(below: 3)]
        shape.epsilon = [1e-6, 1e-5][random.index(below: 2)]
        shape.tied = random.index(below: 2) == 0
        shape.architecture = ModelArchitecture(
            random: &random, layers: shape.layers, headSize: shape.headSize)
        return shape
    }

    /// Every member of the architecture away from its default.
    static let everything: ModelShape = {
        var shape = ModelShape(layers: 4, headSize: 16)
        shape.architecture.normPlacement = .prePost
        shape.architecture.queryKeyNorm = .head
        shape.architecture.activation = .geluTanh
        shape.architecture.attentionBias = true
        shape.architecture.outputBias = true
        shape.architecture.mlpBias = true
        shape.architecture.attentionScale = 0.4
        shape.architecture.attentionSoftcap = 1.5
        shape.architecture.logitSoftcap = 5
        shape.architecture.embeddingScale = 2
        shape.architecture.residualScale = 0.6
        shape.architecture.logitScale = 1.3
        shape.architecture.ropes = [
            .init(rotarySize: 10), .init(rotarySize: 16, attentionFactor: 1.1, longAbove: 40),
        ]
        shape.architecture.layerRopes = [0, 1, nil, 1]
        shape.architecture.layerWindows = [4, 0, 11, 9]
        return shape
    }()
}

extension ModelRecipe {
    /// Pairs and tandems of unlike random architectures; some with vocabularies of different sizes.
    static let architectures: [ModelRecipe] = (0..<16).map { index in
        let seed = UInt64(900 + 7 * index)
        let vocabularies = [(61, 61), (61, 53), (40, 56), (61, 61)][index % 4]
        let primary = ModelShape.random(seed: seed, vocabulary: vocabularies.0)
        let other = ModelShape.random(seed: seed + 3, vocabulary: vocabularies.1)
        var random = TestRandom(seed: seed)
        let map = (0..<other.layers).map { _ in random.index(below: primary.layers + 1) }
        return ModelRecipe(
            name: "architecture \(index)", primary: primary,
            secondary: index % 3 == 2 ? .draft(other) : .tandem(other, layerMap: map), seed: seed)
    }

    /// One model that uses every member.
    static let everything = ModelRecipe(name: "everything", primary: .everything, seed: 31)

    /// A tandem and a pair of that architecture that agree with their primary about half of the time.
    static let everythingTandem = ModelRecipe(
        name: "everything, tandem", primary: .everything, secondary: .tandemCopy(noise: 0.06), seed: 32)
    static let everythingPair = ModelRecipe(
        name: "everything, pair", primary: .everything, secondary: .draftCopy(noise: 0.06), seed: 33)

    /// The same with a norm after each sublayer only, and norms of whole queries and keys.
    static let postTandem: ModelRecipe = {
        var shape = ModelShape.everything
        shape.architecture.normPlacement = .post
        shape.architecture.queryKeyNorm = .row
        return ModelRecipe(
            name: "post, tandem", primary: shape, secondary: .tandemCopy(noise: 0.06), seed: 34)
    }()

    /// Near copies whose secondary knows fewer tokens, and more: a pair and a tandem of each.
    static let fewerTokens = nearCopies(vocabulary: 48, name: "fewer tokens")
    static let moreTokens = nearCopies(vocabulary: 90, name: "more tokens")

    private static func nearCopies(vocabulary: Int, name: String) -> [ModelRecipe] {
        [Secondary.draftCopy(noise: 0.04), .tandemCopy(noise: 0.04)].map { secondary in
            var recipe = ModelRecipe(name: name, secondary: secondary, sharpness: 3, seed: 35)
            recipe.secondaryVocabulary = vocabulary
            return recipe
        }
    }
}
