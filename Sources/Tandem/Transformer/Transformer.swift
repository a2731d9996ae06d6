// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels
internal import TandemFormat
internal import TandemTokenizer

/// The primary's residual stream at the layers that the secondary reads, for the rows of one block.
///
/// Thread safety: none; taps belong to one session.
final class TapBuffer {
    /// Distinct numbers of primary layers applied, ascending: 0 is the embedding, `layerCount` is before the final norm.
    let depths: [Int]
    let maxRows: Int
    let width: Int
    private let buffer: AlignedBuffer

    init(layerMap: [Int], width: Int, maxRows: Int) throws(TandemError) {
        depths = Array(Set(layerMap)).sorted()
        self.width = width
        self.maxRows = maxRows
        guard let bytes = byteProduct(depths.count, maxRows, width, 4) else {
            throw .outOfMemory(requestedBytes: Int.max, purpose: "taps")
        }
        buffer = try AlignedBuffer(byteCount: bytes, purpose: "taps")
    }

    /// Rows [maxRows, width] of the tap at `depth`, or `nil` when nobody reads that depth.
    func rows(atDepth depth: Int) -> UnsafeMutablePointer<Float>? {
        guard let slot = depths.firstIndex(of: depth) else { return nil }
        return unsafe buffer.pointer(to: Float.self) + slot &* maxRows &* width
    }
}

/// The forward pass of a Llama-family decoder in block mode.
///
/// A position's logits are the same bits whatever block it was computed in (determinism contract).
///
/// Thread safety: a value of views; concurrent passes need separate caches and workspaces.
struct Transformer {
    let weights: TransformerWeights
    let multiplier: Multiplier

    private var kernels: tk_kernels { unsafe multiplier.kernels }
    private var workspace: Workspace { multiplier.workspace }

    /// Runs `tokens` at the positions `position ..< position + tokens.count`.
    ///
    /// Keys and values go into `cache`; the positions before must already be there. Afterwards
    /// `workspace.logits` holds the logits of the rows of `logitRows` (row `logitRows.lowerBound` first), and `taps` the
    /// residual streams.
    /// - Throws: ``TandemError/cancelled`` between two layers; the cache then holds nothing new that counts.
    func forward(
        _ tokens: ArraySlice<TokenID>, position: Int, cache: KeyValueCache, taps: TapBuffer?,
        logitRows: Range<Int>, cancellation: CancellationToken?
    ) throws(TandemError) {
        let rows = tokens.count
        let configuration = weights.configuration
        let hidden = configuration.hiddenSize
        let residual = unsafe workspace.residual
        for (row, token) in tokens.enumerated() {
            unsafe weights.embedding.gatherRow(Int(token), into: residual + row &* hidden)
        }
        cache.prepareRope(upTo: position + rows)
        for (index, layer) in weights.layers.enumerated() {
            if let cancellation, cancellation.isCancelled { throw .cancelled }
            copyTap(depth: index, rows: rows, taps: taps)
            attention(layer, index: index, rows: rows, position: position, cache: cache)
            feedForward(layer, rows: rows)
        }
        copyTap(depth: weights.layers.count, rows: rows, taps: taps)
        guard !logitRows.isEmpty else { return }
        unsafe normalize(
            residual + logitRows.lowerBound &* hidden, rows: logitRows.count, by: weights.norm)
        unsafe multiplier.multiply(
            workspace.normed, stride: hidden, rows: logitRows.count,
            by: [
                Product(matrix: weights.head, output: workspace.logits, outputStride: workspace.logitStride)
            ])
    }

    /// Writes keys and values made of the primary's taps into the secondary's cache (`self` is the secondary).
    ///
    /// For every layer j: `G = norm_j(P[j] · x)`, then the layer's own key and value projections and RoPE at the
    /// absolute position (tandem.md, `commit`). Rows `0 ..< rows` of the taps go to `position ..< position + rows`.
    func commit(
        _ taps: TapBuffer, projections: [Matrix], layerMap: [Int], rows: Int, position: Int,
        cache: KeyValueCache
    ) {
        let hidden = weights.configuration.hiddenSize
        cache.prepareRope(upTo: position + rows)
        for (index, layer) in weights.layers.enumerated() {
            guard let tap = unsafe taps.rows(atDepth: layerMap[index]) else { continue }
            unsafe multiplier.multiply(
                tap, stride: taps.width, rows: rows,
                by: [
                    Product(
                        matrix: projections[index], output: workspace.projected,
                        outputStride: (hidden + 15) & ~15)
                ])
            unsafe normalize(
                workspace.projected, stride: (hidden + 15) & ~15, rows: rows, by: layer.attentionNorm)
            keysAndValues(layer, rows: rows, withQueries: false)
            rotateAndStore(index: index, rows: rows, position: position, cache: cache, withQueries: false)
        }
    }

    private func copyTap(depth: Int, rows: Int, taps: TapBuffer?) {
        guard let taps, let target = unsafe taps.rows(atDepth: depth) else { return }
        unsafe target.update(from: workspace.residual, count: rows &* weights.configuration.hiddenSize)
    }

    /// RMSNorm of rows into `workspace.normed`.
    private func normalize(
        _ input: UnsafePointer<Float>, stride: Int? = nil, rows: Int, by norm: UnsafePointer<Float>
    ) {
        let hidden = weights.configuration.hiddenSize
        let stride = stride ?? hidden
        let epsilon = weights.configuration.normEpsilon
        multiplier.forEachRow(rows, cost: hidden) { row, _ in
            unsafe kernels.rmsnorm(
                input + row &* stride, norm, epsilon, hidden, workspace.normed + row &* hidden)
        }
    }

