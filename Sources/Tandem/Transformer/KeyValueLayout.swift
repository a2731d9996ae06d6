// SPDX-License-Identifier: Apache-2.0

/// How the keys, or the values, of one head lie in a cache of some capacity, and in a file.
///
/// The layouts are those of the kernels (tandem_kernels.h). Of int8 all codes come first, then all scales.
struct KeyValueLayout {
    let type: KeyValueType
    let headSize: Int

    /// Elements that share a scale.
    static let blockLength = 32
    /// Positions of a panel of int8 keys.
    static let panelLength = 16

    var elementBytes: Int {
        switch type {
        case .f32: 4
        case .f16: 2
        case .int8: 1
        }
    }

    /// Scales of one position; 0 where the type has none.
    var scaleCount: Int {
        type == .int8 ? (headSize + Self.blockLength - 1) / Self.blockLength : 0
    }

    /// Elements between positions.
    var stride: Int {
        type == .int8 ? scaleCount * Self.blockLength : (headSize + 15) & ~15
    }

    /// Bytes of one position in a file, without padding.
    var rowBytes: Int { headSize &* elementBytes &+ scaleCount &* 2 }

    /// Positions that there is room for where `count` are wanted.
    func paddedCount(_ count: Int) -> Int {
        type == .int8 ? (count + Self.panelLength - 1) & ~(Self.panelLength - 1) : count
    }

    /// Bytes before the scales of a cache of `capacity` positions.
    func codeBytes(capacity: Int) -> Int? {
        byteProduct(paddedCount(capacity), stride, elementBytes)
    }

    /// Bytes of a cache of `capacity` positions; `nil` where no integer holds them.
    func byteCount(capacity: Int) -> Int? {
        guard let codes = codeBytes(capacity: capacity),
            let scales = byteProduct(paddedCount(capacity), scaleCount, 2)
        else { return nil }
        let (sum, overflows) = codes.addingReportingOverflow(scales)
        return overflows ? nil : sum
    }

    /// Where the codes of a position begin; int8 keys go on every 64 bytes, four at a time.
    func codeOffset(_ position: Int, inKeys: Bool) -> Int {
        guard type == .int8, inKeys else { return position &* stride &* elementBytes }
        let (panel, lane) = position.quotientAndRemainder(dividingBy: Self.panelLength)
        return panel &* Self.panelLength &* stride &+ lane &* 4
    }

    /// Where the first scale of a position is, from the first of all; the others follow every 32 bytes.
    func scaleOffset(_ position: Int) -> Int {
        let (panel, lane) = position.quotientAndRemainder(dividingBy: Self.panelLength)
        return (panel &* scaleCount &* Self.panelLength &+ lane) &* 2
    }

    /// Bytes that lie together both in a cache and in a row of a file.
    struct Piece {
        /// Among the scales of the cache, or the codes.
        let isScale: Bool
        let offset: Int
        let rowOffset: Int
        let byteCount: Int
    }

    /// Calls `body` for every piece of a position.
    func forEachPiece(ofPosition position: Int, inKeys: Bool, _ body: (Piece) -> Void) {
        let scale = scaleOffset(position)
        for block in 0..<scaleCount {
            let offset = scale &+ block &* Self.panelLength &* 2
            body(Piece(isScale: true, offset: offset, rowOffset: block &* 2, byteCount: 2))
        }
        let (code, row) = (codeOffset(position, inKeys: inKeys), scaleCount &* 2)
        let byteCount = headSize &* elementBytes
        guard type == .int8, inKeys else {
            body(Piece(isScale: false, offset: code, rowOffset: row, byteCount: byteCount))
            return
        }
        for element in Swift.stride(from: 0, to: byteCount, by: 4) {
            body(
                Piece(
                    isScale: false, offset: code &+ element &* Self.panelLength, rowOffset: row &+ element,
                    byteCount: min(4, byteCount &- element)))
        }
    }
}
