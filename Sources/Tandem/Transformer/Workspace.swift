// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels
internal import TandemFormat

/// Scratch memory of a pass: activations of up to `maxRows` positions of either model, of one or more sessions.
///
/// Thread safety: none; a model has one workspace and runs one pass at a time.
@safe
final class Workspace {
    let maxRows: Int
    /// Residual stream [maxRows, hidden].
    let residual: UnsafeMutablePointer<Float>
    /// Normalised activations [maxRows, hidden].
    let normed: UnsafeMutablePointer<Float>
    /// Queries, attention output and the product of the output projections: [maxRows, width].
    let query: UnsafeMutablePointer<Float>
    let key: UnsafeMutablePointer<Float>
    let value: UnsafeMutablePointer<Float>
    let attended: UnsafeMutablePointer<Float>
    let projected: UnsafeMutablePointer<Float>
    let gate: UnsafeMutablePointer<Float>
    let up: UnsafeMutablePointer<Float>
    /// Quantised activations [maxRows, quantizedStride] with scales and sums [maxRows, groupStride].
    let quantized: UnsafeMutablePointer<Int8>
    let quantizedScales: UnsafeMutablePointer<Float>
    let quantizedSums: UnsafeMutablePointer<Int32>
    let quantizedStride: Int
    let groupStride: Int
    /// The same activations of a short block, in the order that some kernels read them in: `tk_interleaved_bytes`.
    let interleaved: UnsafeMutableRawPointer
    /// Attention scores, one region per thread.
    let scores: UnsafeMutablePointer<Float>
    let scoresPerThread: Int
    /// Outputs of a product on their way to rows that lie apart: one region per thread, [maxRows, tileWidth].
    let tiles: UnsafeMutablePointer<Float>
    let contextSize: Int
    private let buffers: [AlignedBuffer]
    /// Bytes of the scores and of interleaved activations, which passes of few rows use as well.
    private let fixedBytes: Int
    /// Stretches of memory that each begin with a first row.
    private let partCount: Int
    /// Most rows of a pass since the memory was given back last.
    private(set) var usedRows = 0
    /// Told of every product's input while a model is calibrated.
    var inputRecorder: InputRecorder?

    init(
        configurations: [ModelConfiguration], maxRows: Int, contextSize: Int, threadCount: Int,
        largePages: AlignedBuffer.LargePages = .allowed
    ) throws(TandemError) {
        var hidden = 0
        var queryWidth = 0
        var keyWidth = 0
        var feedForward = 0
        var scoreVectors = 1
        var headScratch = 0
        for model in configurations {
            hidden = max(hidden, model.hiddenSize)
            queryWidth = max(queryWidth, model.headCount * model.headSize)
            keyWidth = max(keyWidth, model.keyValueHeadCount * model.headSize)
            feedForward = max(feedForward, model.intermediateSize)
            let heads = model.headCount / model.keyValueHeadCount
            scoreVectors = max(scoreVectors, heads * Self.attentionRows(headsPerGroup: heads))
            headScratch = max(headScratch, tk_kv_scratch(model.headSize))
        }
        let padded = { (count: Int) in (count + 15) & ~15 }
        // Quantised rows are padded to a multiple of the largest group a matrix may use ("row" pads to 64). One cache
        // line more, because rows a power of two apart would share the few places that a cache has for their lines.
        let columns = (max(hidden, queryWidth, feedForward) + 127) & ~127
        quantizedStride = columns + 64
        groupStride = padded(columns / 32) + 16
        scoresPerThread = scoreVectors * padded(contextSize) + padded(headScratch)
        self.maxRows = maxRows
        self.contextSize = contextSize

        var owned: [AlignedBuffer] = []
        func floats(_ rows: Int, _ width: Int, _ purpose: String) throws(TandemError)
            -> UnsafeMutablePointer<Float>
        {
            guard let bytes = byteProduct(rows, width, 4) else {
                throw TandemError.outOfMemory(requestedBytes: Int.max, purpose: purpose)
            }
            let buffer = try AlignedBuffer(byteCount: bytes, purpose: purpose, largePages: largePages)
            owned.append(buffer)
            return unsafe buffer.pointer(to: Float.self)
        }
        unsafe residual = try floats(maxRows, padded(hidden), "activations")
        unsafe normed = try floats(maxRows, padded(hidden), "activations")
        unsafe query = try floats(maxRows, padded(queryWidth), "activations")
        unsafe key = try floats(maxRows, padded(keyWidth), "activations")
        unsafe value = try floats(maxRows, padded(keyWidth), "activations")
        unsafe attended = try floats(maxRows, padded(queryWidth), "activations")
        unsafe projected = try floats(maxRows, padded(hidden), "activations")
        unsafe gate = try floats(maxRows, padded(feedForward), "activations")
        unsafe up = try floats(maxRows, padded(feedForward), "activations")
        unsafe quantizedScales = try floats(maxRows, groupStride, "activations")
        unsafe scores = try floats(threadCount, scoresPerThread, "attention scores")
        unsafe tiles = try floats(threadCount, maxRows * Self.tileWidth, "logits")
        let bytes = try AlignedBuffer(
            byteCount: maxRows * quantizedStride, purpose: "activations", largePages: largePages)
        let sums = try AlignedBuffer(
            byteCount: maxRows * groupStride * 4, purpose: "activations", largePages: largePages)
        owned.append(bytes)
        owned.append(sums)
        unsafe quantized = bytes.pointer(to: Int8.self)
        unsafe quantizedSums = sums.pointer(to: Int32.self)
        // As many as any block takes: of the longest one they are made for, in the smallest groups.
        let lines = try AlignedBuffer(
            byteCount: tk_interleaved_bytes(min(maxRows, 16), columns, 32), purpose: "activations",
            largePages: largePages)
        owned.append(lines)
        unsafe interleaved = lines.base
        fixedBytes = threadCount * scoresPerThread * 4 + lines.byteCount
        partCount = owned.count + threadCount
        buffers = owned
    }

    /// Outputs of a tile: small enough to stay in a cache until they are copied.
    static let tileWidth = 256

    /// Rows of a block whose attention is computed together: the least that give at least eight (row, head) pairs and
    /// a multiple of four, which is what the kernels take through a key at once.
    static func attentionRows(headsPerGroup: Int) -> Int {
        var rows = headsPerGroup % 4 == 0 ? 1 : headsPerGroup % 2 == 0 ? 2 : 4
        while rows * headsPerGroup < 8 { rows *= 2 }
        return rows
    }

    /// Gives the memory back until the next pass. Not during a pass.
    func discard() {
        for buffer in buffers { buffer.discard() }
        usedRows = 0
    }

    /// Counts `rows` rows as used; call before a pass.
    func use(rows: Int) {
        usedRows = max(usedRows, min(rows, maxRows))
    }

    /// Bytes of the pages in use, at most.
    var usedBytes: Int {
        let rows = (byteCount - fixedBytes) / maxRows * usedRows
        let pages = partCount * 2 * PageGeometry.system.size
        return usedRows == 0 ? 0 : min(byteCount, fixedBytes + rows + pages)
    }

    /// Bytes reserved.
    var byteCount: Int { buffers.reduce(0) { $0 + $1.byteCount } }
}
