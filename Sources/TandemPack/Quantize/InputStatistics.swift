// SPDX-License-Identifier: Apache-2.0

/// Second moments of the inputs that a matrix multiplies: blocks along the diagonal of E[x xᵀ].
///
/// Block i covers the columns i · `blockSize` ..< (i + 1) · `blockSize`, the last one what is left. Thread safety: immutable.
public final class InputStatistics: Sendable {
    /// Length of an input: the matrix's columns.
    public let columns: Int
    /// Columns of one block.
    public let blockSize: Int
    /// Block after block, each row-major and symmetric.
    let moments: [Float]

    /// - Throws: ``PackError/invalidOption(name:value:allowed:)`` when sizes or values cannot be.
    public init(columns: Int, blockSize: Int, moments: [Float]) throws(PackError) {
        guard columns >= 1, blockSize >= 1, blockSize <= columns else {
            throw .invalidOption(
                name: "blockSize", value: "\(blockSize)", allowed: "in 1...\(columns), the columns")
        }
        let expected = InputStatistics.elementCount(columns: columns, blockSize: blockSize)
        guard moments.count == expected else {
            throw .invalidOption(
                name: "the number of moments", value: "\(moments.count)", allowed: "\(expected)")
        }
        guard moments.allSatisfy(\.isFinite) else {
            throw .invalidOption(name: "a moment", value: "not finite", allowed: "finite")
        }
        self.columns = columns
        self.blockSize = blockSize
        self.moments = moments
    }

    /// Elements of all blocks.
    public static func elementCount(columns: Int, blockSize: Int) -> Int {
        let rest = columns % blockSize
        return columns / blockSize * blockSize * blockSize + rest * rest
    }

    /// One element of E[x xᵀ]; 0 outside the blocks.
    public func element(_ row: Int, _ column: Int) -> Float {
        let block = row / blockSize
        let columns = columns(ofBlock: block)
        guard columns.contains(column) else { return 0 }
        return moments[
            offset(ofBlock: block) + (row - columns.lowerBound) * columns.count + column - columns.lowerBound]
    }

    var blockCount: Int { (columns + blockSize - 1) / blockSize }

    /// The columns of a block.
    func columns(ofBlock block: Int) -> Range<Int> {
        block * blockSize..<min((block + 1) * blockSize, columns)
    }

    /// Where a block starts in `moments`.
    func offset(ofBlock block: Int) -> Int { block * blockSize * blockSize }

    /// The second moment of one column's input, never negative.
    func moment(column: Int) -> Float {
        let block = column / blockSize
        let width = columns(ofBlock: block).count
        let position = column - block * blockSize
        return max(0, moments[offset(ofBlock: block) + position * width + position])
    }
}

/// What running a text through a model told about the inputs of its matrices.
public struct Calibration: Sendable {
    /// By the matrix's name in the container. Matrices that read the same input share one object.
    public var inputs: [String: InputStatistics]
    /// Tokens of the text.
    public var tokenCount: Int

    public init(inputs: [String: InputStatistics], tokenCount: Int) {
        self.inputs = inputs
        self.tokenCount = tokenCount
    }
}
