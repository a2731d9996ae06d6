// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels
internal import TandemFormat

extension Transformer {
    private var queryStride: Int {
        (weights.configuration.headCount &* weights.configuration.headSize + 15) & ~15
    }

    private var keyStride: Int {
        (weights.configuration.keyValueHeadCount &* weights.configuration.headSize + 15) & ~15
    }

    /// The attention sublayer. Keys and values of all rows go into the caches; after it the batch holds those that are kept.
    /// - Parameter kept: rows of a part that attend, counted from its first.
    func attention(
        _ layer: LayerWeights, index: Int, _ batch: inout PassBatch,
        keeping kept: (PassBatch.Part) -> Range<Int>
    ) {
        let rows = batch.rowCount
        let input = unsafe normed(
            workspace.residual, stride: hiddenSize, rows: rows, by: layer.attentionNorm)
        let isAttending = batch.parts.contains { !kept($0).isEmpty }
        project(layer, input, rows: rows, withQueries: isAttending)
        rotateAndStore(layer, index: index, batch, withQueries: isAttending)
        batch.narrow(to: kept) { rows, first in
            unsafe move(rows, to: first, in: workspace.residual, stride: hiddenSize)
            unsafe move(rows, to: first, in: workspace.query, stride: queryStride)
        }
        guard batch.rowCount > 0 else { return }
        attend(layer, index: index, batch)
        let attended = unsafe Rows(base: UnsafePointer(workspace.attended), stride: queryStride)
        unsafe addSublayer(
            layer.output, attended, postNorm: layer.attentionPostNorm, rows: batch.rowCount)
    }

    /// Projects `input` to keys and values, and to queries where the rows themselves attend.
    func project(_ layer: LayerWeights, _ input: Rows, rows: Int, withQueries: Bool) {
        var products = unsafe [
            Product(matrix: layer.key.matrix, output: workspace.key, outputStride: keyStride),
            Product(matrix: layer.value.matrix, output: workspace.value, outputStride: keyStride),
        ]
        if withQueries {
            unsafe products.insert(
                Product(matrix: layer.query.matrix, output: workspace.query, outputStride: queryStride), at: 0
            )
        }
        unsafe multiplier.multiply(input.base, stride: input.stride, rows: rows, by: products)
    }

    /// Biases, norms and rotation of what `project` made; keys and values go into the cache.
    func rotateAndStore(_ layer: LayerWeights, index: Int, _ batch: PassBatch, withQueries: Bool) {
        let configuration = weights.configuration
        let keyHeads = configuration.keyValueHeadCount
        let keyWidth = keyHeads &* configuration.headSize
        let width = (configuration.headCount &+ keyHeads) &* configuration.headSize
        multiplier.forEachRow(batch.rowCount, cost: width) { row, _ in
            let part = batch.part(ofRow: row)
            let cache = part.cache
            let table = cache.ropeRows(layer.rope)
            let at = part.position(ofRow: row &- part.firstRow)
            let home = part.home(ofRow: row &- part.firstRow)
            let key = unsafe workspace.key + row &* keyStride
            let value = unsafe workspace.value + row &* keyStride
            unsafe finishHeads(
                key, count: keyHeads, bias: layer.key.bias, norm: layer.keyNorm, table: table, position: at)
            if let bias = unsafe layer.value.bias { unsafe kernels.add(value, bias, keyWidth) }
            unsafe cache.store(key, position: home, layer: index, values: false, kernels: kernels)
            unsafe cache.store(value, position: home, layer: index, values: true, kernels: kernels)
            if withQueries {
                unsafe finishHeads(
                    workspace.query + row &* queryStride, count: configuration.headCount,
                    bias: layer.query.bias, norm: layer.queryNorm, table: table, position: at)
            }
        }
    }

    /// Bias, norm and rotation of one position's queries or keys [count * headSize], as far as they are there.
    private func finishHeads(
        _ heads: UnsafeMutablePointer<Float>, count: Int, bias: UnsafePointer<Float>?,
        norm: UnsafePointer<Float>?, table: RopeRows?, position: Int
    ) {
        let headSize = weights.configuration.headSize
        let width = count &* headSize
        if let bias = unsafe bias { unsafe kernels.add(heads, bias, width) }
        if let norm = unsafe norm {
            let span = weights.configuration.architecture.queryKeyNorm == .row ? width : headSize
            for first in stride(from: 0, to: width, by: span) {
                let part = unsafe heads + first
                unsafe kernels.rmsnorm(part, norm, weights.configuration.normEpsilon, span, part)
            }
        }
        if let table { unsafe kernels.rope(heads, count, headSize, table.half, table.row(position)) }
    }

