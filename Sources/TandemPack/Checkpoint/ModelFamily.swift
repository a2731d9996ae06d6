// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemJSON

/// What distinguishes one family of Hugging Face checkpoints: a table of values that one reader interprets.
///
/// A family lists the architectures it covers, what config.json may leave out, how its layers differ from Llama's,
/// which settings must have which values for the engine to compute the same text, and how the tensors are called.
/// The files of `Families/` hold nothing but such values.
struct ModelFamily: Sendable {
    /// Values of `architectures[0]`.
    var architectures: [String]
    /// The family's name in the container, and the value of `model_type`, checked when present.
    var modelType: String
    /// Other values of `model_type`.
    var otherModelTypes: [String] = []
    /// The member that holds the language model's settings, for models that have other parts.
    var textMember: String?
    var defaults: Defaults
    var traits = Traits()
    var rope = RopeTraits()
    var windows = WindowTraits()
    var rules: [SettingRule] = SettingRule.common
    var names = TensorNames()

    /// What config.json may leave out; nil: it must not.
    struct Defaults: Sendable {
        var vocabularySize: Int?
        var hiddenSize: Int?
        var layerCount: Int?
        var headCount: Int?
        /// nil: as many as heads.
        var keyValueHeadCount: Int?
        /// nil: the width divided by the heads.
        var headSize: Int?
        var intermediateSize: Int?
        var maxPositions: Int
        var normEpsilon = 1e-6
        var tiedEmbeddings = false
    }

    /// How the layers differ from Llama's; the values of ``ModelArchitecture`` and where config.json has them.
    struct Traits: Sendable {
        var normPlacement = ModelArchitecture.NormPlacement.pre
        var queryKeyNorm = ModelArchitecture.QueryKeyNorm.none
        /// Added to the weights of all norms: 1 where they multiply by 1 + w.
        var normOffset: Float = 0
        var activation = (key: "hidden_act", fallback: "silu")
        /// Names of activations that mean another.
        var activationNames: [String: String] = [:]
        var attentionBias = Flag.never
        var outputBias = Flag.never
        var mlpBias = Flag.never
        var attentionScale = AttentionScale.inverseRootOfHeadSize
        /// Members that may be null: no cap.
        var attentionSoftcap: (key: String, fallback: Double?)?
        var logitSoftcap: (key: String, fallback: Double?)?
        var embeddingScale = EmbeddingScale.one
        var residualScale: String?
        /// A member by which logits are divided.
        var logitDivisor: String?
    }

    enum Flag: Sendable {
        case never
        case always
        /// A boolean member, false when absent.
        case member(String)
    }

    enum AttentionScale: Sendable {
        case inverseRootOfHeadSize
        /// 1 / √member.
        case inverseRoot(key: String, fallback: Double)
        case member(key: String, fallback: Double)
    }

    enum EmbeddingScale: Sendable {
        case one
        case rootOfHiddenSize
        case member(String)
    }

    /// The families that can be packed.
    static let all: [ModelFamily] = [
        .llama, .mistral, .qwen2, .qwen3, .gemma, .gemma2, .gemma3, .gemma3Multimodal, .phi3, .smollm3,
        .olmo2,
        .olmo3, .granite,
    ]

    static var supportedArchitectures: [String] { all.flatMap(\.architectures) }
}
