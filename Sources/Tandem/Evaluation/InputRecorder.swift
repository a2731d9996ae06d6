// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels
internal import TandemFormat

/// Gathers second moments of what the matrices of a model multiply: blocks along the diagonal of Σ x xᵀ.
///
/// A quantiser needs them to know which errors matter. The blocks are as wide as the memory allows; they hold
/// everything a matrix's output error depends on when one block covers all its columns.
///
/// The sums do not depend on the number of threads or the instruction set. Thread safety: none; a recorder serves one
/// session at a time.
@safe package final class InputRecorder {
    /// Sums over the inputs of some matrices.
    package struct Statistics {
        package let columns: Int
        /// Columns of one block.
        package let blockSize: Int
        /// Inputs seen.
        package let count: Int
        /// Mean of x xᵀ, block after block, each row-major and symmetric; the last one may be smaller.
        package let moments: [Float]
    }

    /// Columns of one block, for all matrices that have as many.
    package let blockSize: Int
    private let kernels: tk_kernels
    private let pool: ComputePool
    /// Names of the matrices by the addresses of their data.
    private let names: [UInt: String]
    /// The sums of products that read the same input, by the product that comes first and how many there are.
    private var sums: [Key: InputSums] = [:]
    private let scratch: SumScratch

    private struct Key: Hashable {
        let first: UInt
        let count: Int
    }

    private static let blockSizes = [1024, 512, 256, 128, 64, 32]

    /// - Parameter memoryLimit: bytes that all sums together may take; the blocks become narrower to fit.
    /// - Throws: ``TandemError/format(_:)``; ``TandemError/outOfMemory(requestedBytes:purpose:)`` when the narrowest blocks
    ///   do not fit.
    package init(model: TandemModel, memoryLimit: Int) throws(TandemError) {
        let core = model.core
        unsafe kernels = core.kernels.table
        pool = core.pool
        var names: [UInt: String] = [:]
        var widths: [Int] = []
        for tensor in core.file.tensors where tensor.encoding.isPanel {
            do throws(FormatError) {
                let bytes = try core.file.bytes(ofChunk: tensor.chunk)
                unsafe names[UInt(bitPattern: bytes.baseAddress + tensor.dataOffset)] = tensor.name
            } catch {
                throw .format(error)
            }
            // Keys and values read what the queries read, "up" what "gate" reads; a tandem's secondary also reads
            // keys and values from the primary.
            let part = tensor.name.split(separator: ".").last ?? ""
            let isShared = part == "k" || part == "v" || part == "up"
            let isExtra = part == "k" && tensor.name.hasPrefix(ModelRole.secondary.rawValue)
            if !isShared || isExtra { widths.append(tensor.columns) }
        }
        self.names = names
        func bytes(_ blockSize: Int) -> Int {
            widths.reduce(0) { $0 + InputSums.byteCount(columns: $1, blockSize: blockSize) }
        }
        guard let fitting = InputRecorder.blockSizes.first(where: { bytes($0) <= memoryLimit }) else {
            throw .outOfMemory(requestedBytes: bytes(32), purpose: "calibration")
        }
        blockSize = fitting
        scratch = try SumScratch(width: min(fitting, widths.max() ?? 0))
    }

    /// Adds `rows` rows of `input` [rows, stride], which all of `products` multiply.
    func record(_ input: UnsafePointer<Float>, stride: Int, rows: Int, products: [Product]) {
        guard let first = products.first else { return }
        let key = unsafe Key(first: UInt(bitPattern: first.matrix.data), count: products.count)
        if sums[key] == nil {
            sums[key] = InputSums(
                names: products.compactMap { unsafe names[UInt(bitPattern: $0.matrix.data)] },
                columns: first.matrix.columns,
                blockSize: min(blockSize, first.matrix.columns))
        }
        unsafe sums[key]?.add(
            input, stride: stride, rows: rows, kernels: kernels, pool: pool, scratch: scratch)
    }

    /// The statistics of every matrix that was multiplied, by its name in the container. Matrices that always read the
    /// same input come in one entry.
    package func finish() -> [(names: [String], statistics: Statistics)] {
        for part in sums.values { unsafe part.flush(kernels: kernels, pool: pool, scratch: scratch) }
        var byName: [String: [InputSums]] = [:]
        // In a fixed order, so that sums of floats are the same in every run.
        let ordered = sums.values.sorted {
            ($0.names.first ?? "", $0.names.count) < ($1.names.first ?? "", $1.names.count)
        }
        for part in ordered {
            for name in part.names { byName[name, default: []].append(part) }
        }
        var groups: [(names: [String], sums: [InputSums])] = []
        for name in byName.keys.sorted() {
            guard let own = byName[name] else { continue }
            if let index = groups.firstIndex(where: { $0.sums.elementsEqual(own, by: ===) }) {
                groups[index].names.append(name)
            } else {
                groups.append(([name], own))
            }
        }
        return groups.map { ($0.names, InputSums.mean($0.sums)) }
    }
}

/// Sums of products that read the same input.
private final class InputSums {
    let names: [String]
    let columns: Int
    let blockSize: Int
    private var count = 0
    /// Upper triangles of the blocks, each row-major and whole.
    private var moments: [Float]
    /// Inputs not yet added [capacity, columns].
    private var waiting: [Float]
    private var waitingCount = 0

    /// Inputs that are added at once.
    static let capacity = 64
    /// Rows of a block that one thread computes at a time.
    private static let stripRows = 64

    init(names: [String], columns: Int, blockSize: Int) {
        self.names = names
        self.columns = columns
        self.blockSize = blockSize
        moments = [Float](
            repeating: 0, count: InputSums.elementCount(columns: columns, blockSize: blockSize))
        waiting = [Float](repeating: 0, count: InputSums.capacity * columns)
    }

