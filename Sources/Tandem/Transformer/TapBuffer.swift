// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat

/// The primary's residual stream at the layers that the secondary reads, for the rows of one block.
///
/// Thread safety: none; taps belong to one session.
final class TapBuffer {
    /// Distinct numbers of primary layers applied, ascending: 0 is the embedding, `layerCount` is before the final norm.
    let depths: [Int]
    let maxRows: Int
    let width: Int
    /// Rows that were taken and not committed yet. The next pass adds its rows after these.
    var pendingRows = 0
    private let buffer: AlignedBuffer
    /// Counts the bytes in use.
    private let account: SessionLedger.Sparse

    /// - Parameter ledger: told of the bytes in use.
    init(layerMap: [Int], width: Int, maxRows: Int, ledger: SessionLedger) throws(TandemError) {
        depths = Array(Set(layerMap)).sorted()
        self.width = width
        self.maxRows = maxRows
        guard let bytes = byteProduct(depths.count, maxRows, width, 4) else {
            throw .outOfMemory(requestedBytes: Int.max, purpose: "taps")
        }
        buffer = try AlignedBuffer(
            byteCount: bytes, purpose: "taps", largePages: ledger.isLimited ? .never : .allowed)
        account = ledger.sparse(bytes)
    }

    /// Counts the memory of `rows` rows as used, and of those that are pending; call before they are written.
    func use(rows: Int) {
        let pages = PageGeometry.system
        let bytes = min(pendingRows &+ rows, maxRows) &* width &* 4
        account.use(depths.count &* (pages.up(bytes) &+ pages.size))
    }

    /// Keeps only some of the rows that the last pass added, ascending.
    func keep(_ rows: [Int]) {
        let base = unsafe buffer.pointer(to: Float.self)
        for slot in depths.indices {
            for (place, row) in rows.enumerated() where place != row {
                let first = unsafe base + (slot &* maxRows &+ pendingRows) &* width
                unsafe (first + place &* width).update(from: first + row &* width, count: width)
            }
        }
    }

    /// Rows [maxRows, width] of the tap at `depth`, or `nil` when nobody reads that depth.
    func rows(atDepth depth: Int) -> UnsafeMutablePointer<Float>? {
        guard let slot = depths.firstIndex(of: depth) else { return nil }
        return unsafe buffer.pointer(to: Float.self) + slot &* maxRows &* width
    }
}
