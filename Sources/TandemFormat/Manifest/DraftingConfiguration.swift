// SPDX-License-Identifier: Apache-2.0

import TandemJSON

/// What a file holds to make drafting cheaper, beside the secondary itself (`Formats/tandem-file.md`, "Drafting").
///
/// Neither part changes the text: one decides when a block ends, the other which tokens are ever drafted.
public struct DraftingConfiguration: Sendable, Equatable {
    /// The block-length router: a small network that says how likely the next draft is to be kept.
    public struct Router: Sendable, Equatable {
        /// Most probable tokens it looks at, 1 … 32.
        public let topCount: Int
        /// Hidden units, 1 … 1024.
        public let hiddenSize: Int

        /// Values are checked by ``Manifest``.
        public init(topCount: Int, hiddenSize: Int) {
            self.topCount = topCount
            self.hiddenSize = hiddenSize
        }

        /// Inputs over embeddings of `width` elements: the entropy, the probabilities, the embeddings.
        public func inputCount(width: Int) -> Int { 1 + topCount + topCount * width }
    }

    public let router: Router?
    /// Rows of the head that drafts are made with; nil: drafts come from the secondary's whole vocabulary.
    public let vocabularySize: Int?

    /// Values are checked by ``Manifest``, which knows both models.
    public init(router: Router? = nil, vocabularySize: Int? = nil) {
        self.router = router
        self.vocabularySize = vocabularySize
    }

    /// - Throws: ``FormatError/invalidField(name:offset:reason:)`` for what does not fit the models.
    func check(primary: ModelConfiguration, secondary: ModelConfiguration?) throws(FormatError) {
        guard let secondary else {
            throw .invalidField(
                name: "manifest.drafting", offset: nil, reason: "present, but there is no secondary model")
        }
        let shared = min(primary.vocabularySize, secondary.vocabularySize)
        func check(_ name: String, _ value: Int, _ limit: Int) throws(FormatError) {
            guard value < 1 || value > limit else { return }
            throw .invalidField(
                name: "manifest.drafting.\(name)", offset: nil, reason: "\(value) is outside 1...\(limit)")
        }
        if let router {
            try check("router.top_count", router.topCount, min(FormatLimits.maximumRouterTokens, shared))
            try check("router.hidden_size", router.hiddenSize, FormatLimits.maximumRouterUnits)
        }
        if let vocabularySize { try check("vocabulary_size", vocabularySize, shared) }
    }
}

extension DraftingConfiguration {
    init?(optional reader: ManifestReader?) throws(FormatError) {
        guard let reader else { return nil }
        let router = try reader.optionalObject("router")
        try self.init(
            router: router.map { (router) throws(FormatError) in
                try Router(
                    topCount: router.integer("top_count"), hiddenSize: router.integer("hidden_size"))
            },
            vocabularySize: reader.optionalInteger("vocabulary_size"))
    }

    var json: JSONValue {
        var object = JSONObject()
        if let router {
            object["router"] = [
                "top_count": .integer(Int64(router.topCount)),
                "hidden_size": .integer(Int64(router.hiddenSize)),
            ]
        }
        if let vocabularySize { object["vocabulary_size"] = .integer(Int64(vocabularySize)) }
        return .object(object)
    }

    /// The tensors it asks for, in file order.
    package func requiredTensors(secondary: ModelConfiguration) -> [TensorRequirement] {
        var list: [TensorRequirement] = []
        let width = secondary.hiddenSize
        if let router {
            let units = router.hiddenSize
            list += [
                .matrix(
                    TensorName.router(.hidden), units, router.inputCount(width: width), isFloat: true),
                .vector(TensorName.router(.hiddenBias), units),
                .vector(TensorName.router(.sampled), units),
                .vector(TensorName.router(.sampledBias), 1),
                .vector(TensorName.router(.greedy), units),
                .vector(TensorName.router(.greedyBias), 1),
            ]
        }
        if let vocabularySize {
            list += [
                .vector(TensorName.draftTokens, vocabularySize),
                .matrix(TensorName.draftHead, vocabularySize, width),
            ]
        }
        return list
    }
}

/// The tensors of a router, in file order.
public enum RouterPart: String, Sendable, CaseIterable {
    /// [hidden size, inputs], 32-bit floats in panels.
    case hidden
    case hiddenBias = "hidden_bias"
    /// Weights [hidden size] and bias [1] of the chance that a draft is kept under sampling.
    case sampled
    case sampledBias = "sampled_bias"
    /// The same for greedy decoding.
    case greedy
    case greedyBias = "greedy_bias"
}

extension TensorName {
    /// A tensor of the block-length router.
    public static func router(_ part: RouterPart) -> String { "drafting.router.\(part.rawValue)" }
    /// Ids of the tokens that are drafted, ascending, as floats [1, N].
    public static let draftTokens = "drafting.tokens"
    /// Their rows of the secondary's head [N, hidden].
    public static let draftHead = "drafting.head"
}
