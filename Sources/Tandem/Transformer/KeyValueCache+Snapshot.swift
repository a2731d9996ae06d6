// SPDX-License-Identifier: Apache-2.0

/// Positions copied out of a cache and into one.
///
/// A *plane* is the keys or the values of one head in one layer. Planes count layer by layer, the keys of every head first,
/// then the values. Outside of a cache the rows of a plane are packed: there is no padding between them.
extension KeyValueCache {
    /// Bytes of one position in one plane, without padding.
    var rowBytes: Int { headSize &* type.elementBytes }

    /// Planes of `layerCount` layers.
    func planeCount(layerCount: Int) -> Int { layerCount &* headCount &* 2 }

    private func plane(_ index: Int) -> UnsafeMutableRawPointer {
        let layer = index / (2 &* headCount)
        let head = index % (2 &* headCount)
        return unsafe head < headCount
            ? keys(layer: layer, head: head) : values(layer: layer, head: head &- headCount)
    }

    /// Whether rows lie side by side in the cache too.
    private var isPacked: Bool { headSize == stride }

    /// Writes the rows of `positions` to `target`.
    func copyRows(_ positions: Range<Int>, ofPlane index: Int, to target: UnsafeMutableRawPointer) {
        let strideBytes = stride &* type.elementBytes
        let source = unsafe plane(index) + positions.lowerBound &* strideBytes
        if isPacked {
            unsafe target.copyMemory(from: source, byteCount: positions.count &* rowBytes)
            return
        }
        for row in 0..<positions.count {
            unsafe (target + row &* rowBytes).copyMemory(
                from: source + row &* strideBytes, byteCount: rowBytes)
        }
    }

    /// Takes the rows of `positions` from `source`.
    func setRows(_ positions: Range<Int>, ofPlane index: Int, from source: UnsafeRawPointer) {
        let strideBytes = stride &* type.elementBytes
        let target = unsafe plane(index) + positions.lowerBound &* strideBytes
        if isPacked {
            unsafe target.copyMemory(from: source, byteCount: positions.count &* rowBytes)
            return
        }
        for row in 0..<positions.count {
            unsafe (target + row &* strideBytes).copyMemory(
                from: source + row &* rowBytes, byteCount: rowBytes)
        }
    }

    /// Takes the first `count` positions of a cache of the same model and type; the capacities may differ.
    func copyPositions(_ count: Int, layerCount: Int, from other: KeyValueCache) {
        let bytes = count &* stride &* type.elementBytes
        for index in 0..<planeCount(layerCount: layerCount) {
            unsafe plane(index).copyMemory(from: other.plane(index), byteCount: bytes)
        }
    }
}
