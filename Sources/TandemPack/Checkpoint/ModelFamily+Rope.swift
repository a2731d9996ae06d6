// SPDX-License-Identifier: Apache-2.0

extension ModelFamily {
    /// How a family's config.json describes rotary embeddings.
    struct RopeTraits: Sendable {
        var base = 10_000.0
        /// Whether `partial_rotary_factor` is honoured; elsewhere whole heads are turned.
        var isPartial = false
        /// `original_max_position_embeddings` of families that have it outside the scaling, when absent.
        var originalPositions: Int?
        /// Values of `rope_type` that mean another.
        var typeNames: [String: String] = [:]
        var types = RopeType.allCases
        /// For families whose window layers turn by other frequencies.
        var windowLayers: WindowLayers?
        var unrotated: UnrotatedLayers?
    }

    /// RoPE of the layers with a window: unscaled, with a base of its own.
    struct WindowLayers: Sendable {
        /// nil: it is always the default.
        var baseMember: String?
        var base: Double
    }

    /// Layers without RoPE.
    struct UnrotatedLayers: Sendable {
        /// A list with a number for each layer, 0 where nothing is turned.
        var list: String
        /// Without the list, every so many layers nothing is turned.
        var interval: (key: String, fallback: Int)
    }

    /// Values of `rope_type`.
    enum RopeType: String, Sendable, CaseIterable {
        case plain = "default"
        case linear, llama3, yarn, longrope
    }

    /// Which layers see only the positions nearest to them.
    struct WindowTraits: Sendable {
        /// A boolean member without which there is no window.
        var flag: String?
        /// `sliding_window` when absent; null always means no window.
        var fallback: Int?
        var layers = Layers.none
        /// Whether `layer_types` decides when present.
        var hasLayerTypes = false

        enum Layers: Sendable {
            /// `sliding_window` means nothing to the family.
            case none
            case all
            /// All but every n-th.
            case allButEvery(key: String?, fallback: Int)
            /// Those from a number on.
            case from(key: String, fallback: Int)
            /// Those without RoPE.
            case unrotated
        }
    }
}
