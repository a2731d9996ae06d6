// SPDX-License-Identifier: Apache-2.0

import TandemFormat

/// The shape of one test model; every default is chosen to fit no tile size.
struct ModelShape: Sendable {
    var vocabulary = 61
    var hidden = 48
    var layers = 2
    var heads = 4
    var keyValueHeads = 2
    var headSize = 12
    var intermediate = 70
    var positions = 160
    var epsilon: Float = 1e-5
    var ropeBase: Float = 10_000
    var tied = false
    var architecture = ModelArchitecture()

    func configuration() throws -> ModelConfiguration {
        try ModelConfiguration(
            family: architecture == ModelArchitecture() ? "llama" : "mixed", vocabularySize: vocabulary,
            hiddenSize: hidden, layerCount: layers, headCount: heads,
            keyValueHeadCount: keyValueHeads, headSize: headSize, intermediateSize: intermediate,
            maxPositions: positions, normEpsilon: epsilon, ropeBase: ropeBase, tiedEmbeddings: tied,
            architecture: architecture)
    }
}

/// A random model that a test wants.
struct ModelRecipe: Sendable, CustomStringConvertible {
    enum Secondary: Sendable {
        /// One model alone.
        case none
        /// A plain small draft model.
        case draft(ModelShape)
        /// A plain draft model: the primary's weights with this much relative noise (0 = an exact copy).
        case draftCopy(noise: Double)
        /// A tandem of unlike models.
        case tandem(ModelShape, layerMap: [Int])
        /// A tandem whose secondary is the primary with this much relative noise, with identity projections and every
        /// layer fed by the input of the same layer: without noise it predicts exactly what the primary predicts.
        case tandemCopy(noise: Double)
    }

    var name: String
    var primary = ModelShape()
    var secondary = Secondary.none
    var primaryFormat = WeightFormat.float
    var secondaryFormat = WeightFormat.float
    var projectionFormat = WeightFormat.float
    var blockLength = 2
    /// Standard deviation of the logits, more or less: how decided the model is.
    var sharpness = 2.5
    var endTokens: [Int] = []
    /// The secondary's vocabulary where it is not the shape's own.
    var secondaryVocabulary: Int?
    var hasTokenizer = false
    /// A random block-length router, and tokens that drafts come from, where there is a secondary.
    var router: DraftingConfiguration.Router?
    var draftTokens: [Int]?
    var seed: UInt64 = 1

    var description: String { "\(name) \(primaryFormat)" }

    var secondaryShape: ModelShape? {
        var shape: ModelShape
        switch secondary {
        case .none: return nil
        case .draft(let own), .tandem(let own, _): shape = own
        case .draftCopy, .tandemCopy: shape = primary
        }
        shape.vocabulary = secondaryVocabulary ?? shape.vocabulary
        return shape
    }

    /// Ids below this are tokens of both models.
    var sharedVocabulary: Int { min(primary.vocabulary, secondaryShape?.vocabulary ?? primary.vocabulary) }

    var layerMap: [Int]? {
        switch secondary {
        case .none, .draft, .draftCopy: nil
        case .tandem(_, let map): map
        case .tandemCopy: Array(0..<primary.layers)
        }
    }

    /// Noise of a secondary that is a copy of the primary.
    var copyNoise: Double? {
        switch secondary {
        case .draftCopy(let noise), .tandemCopy(let noise): noise
        default: nil
        }
    }

    /// The same models with a router, or drafts from some tokens.
    func drafting(router: DraftingConfiguration.Router? = nil, tokens: [Int]? = nil) -> ModelRecipe {
        var copy = self
        copy.router = router
        copy.draftTokens = tokens
        copy.name += (router == nil ? "" : ", router") + (tokens.map { ", drafts of \($0.count)" } ?? "")
        return copy
    }