    /// Causal attention of every row over all positions up to its own that the layer's window shows.
    ///
    /// One item is one key/value head for as many neighbouring rows of a request as share its loads well; where there are
    /// fewer of those than threads, for a part of its query heads. All rows of a tree are one item: they take turns with the
    /// positions after the root.
    private func attend(_ layer: LayerWeights, index: Int, _ batch: PassBatch) {
        let configuration = weights.configuration
        let groups = configuration.keyValueHeadCount
        let headsPerGroup = configuration.headCount / groups
        let pieces = attentionPieces(items: batch.blocks.count &* groups, headsPerGroup: headsPerGroup)
        let attend = { (item: Int, thread: Int) in
            // Neighbouring items go through the same keys and values.
            let (group, rest) = item.quotientAndRemainder(dividingBy: batch.blocks.count &* pieces)
            let block = batch.blocks[rest / pieces]
            let part = batch.parts[block.part]
            let piece = rest % pieces
            let isWhole = part.tree != nil
            // What a tree moves, it moves for all heads.
            if isWhole, piece > 0 { return }
            let head = AttentionHead(
                layer: layer, index: index, group: group,
                heads: headRange(piece: piece, of: isWhole ? 1 : pieces, headsPerGroup: headsPerGroup),
                thread: thread)
            guard let tree = part.tree else {
                let first = block.row &- part.firstRow
                attendRows(head, part, first..<first &+ block.rowCount)
                return
            }
            let size = batch.rowsPerBlock
            for run in tree.runs {
                for move in tree.moves[run.moves] {
                    part.cache.copy(
                        from: part.position &+ move.home, to: part.position &+ move.depth, layer: index,
                        head: head.group)
                }
                for first in stride(from: run.rows.lowerBound, to: run.rows.upperBound, by: size) {
                    attendRows(head, part, first..<min(first &+ size, run.rows.upperBound))
                }
            }
        }
        let items = batch.blocks.count &* groups &* pieces
        let window = layer.window
        let visible = batch.parts.reduce(0) { sum, part in
            sum &+ part.rowCount &* (window > 0 ? min(window, part.end) : part.end)
        }
        let work = visible &* configuration.headCount &* configuration.headSize
        if work < 64 * 1024 {
            for item in 0..<items { attend(item, 0) }
        } else {
            multiplier.pool.run(items, attend)
        }
    }

    /// One key/value head of a layer, and who computes it.
    private struct AttentionHead {
        let layer: LayerWeights
        let index: Int
        let group: Int
        /// Of the query heads of the group.
        let heads: Range<Int>
        let thread: Int
    }

    /// Into how many parts the query heads of a key/value head go.
    private func attentionPieces(items: Int, headsPerGroup: Int) -> Int {
        let threads = multiplier.pool.threadCount
        var pieces = 1
        // The kernels take four heads through a key at once: more of them are divided freely, fewer only lest threads idle.
        while items &* pieces < 2 &* threads, headsPerGroup / pieces >= 8 { pieces &*= 2 }
        while items &* pieces < threads, headsPerGroup / pieces >= 2 { pieces &*= 2 }
        return pieces
    }

    /// The query heads of one part; all parts are of nearly the same size.
    private func headRange(piece: Int, of pieces: Int, headsPerGroup: Int) -> Range<Int> {
        (piece &* headsPerGroup / pieces)..<((piece &+ 1) &* headsPerGroup / pieces)
    }

    /// Attention of rows that continue each other, counted from the part's first.
    private func attendRows(_ head: AttentionHead, _ part: PassBatch.Part, _ rows: Range<Int>) {
        let configuration = weights.configuration
        let headSize = configuration.headSize
        let headsPerGroup = configuration.headCount / configuration.keyValueHeadCount
        let scale = configuration.architecture.attentionScale ?? 1 / Float(headSize).squareRoot()
        let softcap = configuration.architecture.attentionSoftcap ?? 0
        let window = head.layer.window
        let cache = part.cache
        let row = part.firstRow &+ rows.lowerBound
        let offset =
            row &* queryStride &+ (head.group &* headsPerGroup &+ head.heads.lowerBound) &* headSize
        let end = part.position(ofRow: rows.lowerBound) &+ 1
        let keys = cache.keys(layer: head.index, head: head.group)
        let values = cache.values(layer: head.index, head: head.group)
        var arguments = unsafe tk_attention(
            q: UnsafePointer(workspace.query + offset), ldq: headSize, heads: head.heads.count, hd: headSize,
            k: UnsafeRawPointer(keys.codes), v: UnsafeRawPointer(values.codes),
            type: cache.layout.type.kernelType, stride: cache.layout.stride,
            begin: window > 0 && end > window ? end &- window : 0, end: end, scale: scale,
            scores: workspace.scores + head.thread &* workspace.scoresPerThread,
            out: workspace.attended + offset, ldo: headSize, rows: rows.count,
            qrow: queryStride, orow: queryStride, window: window, softcap: softcap,
            kscales: UnsafePointer(keys.scaleValues), vscales: UnsafePointer(values.scaleValues))
        unsafe kernels.attention(&arguments)
    }
}
