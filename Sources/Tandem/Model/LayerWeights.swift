// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat

/// A matrix and what is added to its product.
@safe
struct Linear: @unchecked Sendable {
    let matrix: Matrix
    /// One value per row of the matrix; `nil` = none.
    let bias: UnsafePointer<Float>?
}

/// The weights of one decoder layer, and what its architecture says of this layer alone.
///
/// Thread safety: an immutable view; `TransformerWeights` keeps the bytes alive.
@safe
struct LayerWeights: @unchecked Sendable {
    /// RMSNorm weights [hidden] of what attention reads; `nil`: it reads the stream itself.
    let attentionNorm: UnsafePointer<Float>?
    let query: Linear
    let key: Linear
    let value: Linear
    /// RMSNorm weights of queries and keys, for a head or for all of them; `nil` = none.
    let queryNorm: UnsafePointer<Float>?
    let keyNorm: UnsafePointer<Float>?
    let output: Linear
    /// RMSNorm weights [hidden] of what attention gives; `nil` = none.
    let attentionPostNorm: UnsafePointer<Float>?
    /// RMSNorm weights [hidden] of what the feed-forward part reads; `nil`: it reads the stream itself.
    let feedForwardNorm: UnsafePointer<Float>?
    let gate: Linear
    let up: Linear
    let down: Linear
    /// RMSNorm weights [hidden] of what the feed-forward part gives; `nil` = none.
    let feedForwardPostNorm: UnsafePointer<Float>?
    /// Which of the model's RoPE tables turns queries and keys; `nil` = none.
    let rope: Int?
    /// Positions that attention sees, its own included; 0 = all.
    let window: Int

    init(role: ModelRole, index: Int, architecture: ModelArchitecture, loader: inout WeightLoader)
        throws(TandemError)
    {
        let parts = architecture.layerParts
        func vector(_ part: LayerPart) throws(TandemError) -> UnsafePointer<Float>? {
            guard parts.contains(part) else { return nil }
            return unsafe try loader.vector(TensorName.layer(role, index, part))
        }
        func linear(_ matrix: LayerPart, _ bias: LayerPart) throws(TandemError) -> Linear {
            unsafe Linear(
                matrix: try loader.matrix(TensorName.layer(role, index, matrix)), bias: try vector(bias))
        }
        unsafe attentionNorm = try vector(.attentionNorm)
        query = try linear(.query, .queryBias)
        key = try linear(.key, .keyBias)
        value = try linear(.value, .valueBias)
        unsafe queryNorm = try vector(.queryNorm)
        unsafe keyNorm = try vector(.keyNorm)
        output = try linear(.output, .outputBias)
        unsafe attentionPostNorm = try vector(.attentionPostNorm)
        unsafe feedForwardNorm = try vector(.mlpNorm)
        gate = try linear(.gate, .gateBias)
        up = try linear(.up, .upBias)
        down = try linear(.down, .downBias)
        unsafe feedForwardPostNorm = try vector(.mlpPostNorm)
        rope = architecture.rope(ofLayer: index)
        window = architecture.window(ofLayer: index)
    }
}