    func stored(as format: WeightFormat) -> ModelRecipe {
        var copy = self
        copy.primaryFormat = format
        copy.secondaryFormat = format
        if copyNoise == nil { copy.projectionFormat = format }
        return copy
    }
}

extension ModelRecipe {
    /// One model, grouped heads, untied head.
    static let single = ModelRecipe(name: "single", seed: 11)

    /// One model, tied embeddings, one key/value head per query head, head size 8.
    static let singleTied = ModelRecipe(
        name: "single tied",
        primary: ModelShape(
            vocabulary: 300, hidden: 80, layers: 3, heads: 5, keyValueHeads: 5, headSize: 8,
            intermediate: 100,
            epsilon: 1e-6, ropeBase: 500_000, tied: true),
        seed: 12)

    /// One model whose heads are wider together than the residual stream, and share one key/value head.
    static let singleWide = ModelRecipe(
        name: "single wide",
        primary: ModelShape(
            vocabulary: 11, hidden: 36, layers: 2, heads: 3, keyValueHeads: 1, headSize: 24, intermediate: 33,
            epsilon: 1e-3, ropeBase: 100, tied: false),
        seed: 13)

    /// Models that have nothing in common but the vocabulary; taps at both ends.
    static let tandem = ModelRecipe(
        name: "tandem",
        primary: ModelShape(vocabulary: 61, layers: 3),
        secondary: .tandem(
            ModelShape(
                vocabulary: 61, hidden: 20, layers: 2, heads: 3, keyValueHeads: 1, headSize: 8,
                intermediate: 37,
                epsilon: 1e-6, ropeBase: 50_000, tied: true),
            layerMap: [0, 3]),
        seed: 14)

    /// A secondary with more and wider layers than the primary, and a tap used twice.
    static let tandemDeep = ModelRecipe(
        name: "tandem deep",
        primary: ModelShape(
            vocabulary: 19, hidden: 32, layers: 2, heads: 2, keyValueHeads: 2, headSize: 16, intermediate: 50,
            tied: true),
        secondary: .tandem(
            ModelShape(
                vocabulary: 19, hidden: 80, layers: 3, heads: 4, keyValueHeads: 2, headSize: 24,
                intermediate: 90,
                ropeBase: 500),
            layerMap: [1, 2, 1]),
        seed: 15)

    /// A tandem that agrees with its primary about half of the time.
    static let tandemNear = ModelRecipe(
        name: "tandem near", primary: ModelShape(vocabulary: 61), secondary: .tandemCopy(noise: 0.08),
        seed: 16)

    /// A tandem that always agrees.
    static let tandemEqual = ModelRecipe(
        name: "tandem equal", primary: ModelShape(vocabulary: 61), secondary: .tandemCopy(noise: 0), seed: 17)

    /// Large enough that matrix products, rows and attention are shared among threads.
    static let wide = ModelRecipe(
        name: "wide",
        primary: ModelShape(
            vocabulary: 300, hidden: 208, layers: 2, heads: 6, keyValueHeads: 2, headSize: 40,
            intermediate: 500,
            tied: true),
        secondary: .tandem(
            ModelShape(
                vocabulary: 300, hidden: 144, layers: 1, heads: 4, keyValueHeads: 4, headSize: 36,
                intermediate: 300),
            layerMap: [2]),
        seed: 21)

    /// A plain pair of unlike models.
    static let pair = ModelRecipe(
        name: "pair",
        secondary: .draft(
            ModelShape(
                hidden: 20, layers: 1, heads: 2, keyValueHeads: 1, headSize: 10, intermediate: 40,
                ropeBase: 1000,
                tied: true)),
        seed: 18)

    /// A plain pair that agrees about half of the time.
    static let pairNear = ModelRecipe(name: "pair near", secondary: .draftCopy(noise: 0.08), seed: 19)

    /// A plain pair that always agrees.
    static let pairEqual = ModelRecipe(name: "pair equal", secondary: .draftCopy(noise: 0), seed: 20)
}
