// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels
internal import TandemFormat
internal import TandemTokenizer

/// The forward pass of a decoder in block mode, as its ``ModelArchitecture`` describes it.
///
/// A position's logits are the same bits whatever block it was computed in (determinism contract).
///
/// Thread safety: a value of views; one pass at a time uses a workspace.
struct Transformer {
    let weights: TransformerWeights
    let multiplier: Multiplier

    var kernels: tk_kernels { unsafe multiplier.kernels }
    var workspace: Workspace { multiplier.workspace }
    var hiddenSize: Int { weights.configuration.hiddenSize }
    /// Floats between the rows of ``Workspace/projected``.
    var projectedStride: Int { (hiddenSize + 15) & ~15 }

    /// Runs the rows of all requests, which are the parts of `batch`.
    ///
    /// Keys and values go into each request's cache; the positions before must already be there. Afterwards its logits
    /// hold those of the rows of `logitRows`, and its taps the residual streams. A token outside the vocabulary enters
    /// as a zero vector: a secondary with fewer tokens than its primary may meet one.
    ///
    /// Rows of which nobody wants more leave the batch once the last layer has their keys and values.
    ///
    /// A request that is cancelled leaves the batch before the next layer; nothing of it is written from then on.
    /// - Throws: ``TandemError/cancelled`` when no request is left, ``TandemError/format(_:)`` when streamed weights cannot
    ///   be read; the caches then hold nothing new that counts.
    func forward(_ requests: [PassRequest], _ batch: inout PassBatch, observer: (any PassObserver)?)
        throws(TandemError)
    {
        guard batch.rowCount > 0 else { return }
        let stream = weights.stream
        try stream?.beginPass(requests.map(\.cancellation), observer: observer)
        defer { stream?.endPass() }
        for part in batch.parts { try embed(requests[part.request].tokens, row: part.firstRow) }
        for (index, layer) in weights.layers.enumerated() {
            try betweenLayers(requests, &batch, observer: observer)
            try stream?.check()
            copyTaps(depth: index, requests, batch)
            attention(layer, index: index, &batch) { rowsAsked(of: $0, layer: index, requests) }
            guard batch.rowCount > 0 else { break }
            feedForward(layer, rows: batch.rowCount)
        }
        copyTaps(depth: weights.layers.count, requests, batch)
        copyStates(requests, batch)
        computeLogits(requests, batch)
        try stream?.check()
    }

    /// Writes keys and values made of the primary's taps into the secondary's caches (`self` is the secondary).
    ///
    /// For every layer j: `G = norm_j(P[j] · x)`, or `P[j] · x` where the layer norms only its results; then the
    /// layer's own key and value projections, biases, key norm, and RoPE at the absolute position (tandem.md, `commit`).
    /// The parts of `batch` are the rows of the requests' `due`.
    /// - Throws: ``TandemError/cancelled`` when no request is left.
    func commit(
        _ requests: [PassRequest], _ batch: inout PassBatch, projections: [Matrix], layerMap: [Int],
        observer: (any PassObserver)?
    ) throws(TandemError) {
        for (index, layer) in weights.layers.enumerated() {
            guard batch.rowCount > 0 else { return }
            try betweenLayers(requests, &batch, observer: observer)
            guard let tap = gatherTaps(atDepth: layerMap[index], requests, batch) else { continue }
            let rows = batch.rowCount
            unsafe multiplier.multiply(
                tap.base, stride: tap.stride, rows: rows,
                by: [
                    Product(
                        matrix: projections[index], output: workspace.projected,
                        outputStride: projectedStride)
                ])
            let input = unsafe normed(
                workspace.projected, stride: projectedStride, rows: rows, by: layer.attentionNorm)
            project(layer, input, rows: rows, withQueries: false)
            rotateAndStore(layer, index: index, batch, withQueries: false)
        }
    }