    static func elementCount(columns: Int, blockSize: Int) -> Int {
        let rest = columns % blockSize
        return columns / blockSize * blockSize * blockSize + rest * rest
    }

    static func byteCount(columns: Int, blockSize: Int) -> Int {
        (elementCount(columns: columns, blockSize: min(blockSize, columns)) + capacity * columns) * 4
    }

    func add(
        _ input: UnsafePointer<Float>, stride: Int, rows: Int, kernels: tk_kernels, pool: ComputePool,
        scratch: SumScratch
    ) {
        var row = 0
        while row < rows {
            let taken = min(rows - row, InputSums.capacity - waitingCount)
            unsafe waiting.withUnsafeMutableBufferPointer { buffer in
                guard let base = buffer.baseAddress else { return }
                for index in 0..<taken {
                    unsafe (base + (waitingCount + index) * columns).update(
                        from: input + (row + index) * stride, count: columns)
                }
            }
            waitingCount += taken
            row += taken
            if waitingCount == InputSums.capacity {
                unsafe flush(kernels: kernels, pool: pool, scratch: scratch)
            }
        }
    }

    /// Adds the waiting inputs to the sums.
    func flush(kernels: tk_kernels, pool: ComputePool, scratch: SumScratch) {
        guard waitingCount > 0 else { return }
        for block in 0..<(columns + blockSize - 1) / blockSize {
            unsafe add(block: block, kernels: kernels, pool: pool, scratch: scratch)
        }
        count += waitingCount
        waitingCount = 0
    }

    /// One block: Xᵀ X by the float kernel, X as panels [width, inputs] and as rows [width, inputs].
    private func add(block: Int, kernels: tk_kernels, pool: ComputePool, scratch: SumScratch) {
        let start = block * blockSize
        let width = min(blockSize, columns - start)
        let inputs = waitingCount
        let rows = unsafe scratch.rows.pointer(to: Float.self)
        let panels = unsafe scratch.panels.pointer(to: Float.self)
        unsafe panels.update(repeating: 0, count: ((width + 15) & ~15) * inputs)
        for input in 0..<inputs {
            for column in 0..<width {
                let value = waiting[input * columns + start + column]
                unsafe rows[column * inputs + input] = value
                unsafe panels[(column / 16 * inputs + input) * 16 + column % 16] = value
            }
        }
        let strips = (width + InputSums.stripRows - 1) / InputSums.stripRows
        let offset = block * blockSize * blockSize
        unsafe moments.withUnsafeMutableBufferPointer { moments in
            guard let moments = moments.baseAddress else { return }
            let target = unsafe SumTarget(base: moments + offset)
            pool.run(strips) { strip, _ in
                unsafe InputSums.addStrip(
                    strip * InputSums.stripRows, width: width, inputs: inputs, scratch: scratch,
                    target: target, kernels: kernels)
            }
        }
    }

    /// The rows `first ..< first + stripRows` of a block, from their diagonal on.
    private static func addStrip(
        _ first: Int, width: Int, inputs: Int, scratch: SumScratch, target: SumTarget, kernels: tk_kernels
    ) {
        let padded = (width + 15) & ~15
        let rows = min(stripRows, width - first)
        var products = [Float](repeating: 0, count: rows * padded)
        unsafe products.withUnsafeMutableBufferPointer { products in
            guard let products = products.baseAddress else { return }
            var arguments = unsafe tk_fgemm(
                x: UnsafePointer(scratch.rows.pointer(to: Float.self) + first * inputs), ldx: inputs,
                rows: rows,
                w: UnsafePointer(scratch.panels.pointer(to: Float.self)), k: inputs,
                y: products, ldy: padded)
            unsafe kernels.gemm_f32(&arguments, first / 16, padded / 16)
            for row in 0..<rows {
                let line = unsafe target.base + (first + row) * width
                for column in first + row..<width {
                    unsafe line[column] += products[row * padded + column]
                }
            }
        }
    }

    /// The mean over the inputs of all parts, both triangles filled.
    static func mean(_ parts: [InputSums]) -> InputRecorder.Statistics {
        let columns = parts[0].columns
        let blockSize = parts[0].blockSize
        let count = parts.reduce(0) { $0 + $1.count }
        var moments = [Float](repeating: 0, count: parts[0].moments.count)
        for part in parts {
            for index in moments.indices { moments[index] += part.moments[index] }
        }
        let factor = 1 / Float(max(1, count))
        for start in stride(from: 0, to: columns, by: blockSize) {
            let width = min(blockSize, columns - start)
            let offset = start * blockSize
            for row in 0..<width {
                for column in row..<width {
                    let value = moments[offset + row * width + column] * factor
                    moments[offset + row * width + column] = value
                    moments[offset + column * width + row] = value
                }
            }
        }
        return InputRecorder.Statistics(
            columns: columns, blockSize: blockSize, count: count, moments: moments)
    }
}

/// Where one block's inputs are laid out for the float kernel.
private final class SumScratch: Sendable {
    let rows: AlignedBuffer
    let panels: AlignedBuffer

    init(width: Int) throws(TandemError) {
        let bytes = ((width + 15) & ~15) * InputSums.capacity * 4
        rows = try AlignedBuffer(byteCount: bytes, purpose: "calibration")
        panels = try AlignedBuffer(byteCount: bytes, purpose: "calibration")
    }
}

/// Where the pool's threads add strips, each to rows of its own.
@safe private struct SumTarget: @unchecked Sendable {
    @unsafe let base: UnsafeMutablePointer<Float>
}
