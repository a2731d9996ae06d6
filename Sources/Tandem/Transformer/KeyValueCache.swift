// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels
internal import TandemFormat

/// Keys and values of one model for the positions `0 ..< capacity`, and the RoPE tables of those positions.
/// A table serves every layer that rotates in its way.
///
/// Layout per layer: the keys of every head, then the values of every head, each as ``KeyValueLayout`` says; padding
/// stays zero. The cache itself knows no length: whoever writes positions knows which of them are valid.
///
/// Thread safety: none; a cache belongs to one session.
@safe
final class KeyValueCache {
    let capacity: Int
    let layout: KeyValueLayout
    let headCount: Int
    private let buffer: AlignedBuffer
    private let layerBytes: Int
    private let headBytes: Int
    private let codeBytes: Int
    /// The positions before are counted as used.
    private var usedEnd = 0

    private let ropes: [RopeTable]
    /// Counts the bytes in use.
    private let account: SessionLedger.Sparse
    /// The rows of each of `ropes`.
    private let ropeRows: UnsafeMutablePointer<RopeRows>

    /// - Parameters:
    ///   - textLength: tokens of the text to come, for RoPE that depends on it.
    ///   - ledger: told of the bytes in use.
    init(
        weights: some ModelOutlining, capacity: Int, type: KeyValueType, textLength: Int,
        ledger: SessionLedger
    ) throws(TandemError) {
        let configuration = weights.configuration
        self.capacity = capacity
        layout = KeyValueLayout(type: type, headSize: configuration.headSize)
        headCount = configuration.keyValueHeadCount
        guard let headBytes = layout.byteCount(capacity: capacity),
            let codeBytes = layout.codeBytes(capacity: capacity),
            let layerBytes = byteProduct(headBytes, headCount, 2),
            let total = byteProduct(layerBytes, configuration.layerCount)
        else {
            throw .outOfMemory(requestedBytes: Int.max, purpose: "the key/value cache")
        }
        self.headBytes = headBytes
        self.codeBytes = codeBytes
        self.layerBytes = layerBytes
        buffer = try AlignedBuffer(
            byteCount: total, purpose: "the key/value cache", largePages: ledger.isLimited ? .never : .allowed
        )
        var ropes: [RopeTable] = []
        for rope in weights.ropes {
            ropes.append(try RopeTable(rope, capacity: capacity, textLength: textLength))
        }
        self.ropes = ropes
        account = ledger.sparse(total + ropes.reduce(0) { $0 + $1.byteCount })
        unsafe ropeRows = .allocate(capacity: max(1, ropes.count))
        for (index, table) in ropes.enumerated() { unsafe (ropeRows + index).initialize(to: table.rows) }
    }

    deinit {
        unsafe ropeRows.deallocate()
    }

    /// Bytes reserved (touched only as positions are written).
    var byteCount: Int { buffer.byteCount }

    /// Counts the memory of the positions below `end` as used; call before they are written.
    func use(upTo end: Int) {
        guard end > usedEnd else { return }
        usedEnd = end
        account.use(usedBytes(end))
    }

    /// Bytes of the pages that hold positions below `end`.
    private func usedBytes(_ end: Int) -> Int {
        let pages = PageGeometry.system
        // What does not begin with a page has a part in one more.
        let slack = headBytes % pages.size == 0 && codeBytes % pages.size == 0 ? 0 : pages.size
        let count = layout.paddedCount(end)
        let codes = pages.up(count &* layout.stride &* layout.elementBytes) &+ slack
        let scales =
            layout.scaleCount == 0 ? 0 : pages.up(count &* layout.scaleCount &* 2) &+ slack
        let plane = min(headBytes &+ slack, codes &+ scales)
        return min(buffer.byteCount, buffer.byteCount / headBytes &* plane)
            &+ ropes.reduce(0) { $0 &+ pages.up(min($1.byteCount, end &* $1.rowBytes)) }
    }

    /// What a pass reads and writes; valid as long as the cache.
    var view: CacheView {
        unsafe CacheView(
            base: buffer.base, layerBytes: layerBytes, headBytes: headBytes, codeBytes: codeBytes,
            headCount: headCount, layout: layout, ropes: UnsafePointer(ropeRows))
    }

    /// Makes the RoPE rows of positions below `end` ready; call before they are read.
    func prepareRope(upTo end: Int) {
        for table in ropes { table.prepare(upTo: end) }
    }

    /// Takes the frequencies of a text of that many tokens; what the cache holds is void where they change.
    func selectRope(textLength: Int) {
        for table in ropes { table.select(textLength: textLength) }
    }
}