    /// Rows of a part, counted from its first, of which anybody wants what comes out of a layer: of the last one not all, since
    /// nothing but their keys and values is read of the others.
    private func rowsAsked(of part: PassBatch.Part, layer: Int, _ requests: [PassRequest]) -> Range<Int> {
        guard layer == weights.layers.count - 1 else { return 0..<part.rowCount }
        let request = requests[part.request]
        let endsInTaps = unsafe request.taps?.rows(atDepth: weights.layers.count) != nil
        if part.tree != nil || request.states != nil || request.recorder != nil || endsInTaps {
            return 0..<part.rowCount
        }
        // Streamed weights are read and verified in the order of their use: somebody has to use them.
        if request.logitRows.isEmpty, weights.stream != nil { return part.rowCount - 1..<part.rowCount }
        return request.logitRows
    }

    /// Lets cancelled requests go, and the observer do what it does between layers.
    private func betweenLayers(
        _ requests: [PassRequest], _ batch: inout PassBatch, observer: (any PassObserver)?
    ) throws(TandemError) {
        observer?.betweenLayers()
        // Asked once: a token may be cancelled between two looks at it.
        var gone: [Int] = []
        for index in batch.parts.indices {
            let request = batch.parts[index].request
            if let cancellation = requests[request].cancellation, cancellation.isCancelled {
                gone.append(request)
            }
        }
        guard !gone.isEmpty else { return }
        batch.remove {
            gone.contains($0.request)
        } move: { rows, first in
            unsafe move(rows, to: first, in: workspace.residual, stride: hiddenSize)
        }
        observer?.didDrop(gone)
        if batch.parts.isEmpty { throw .cancelled }
    }

    /// Moves rows of activations to where the first of them is to be.
    func move(_ rows: Range<Int>, to first: Int, in base: UnsafeMutablePointer<Float>, stride: Int) {
        unsafe (base + first &* stride).update(
            from: base + rows.lowerBound &* stride, count: rows.count &* stride)
    }

    /// The due taps of one depth, one request's rows behind the other's.
    private func gatherTaps(atDepth depth: Int, _ requests: [PassRequest], _ batch: PassBatch) -> Rows? {
        var width = 0
        for part in batch.parts {
            guard let due = requests[part.request].due, let rows = unsafe due.taps.rows(atDepth: depth) else {
                return nil
            }
            width = due.taps.width
            if batch.parts.count == 1 { return unsafe Rows(base: UnsafePointer(rows), stride: width) }
            // Nothing else is in the residual stream before the rows are run.
            unsafe (workspace.residual + part.firstRow &* width).update(
                from: rows, count: part.rowCount &* width)
        }
        return unsafe Rows(base: UnsafePointer(workspace.residual), stride: width)
    }

    private func embed(_ tokens: ArraySlice<TokenID>, row first: Int) throws(TandemError) {
        let scale = weights.configuration.architecture.embeddingScale
        let reader = weights.embeddingRows
        let base = unsafe workspace.residual + first &* hiddenSize
        try unsafe reader?.gather(tokens, into: base, stride: hiddenSize)
        for (row, token) in tokens.enumerated() {
            let output = unsafe base + row &* hiddenSize
            guard token >= 0, Int(token) < weights.embedding.rows else {
                unsafe output.update(repeating: 0, count: hiddenSize)
                continue
            }
            if reader == nil { unsafe weights.embedding.gatherRow(Int(token), into: output) }
            if scale != 1 { unsafe kernels.scale(output, scale, hiddenSize) }
        }
    }

    private func copyTaps(depth: Int, _ requests: [PassRequest], _ batch: PassBatch) {
        for part in batch.parts {
            guard let taps = requests[part.request].taps, let target = unsafe taps.rows(atDepth: depth) else {
                continue
            }
            unsafe (target + taps.pendingRows &* taps.width).update(
                from: workspace.residual + part.firstRow &* hiddenSize, count: part.rowCount &* hiddenSize)
        }
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
}
