// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels
internal import TandemFormat

/// One product that a block of activations takes part in: `output[r, n] = Σ_k input[r, k] · matrix[n, k]`.
@safe
struct Product {
    let matrix: Matrix
    /// [rows, outputStride]; `outputStride` at least the matrix's rows rounded up to 16.
    let output: UnsafeMutablePointer<Float>
    let outputStride: Int
    /// Panels to compute; `nil` = all.
    var panels: Range<Int>?
    /// Where each row goes instead, when the rows of the output do not lie one behind the other.
    var rowOutputs: UnsafePointer<UnsafeMutablePointer<Float>>?

    var panelRange: Range<Int> { panels ?? 0..<matrix.panelCount }
}

/// Runs kernels over the pool: matrix products, and loops over the rows of a block.
///
/// Results never depend on how the work was cut: every output is computed by one call, in K order.
@safe
struct Multiplier {
    let pool: ComputePool
    let kernels: tk_kernels
    let workspace: Workspace
    /// Where streamed matrices come from.
    var stream: WeightStream?

    /// Below this many bytes of weights a fork costs more than it gives.
    private static let inlineBytes = 64 * 1024

    /// Multiplies `rows` rows of `input` [rows, inputStride] by every matrix of `products` (all with the same K).
    func multiply(
        _ input: UnsafePointer<Float>, stride inputStride: Int, rows: Int, by products: [Product]
    ) {
        if let recorder = workspace.inputRecorder {
            unsafe recorder.record(input, stride: inputStride, rows: rows, products: products)
        }
        var index = 0
        while index < products.count {
            // Neighbours that read the same quantised activations share one fork.
            let group = products[index].matrix.activationGroup
            var end = index + 1
            while end < products.count, products[end].matrix.activationGroup == group { end += 1 }
            unsafe multiplyRun(
                input, stride: inputStride, rows: rows, products: products[index..<end], group: group)
            index = end
        }
    }

    private func multiplyRun(
        _ input: UnsafePointer<Float>, stride inputStride: Int, rows: Int, products: ArraySlice<Product>,
        group: Int
    ) {
        guard let first = products.first else { return }
        if group > 0 {
            unsafe quantize(
                input, stride: inputStride, rows: rows, columns: first.matrix.columns,
                paddedColumns: first.matrix.paddedColumns, group: group)
            if products.contains(where: { isInterleaved($0.matrix, rows: rows) }) {
                var arguments = unsafe activations(first.matrix, rows: rows)
                unsafe kernels.interleave?(&arguments, workspace.interleaved)
            }
        }

        guard let stream, products.contains(where: { !$0.matrix.units.isEmpty }) else {
            unsafe runInMemory(products, input: input, inputStride: inputStride, rows: rows)
            return
        }
        for product in products {
            guard !product.matrix.units.isEmpty else {
                unsafe runInMemory([product], input: input, inputStride: inputStride, rows: rows)
                continue
            }
            for unit in product.matrix.units {
                // Once the stream has failed, the forward pass throws before anyone sees the outputs.
                guard let part = stream.acquire(unit, pool: pool) else { return }
                let bound = unsafe Product(
                    matrix: product.matrix.bound(to: part), output: product.output,
                    outputStride: product.outputStride, panels: part.panels,
                    rowOutputs: product.rowOutputs)
                unsafe runInMemory([bound], input: input, inputStride: inputStride, rows: rows)
                stream.release()
            }
        }
    }

    /// Products of matrices that are in memory, at least the panels in question.
    private func runInMemory(
        _ products: ArraySlice<Product>, input: UnsafePointer<Float>, inputStride: Int, rows: Int
    ) {
        var totalPanels = 0
        var totalBytes = 0
        for product in products {
            totalPanels &+= product.panelRange.count
            totalBytes &+= product.panelRange.count &* product.matrix.panelBytes
        }
        let weight = totalBytes &* (1 &+ rows / 4)
        if pool.threadCount == 1 || weight < Self.inlineBytes {
            for product in products {
                unsafe run(
                    product, panels: product.panelRange, input: input, inputStride: inputStride, rows: rows,
                    thread: 0)
            }
            return
        }

        let shares = WorkShares(
            panels: totalPanels, weight: weight, threads: pool.threadCount, pairs: rows > 8)
        pool.run(shares.count) { item, thread in
            var (begin, end) = shares[item]
            var offset = 0
            for product in products {
                let panels = product.panelRange
                let count = panels.count
                if begin < offset &+ count {
                    let stop = min(end, offset &+ count)
                    unsafe run(
                        product,
                        panels: (panels.lowerBound &+ begin &- offset)..<(panels.lowerBound &+ stop &- offset),
                        input: input, inputStride: inputStride, rows: rows, thread: thread)
                    begin = stop
                    if begin >= end { return }
                }
                offset &+= count
            }
        }
    }

