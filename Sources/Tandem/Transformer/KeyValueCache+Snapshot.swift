// SPDX-License-Identifier: Apache-2.0

/// Positions copied out of a cache and into one.
///
/// A *plane* is the keys or the values of one head in one layer. Planes count layer by layer, the keys of every head first,
/// then the values. Outside of a cache a plane is a row for each position: its scales, where there are any, then its
/// elements, without padding (`Formats/session-file.md`).
extension KeyValueCache {
    /// Bytes of one position in one plane, without padding.
    var rowBytes: Int { layout.rowBytes }

    /// Planes of `layerCount` layers.
    func planeCount(layerCount: Int) -> Int { layerCount &* headCount &* 2 }

    private func plane(_ index: Int) -> KeyValuePlane {
        view.plane(layer: index / (2 &* headCount), index: index % (2 &* headCount))
    }

    private func isKeys(_ index: Int) -> Bool { index % (2 &* headCount) < headCount }

    /// Whether rows of several positions are one run of bytes in the cache too.
    private var isPacked: Bool { layout.rowBytes == layout.stride &* layout.elementBytes }

    /// Writes the rows of `positions` to `target`.
    func copyRows(_ positions: Range<Int>, ofPlane index: Int, to target: UnsafeMutableRawPointer) {
        let plane = plane(index)
        if isPacked {
            let source = unsafe plane.codes + positions.lowerBound &* rowBytes
            unsafe target.copyMemory(from: source, byteCount: positions.count &* rowBytes)
            return
        }
        for (row, position) in positions.enumerated() {
            layout.forEachPiece(ofPosition: position, inKeys: isKeys(index)) { piece in
                unsafe (target + (row &* rowBytes &+ piece.rowOffset)).copyMemory(
                    from: plane.bytes(of: piece), byteCount: piece.byteCount)
            }
        }
    }

    /// Takes the rows of `positions` from `source`.
    func setRows(_ positions: Range<Int>, ofPlane index: Int, from source: UnsafeRawPointer) {
        let plane = plane(index)
        if isPacked {
            let target = unsafe plane.codes + positions.lowerBound &* rowBytes
            unsafe target.copyMemory(from: source, byteCount: positions.count &* rowBytes)
            return
        }
        for (row, position) in positions.enumerated() {
            layout.forEachPiece(ofPosition: position, inKeys: isKeys(index)) { piece in
                unsafe plane.bytes(of: piece).copyMemory(
                    from: source + (row &* rowBytes &+ piece.rowOffset), byteCount: piece.byteCount)
            }
        }
    }

    /// Takes the first `count` positions of a cache of the same model and type; the capacities may differ.
    func copyPositions(_ count: Int, layerCount: Int, from other: KeyValueCache) {
        let padded = layout.paddedCount(count)
        let codeBytes = padded &* layout.stride &* layout.elementBytes
        for index in 0..<planeCount(layerCount: layerCount) {
            let (target, source) = (plane(index), other.plane(index))
            unsafe target.codes.copyMemory(from: source.codes, byteCount: codeBytes)
            unsafe target.scales.copyMemory(
                from: source.scales, byteCount: padded &* layout.scaleCount &* 2)
        }
    }
}
