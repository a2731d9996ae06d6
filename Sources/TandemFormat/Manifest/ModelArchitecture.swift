// SPDX-License-Identifier: Apache-2.0

/// How a model differs from the plain Llama architecture; the default value is that architecture.
///
/// All values are independent of each other, so that a family of models is a set of values and never code.
/// ``ModelConfiguration`` checks them against the sizes of the model.
///
/// The layer it describes, with `x` the residual stream, `norm` an RMSNorm by the weights named, `r`
/// ``residualScale``:
///
///     pre:       x += r · attention(norm(x, attn_norm));                        x += r · mlp(norm(x, mlp_norm))
///     post:      x += r · norm(attention(x), attn_post_norm);                   x += r · norm(mlp(x), mlp_post_norm)
///     pre_post:  x += r · norm(attention(norm(x, attn_norm)), attn_post_norm);  …
public struct ModelArchitecture: Sendable, Equatable {
    /// Where the norms of a sublayer stand.
    public enum NormPlacement: String, Sendable, CaseIterable {
        /// Before it.
        case pre
        /// After it, before its result is added to the stream; it reads the stream itself.
        case post
        /// Before and after it.
        case prePost = "pre_post"
    }

    /// RMSNorm of queries and keys, after their biases and before RoPE.
    public enum QueryKeyNorm: String, Sendable, CaseIterable {
        case none
        /// Each head by itself; the weights [headSize] are shared by all heads.
        case head
        /// The whole projection; weights [heads · headSize].
        case row
    }

    /// Activation of the MLP's gate.
    public enum Activation: String, Sendable, CaseIterable {
        /// x · σ(x).
        case silu
        /// GELU, approximated with the hyperbolic tangent.
        case geluTanh = "gelu_tanh"
    }

    /// One way to rotate queries and keys.
    ///
    /// The inverse frequencies are a tensor, ``TensorName/rope(_:_:)``, f32 [1, rotarySize / 2]: element i turns
    /// elements i and i + rotarySize / 2 of a head. Elements from ``rotarySize`` on stay as they are.
    public struct Rope: Sendable, Equatable {
        /// Leading elements of a head that are turned; even, at most the head size.
        public let rotarySize: Int
        /// Cosines and sines are multiplied by it.
        public let attentionFactor: Float
        /// While a text is longer than this many tokens, all of its positions turn by
        /// ``TensorName/longRope(_:_:)`` instead; nil when there is one set of frequencies.
        public let longAbove: Int?

        public init(rotarySize: Int, attentionFactor: Float = 1, longAbove: Int? = nil) {
            self.rotarySize = rotarySize
            self.attentionFactor = attentionFactor
            self.longAbove = longAbove
        }
    }

    public var normPlacement = NormPlacement.pre
    public var queryKeyNorm = QueryKeyNorm.none
    public var activation = Activation.silu
    /// Biases of the query, key and value projections.
    public var attentionBias = false
    /// Bias of attention's output projection.
    public var outputBias = false
    /// Biases of gate, up and down.
    public var mlpBias = false
    /// Factor of attention scores; nil is 1/√headSize.
    public var attentionScale: Float?
    /// Scores s become c · tanh(s / c) before the mask.
    public var attentionSoftcap: Float?
    /// Logits z become c · tanh(z / c), after ``logitScale``.
    public var logitSoftcap: Float?
    /// Factor of the embeddings.
    public var embeddingScale: Float = 1
    /// Factor of what a sublayer adds to the stream.
    public var residualScale: Float = 1
    /// Factor of the logits.
    public var logitScale: Float = 1
    /// Kinds of RoPE in the model; empty: one, over whole heads, from the configuration's `ropeBase`.
    public var ropes: [Rope] = []
    /// For each layer an index into ``ropes``, nil where nothing is rotated; empty: 0 everywhere.
    public var layerRopes: [Int?] = []
    /// For each layer the positions a query sees, its own included; 0: all of them; empty: all, everywhere.
    public var layerWindows: [Int] = []

    public init() {}

    /// The index into ``ropes`` that a layer uses (0 also when there are none: the plain RoPE); nil for none.
    public func rope(ofLayer layer: Int) -> Int? { layerRopes.isEmpty ? 0 : layerRopes[layer] }

    /// The positions a query of that layer sees, its own included; 0: all.
    public func window(ofLayer layer: Int) -> Int { layerWindows.isEmpty ? 0 : layerWindows[layer] }
}
