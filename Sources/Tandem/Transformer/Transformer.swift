// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels
internal import TandemFormat
internal import TandemTokenizer

/// The forward pass of a decoder in block mode, as its ``ModelArchitecture`` describes it.
///
/// A position's logits are the same bits whatever block it was computed in (determinism contract).
///
/// Thread safety: a value of views; concurrent passes need separate caches and workspaces.
struct Transformer {
    let weights: TransformerWeights
    let multiplier: Multiplier

    var kernels: tk_kernels { unsafe multiplier.kernels }
    var workspace: Workspace { multiplier.workspace }
    var hiddenSize: Int { weights.configuration.hiddenSize }
    /// Floats between the rows of ``Workspace/projected``.
    var projectedStride: Int { (hiddenSize + 15) & ~15 }

    /// Runs `tokens` at the positions `position ..< position + tokens.count`.
    ///
    /// Keys and values go into `cache`; the positions before must already be there. Afterwards
    /// `workspace.logits` holds the logits of the rows of `logitRows` (row `logitRows.lowerBound` first), and `taps` the
    /// residual streams. A token outside the vocabulary enters as a zero vector: a secondary with fewer tokens than
    /// its primary may meet one.
    /// - Throws: ``TandemError/cancelled`` between two layers, ``TandemError/format(_:)`` when streamed weights cannot be
    ///   read; the cache then holds nothing new that counts.
    func forward(
        _ tokens: ArraySlice<TokenID>, position: Int, cache: KeyValueCache, taps: TapBuffer?,
        logitRows: Range<Int>, cancellation: CancellationToken?
    ) throws(TandemError) {
        let rows = tokens.count
        let stream = weights.stream
        try stream?.beginPass(cancellation)
        defer { stream?.endPass() }
        try embed(tokens)
        cache.prepareRope(upTo: position + rows)
        for (index, layer) in weights.layers.enumerated() {
            if let cancellation, cancellation.isCancelled { throw .cancelled }
            try stream?.check()
            copyTap(depth: index, rows: rows, taps: taps)
            attention(layer, index: index, rows: rows, position: position, cache: cache)
            feedForward(layer, rows: rows)
        }
        copyTap(depth: weights.layers.count, rows: rows, taps: taps)
        if !logitRows.isEmpty { computeLogits(logitRows) }
        try stream?.check()
    }

    /// Writes keys and values made of the primary's taps into the secondary's cache (`self` is the secondary).
    ///
    /// For every layer j: `G = norm_j(P[j] · x)`, or `P[j] · x` where the layer norms only its results; then the
    /// layer's own key and value projections, biases, key norm, and RoPE at the absolute position (tandem.md, `commit`).
    /// Rows `0 ..< rows` of the taps go to `position ..< position + rows`.
    func commit(
        _ taps: TapBuffer, projections: [Matrix], layerMap: [Int], rows: Int, position: Int,
        cache: KeyValueCache
    ) {
        cache.prepareRope(upTo: position + rows)
        for (index, layer) in weights.layers.enumerated() {
            guard let tap = unsafe taps.rows(atDepth: layerMap[index]) else { continue }
            unsafe multiplier.multiply(
                tap, stride: taps.width, rows: rows,
                by: [
                    Product(
                        matrix: projections[index], output: workspace.projected,
                        outputStride: projectedStride)
                ])
            let input = unsafe normed(
                workspace.projected, stride: projectedStride, rows: rows, by: layer.attentionNorm)
            project(layer, input, rows: rows, withQueries: false)
            rotateAndStore(
                layer, index: index, rows: rows, position: position, cache: cache, withQueries: false)
        }
    }