    private func run(
        _ product: Product, panels: Range<Int>, input: UnsafePointer<Float>, inputStride: Int, rows: Int,
        thread: Int
    ) {
        guard let targets = unsafe product.rowOutputs else {
            unsafe run(
                product.matrix, panels: panels, input: input, inputStride: inputStride, rows: rows,
                output: product.output, outputStride: product.outputStride)
            return
        }
        let width = Workspace.tileWidth
        let tile = unsafe workspace.tiles + thread &* workspace.maxRows &* width
        var first = panels.lowerBound
        while first < panels.upperBound {
            let end = min(first &+ width / 16, panels.upperBound)
            unsafe run(
                product.matrix, panels: first..<end, input: input, inputStride: inputStride, rows: rows,
                output: tile - first &* 16, outputStride: width)
            for row in 0..<rows {
                unsafe (targets[row] + first &* 16).update(
                    from: tile + row &* width, count: (end &- first) &* 16)
            }
            first = end
        }
    }

    private func run(
        _ matrix: Matrix, panels: Range<Int>, input: UnsafePointer<Float>, inputStride: Int, rows: Int,
        output: UnsafeMutablePointer<Float>, outputStride: Int
    ) {
        if matrix.isQuantized {
            var arguments = unsafe activations(matrix, rows: rows)
            unsafe arguments.w = matrix.data
            unsafe arguments.wscales = matrix.scales
            unsafe arguments.y = output
            unsafe arguments.ldy = outputStride
            if isInterleaved(matrix, rows: rows) {
                unsafe arguments.interleaved = UnsafeRawPointer(workspace.interleaved)
            }
            switch matrix.encoding {
            case .panelI8: unsafe kernels.gemm_i8(&arguments, panels.lowerBound, panels.upperBound)
            case .panelI4Z: unsafe kernels.gemm_i4z(&arguments, panels.lowerBound, panels.upperBound)
            default: unsafe kernels.gemm_i4(&arguments, panels.lowerBound, panels.upperBound)
            }
        } else {
            var arguments = unsafe tk_fgemm(
                x: input, ldx: inputStride, rows: rows, w: matrix.data.assumingMemoryBound(to: Float.self),
                k: matrix.columns, y: output, ldy: outputStride)
            unsafe kernels.gemm_f32(&arguments, panels.lowerBound, panels.upperBound)
        }
    }

    /// The quantised activations of `rows` rows as the product with `matrix` reads them.
    private func activations(_ matrix: Matrix, rows: Int) -> tk_qgemm {
        unsafe tk_qgemm(
            q: UnsafePointer(workspace.quantized), ldq: workspace.quantizedStride,
            scales: UnsafePointer(workspace.quantizedScales), sums: UnsafePointer(workspace.quantizedSums),
            lds: workspace.groupStride, rows: rows, w: nil, wscales: nil, kp: matrix.paddedColumns,
            ga: matrix.activationGroup, gw: matrix.weightGroup, y: nil, ldy: 0, interleaved: nil)
    }

    /// Whether the product with `matrix` reads interleaved activations.
    private func isInterleaved(_ matrix: Matrix, rows: Int) -> Bool {
        guard unsafe kernels.interleave != nil, matrix.encoding == .panelI8 else { return false }
        return tk_interleaved_bytes(rows, matrix.paddedColumns, matrix.activationGroup) > 0
    }

    private func quantize(
        _ input: UnsafePointer<Float>, stride inputStride: Int, rows: Int, columns: Int, paddedColumns: Int,
        group: Int
    ) {
        forEachRow(rows, cost: columns) { row, _ in
            unsafe kernels.quantize(
                input + row &* inputStride, inputStride, 1, columns, paddedColumns, group,
                workspace.quantized + row &* workspace.quantizedStride, workspace.quantizedStride,
                workspace.quantizedScales + row &* workspace.groupStride,
                workspace.quantizedSums + row &* workspace.groupStride, workspace.groupStride)
        }
    }

    /// Calls `body(row, thread)` for every row, in parallel when `rows` times `cost` (elements) is worth it.
    func forEachRow(_ rows: Int, cost: Int, _ body: (_ row: Int, _ thread: Int) -> Void) {
        if rows &* cost < 16 * 1024 {
            for row in 0..<rows { body(row, 0) }
        } else {
            pool.run(rows, body)
        }
    }
}
