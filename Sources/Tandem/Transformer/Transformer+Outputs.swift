// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels
internal import TandemFormat

extension Transformer {
    /// Gives each request that wants them the normed states of its rows.
    func copyStates(_ requests: [PassRequest], _ batch: PassBatch) {
        for part in batch.parts {
            guard let states = requests[part.request].states else { continue }
            let output = unsafe states.pointer(to: Float.self)
            for row in 0..<part.rowCount {
                unsafe kernels.rmsnorm(
                    workspace.residual + (part.firstRow &+ row) &* hiddenSize, weights.norm,
                    weights.configuration.normEpsilon, hiddenSize, output + row &* hiddenSize)
            }
        }
    }

    /// Gives each request the logits of the rows it wants them of: drafts by the draft head, where there is one.
    func computeLogits(_ requests: [PassRequest], _ batch: PassBatch) {
        let wanting = batch.parts.filter { !requests[$0.request].logitRows.isEmpty }
        computeLogits(requests, wanting)
        guard let router = weights.router else { return }
        for part in wanting {
            guard let question = requests[part.request].question else { continue }
            unsafe question.ask(
                router, logits: UnsafePointer(requests[part.request].logits.row(0)),
                embedding: weights.embedding, kernels: kernels)
        }
    }

    private func computeLogits(_ requests: [PassRequest], _ wanting: [PassBatch.Part]) {
        guard let draftHead = weights.draftHead else {
            computeLogits(requests, wanting, head: weights.head)
            return
        }
        computeLogits(requests, wanting.filter { !requests[$0.request].isDraft }, head: weights.head)
        let drafts = wanting.filter { requests[$0.request].isDraft }
        computeLogits(requests, drafts, head: draftHead.matrix)
        for part in drafts {
            let request = requests[part.request]
            for row in 0..<request.logitRows.count {
                unsafe draftHead.expand(
                    request.logits.row(row), vocabularySize: weights.configuration.vocabularySize)
            }
        }
    }

    /// One request's go straight where they belong. Those of several are one product too: the head is read once, and
    /// what it gives is dealt out in tiles.
    private func computeLogits(_ requests: [PassRequest], _ wanting: [PassBatch.Part], head: Matrix) {
        guard let first = wanting.first else { return }
        if wanting.count == 1 {
            let request = requests[first.request]
            let rows = request.logitRows
            let input = unsafe normed(
                workspace.residual + first.row(ofRequestRow: rows.lowerBound) &* hiddenSize,
                stride: hiddenSize, rows: rows.count, by: weights.norm)
            unsafe multiplier.multiply(
                input.base, stride: input.stride, rows: rows.count,
                by: [
                    Product(
                        matrix: head, output: request.logits.row(0),
                        outputStride: request.logits.stride)
                ])
            unsafe scaleLogits(
                (0..<rows.count).map { unsafe request.logits.row($0) }, count: head.rows)
            return
        }

        var sources: [UnsafeMutablePointer<Float>] = unsafe []
        var outputs: [UnsafeMutablePointer<Float>] = unsafe []
        for part in wanting {
            let request = requests[part.request]
            for row in request.logitRows {
                unsafe sources.append(workspace.residual + part.row(ofRequestRow: row) &* hiddenSize)
                unsafe outputs.append(request.logits.row(row &- request.logitRows.lowerBound))
            }
        }
        let width = hiddenSize
        let epsilon = weights.configuration.normEpsilon
        unsafe multiplier.forEachRow(sources.count, cost: width) { row, _ in
            unsafe kernels.rmsnorm(
                sources[row], weights.norm, epsilon, width, workspace.normed + row &* width)
        }
        unsafe outputs.withUnsafeBufferPointer { targets in
            guard let base = targets.baseAddress else { return }
            unsafe multiplier.multiply(
                UnsafePointer(workspace.normed), stride: width, rows: targets.count,
                by: [
                    Product(matrix: head, output: targets[0], outputStride: 0, rowOutputs: base)
                ])
        }
        unsafe scaleLogits(outputs, count: head.rows)
    }

    private func scaleLogits(_ rows: [UnsafeMutablePointer<Float>], count vocabulary: Int) {
        let scale = weights.configuration.architecture.logitScale
        let cap = weights.configuration.architecture.logitSoftcap
        guard scale != 1 || cap != nil else { return }
        let piece = 8192
        let pieces = (vocabulary &+ piece &- 1) / piece
        unsafe multiplier.forEachRow(rows.count &* pieces, cost: piece) { item, _ in
            let first = item % pieces &* piece
            let count = min(piece, vocabulary &- first)
            let logits = unsafe rows[item / pieces] + first
            if scale != 1 { unsafe kernels.scale(logits, scale, count) }
            if let cap { unsafe kernels.softcap(logits, cap, count) }
        }
    }
}