    private func embed(_ tokens: ArraySlice<TokenID>) throws(TandemError) {
        let scale = weights.configuration.architecture.embeddingScale
        let reader = weights.embeddingRows
        try unsafe reader?.gather(tokens, into: workspace.residual, stride: hiddenSize)
        for (row, token) in tokens.enumerated() {
            let output = unsafe workspace.residual + row &* hiddenSize
            guard token >= 0, Int(token) < weights.embedding.rows else {
                unsafe output.update(repeating: 0, count: hiddenSize)
                continue
            }
            if reader == nil { unsafe weights.embedding.gatherRow(Int(token), into: output) }
            if scale != 1 { unsafe kernels.scale(output, scale, hiddenSize) }
        }
    }

    private func copyTap(depth: Int, rows: Int, taps: TapBuffer?) {
        guard let taps, let target = unsafe taps.rows(atDepth: depth) else { return }
        let place = unsafe target + taps.pendingRows &* taps.width
        unsafe place.update(from: workspace.residual, count: rows &* hiddenSize)
    }

    /// Activations that a matrix product reads.
    @safe
    struct Rows {
        let base: UnsafePointer<Float>
        /// Floats between rows.
        let stride: Int
    }

    /// RMSNorm of rows into `workspace.normed`; the rows themselves where there is no norm.
    func normed(_ input: UnsafePointer<Float>, stride: Int, rows: Int, by norm: UnsafePointer<Float>?) -> Rows
    {
        guard let norm = unsafe norm else { return unsafe Rows(base: input, stride: stride) }
        let width = hiddenSize
        let epsilon = weights.configuration.normEpsilon
        multiplier.forEachRow(rows, cost: width) { row, _ in
            unsafe kernels.rmsnorm(
                input + row &* stride, norm, epsilon, width, workspace.normed + row &* width)
        }
        return unsafe Rows(base: UnsafePointer(workspace.normed), stride: width)
    }

    /// residual += scale · norm(linear(input)), where the norm is there.
    func addSublayer(_ linear: Linear, _ input: Rows, postNorm: UnsafePointer<Float>?, rows: Int) {
        let width = hiddenSize
        let epsilon = weights.configuration.normEpsilon
        let scale = weights.configuration.architecture.residualScale
        unsafe multiplier.multiply(
            input.base, stride: input.stride, rows: rows,
            by: [
                Product(matrix: linear.matrix, output: workspace.projected, outputStride: projectedStride)
            ])
        multiplier.forEachRow(rows, cost: width) { row, _ in
            let result = unsafe workspace.projected + row &* projectedStride
            if let bias = unsafe linear.bias { unsafe kernels.add(result, bias, width) }
            if let postNorm = unsafe postNorm {
                unsafe kernels.rmsnorm(result, postNorm, epsilon, width, result)
            }
            unsafe kernels.add_scaled(workspace.residual + row &* width, scale, result, width)
        }
    }

    private func computeLogits(_ range: Range<Int>) {
        let input = unsafe normed(
            workspace.residual + range.lowerBound &* hiddenSize, stride: hiddenSize, rows: range.count,
            by: weights.norm)
        unsafe multiplier.multiply(
            input.base, stride: input.stride, rows: range.count,
            by: [
                Product(matrix: weights.head, output: workspace.logits, outputStride: workspace.logitStride)
            ])
        let architecture = weights.configuration.architecture
        if architecture.logitScale != 1 || architecture.logitSoftcap != nil {
            scaleLogits(rows: range.count, by: architecture.logitScale, cap: architecture.logitSoftcap)
        }
    }

    private func scaleLogits(rows: Int, by scale: Float, cap: Float?) {
        let vocabulary = weights.configuration.vocabularySize
        let piece = 8192
        let pieces = (vocabulary &+ piece &- 1) / piece
        multiplier.forEachRow(rows &* pieces, cost: piece) { item, _ in
            let first = item % pieces &* piece
            let count = min(piece, vocabulary &- first)
            let logits = unsafe workspace.logits + (item / pieces &* workspace.logitStride &+ first)
            if scale != 1 { unsafe kernels.scale(logits, scale, count) }
            if let cap { unsafe kernels.softcap(logits, cap, count) }
        }
    }
}