    private func attention(
        _ layer: LayerWeights, index: Int, rows: Int, position: Int, cache: KeyValueCache
    ) {
        unsafe normalize(workspace.residual, rows: rows, by: layer.attentionNorm)
        keysAndValues(layer, rows: rows, withQueries: true)
        rotateAndStore(index: index, rows: rows, position: position, cache: cache, withQueries: true)
        attend(layer: index, rows: rows, position: position, cache: cache)
        unsafe addProduct(layer.output, input: workspace.attended, stride: queryStride, rows: rows)
    }

    private func feedForward(_ layer: LayerWeights, rows: Int) {
        let hidden = weights.configuration.hiddenSize
        let width = weights.configuration.intermediateSize
        let stride = (width + 15) & ~15
        unsafe normalize(workspace.residual, rows: rows, by: layer.feedForwardNorm)
        unsafe multiplier.multiply(
            workspace.normed, stride: hidden, rows: rows,
            by: [
                Product(matrix: layer.gate, output: workspace.gate, outputStride: stride),
                Product(matrix: layer.up, output: workspace.up, outputStride: stride),
            ])
        multiplier.forEachRow(rows, cost: width &* 4) { row, _ in
            let gate = unsafe workspace.gate + row &* stride
            unsafe kernels.swiglu(gate, workspace.up + row &* stride, width, gate)
        }
        unsafe addProduct(layer.down, input: workspace.gate, stride: stride, rows: rows)
    }

    /// residual += matrix · input
    private func addProduct(_ matrix: Matrix, input: UnsafePointer<Float>, stride: Int, rows: Int) {
        let hidden = weights.configuration.hiddenSize
        let outputStride = (hidden + 15) & ~15
        unsafe multiplier.multiply(
            input, stride: stride, rows: rows,
            by: [Product(matrix: matrix, output: workspace.projected, outputStride: outputStride)])
        for row in 0..<rows {
            unsafe kernels.add(
                workspace.residual + row &* hidden, workspace.projected + row &* outputStride, hidden)
        }
    }

    private var queryStride: Int {
        (weights.configuration.headCount &* weights.configuration.headSize + 15) & ~15
    }

    private var keyStride: Int {
        (weights.configuration.keyValueHeadCount &* weights.configuration.headSize + 15) & ~15
    }

    /// Projects `workspace.normed` to keys and values, and to queries where the rows themselves attend.
    private func keysAndValues(_ layer: LayerWeights, rows: Int, withQueries: Bool) {
        var products = unsafe [
            Product(matrix: layer.key, output: workspace.key, outputStride: keyStride),
            Product(matrix: layer.value, output: workspace.value, outputStride: keyStride),
        ]
        if withQueries {
            unsafe products.insert(
                Product(matrix: layer.query, output: workspace.query, outputStride: queryStride), at: 0)
        }
        unsafe multiplier.multiply(
            workspace.normed, stride: weights.configuration.hiddenSize, rows: rows, by: products)
    }

    private func rotateAndStore(
        index: Int, rows: Int, position: Int, cache: KeyValueCache, withQueries: Bool
    ) {
        let configuration = weights.configuration
        let headSize = configuration.headSize
        let width = (configuration.headCount &+ configuration.keyValueHeadCount) &* headSize
        multiplier.forEachRow(rows, cost: width) { row, _ in
            let table = unsafe cache.ropeRow(position &+ row)
            let key = unsafe workspace.key + row &* keyStride
            let value = unsafe workspace.value + row &* keyStride
            unsafe kernels.rope(key, configuration.keyValueHeadCount, headSize, headSize / 2, table)
            unsafe cache.store(key, position: position &+ row, layer: index, values: false, kernels: kernels)
            unsafe cache.store(value, position: position &+ row, layer: index, values: true, kernels: kernels)
            if withQueries {
                let query = unsafe workspace.query + row &* queryStride
                unsafe kernels.rope(query, configuration.headCount, headSize, headSize / 2, table)
            }
        }
    }

    /// Causal attention of every row over all positions up to its own.
    ///
    /// One item is one key/value head for as many neighbouring rows as share its loads well.
    private func attend(layer: Int, rows: Int, position: Int, cache: KeyValueCache) {
        let configuration = weights.configuration
        let headSize = configuration.headSize
        let groups = configuration.keyValueHeadCount
        let headsPerGroup = configuration.headCount / groups
        let scale = 1 / Float(headSize).squareRoot()
        let rowsPerItem = Workspace.attentionRows(headsPerGroup: headsPerGroup)
        let attend = { (item: Int, thread: Int) in
            let row = item / groups &* rowsPerItem
            let group = item % groups
            let offset = row &* queryStride &+ group &* headsPerGroup &* headSize
            var arguments = unsafe tk_attention(
                q: UnsafePointer(workspace.query + offset), ldq: headSize, heads: headsPerGroup, hd: headSize,
                k: UnsafeRawPointer(cache.keys(layer: layer, head: group)),
                v: UnsafeRawPointer(cache.values(layer: layer, head: group)),
                type: cache.type.kernelType, stride: cache.stride, begin: 0, end: position &+ row &+ 1,
                scale: scale, scores: workspace.scores + thread &* workspace.scoresPerThread,
                out: workspace.attended + offset, ldo: headSize, rows: min(rowsPerItem, rows &- row),
                qrow: queryStride, orow: queryStride, window: 0, softcap: 0)
            unsafe kernels.attention(&arguments)
        }
        let items = (rows &+ rowsPerItem &- 1) / rowsPerItem &* groups
        let work = rows &* configuration.headCount &* headSize &* (position &+ rows)
        if work < 64 * 1024 {
            for item in 0..<items { attend(item, 0) }
        } else {
            multiplier.pool.run(items, attend)
        }
    }
}
