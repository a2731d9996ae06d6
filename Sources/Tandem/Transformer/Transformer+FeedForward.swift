// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels
internal import TandemFormat

extension Transformer {
    /// The feed-forward sublayer: down(activation(gate(x)) * up(x)).
    func feedForward(_ layer: LayerWeights, rows: Int) {
        let width = weights.configuration.intermediateSize
        let stride = (width + 15) & ~15
        let input = unsafe normed(
            workspace.residual, stride: hiddenSize, rows: rows, by: layer.feedForwardNorm)
        unsafe multiplier.multiply(
            input.base, stride: input.stride, rows: rows,
            by: [
                Product(matrix: layer.gate.matrix, output: workspace.gate, outputStride: stride),
                Product(matrix: layer.up.matrix, output: workspace.up, outputStride: stride),
            ])
        let activation = weights.configuration.architecture.activation
        multiplier.forEachRow(rows, cost: width &* 4) { row, _ in
            let gate = unsafe workspace.gate + row &* stride
            let up = unsafe workspace.up + row &* stride
            if let bias = unsafe layer.gate.bias { unsafe kernels.add(gate, bias, width) }
            if let bias = unsafe layer.up.bias { unsafe kernels.add(up, bias, width) }
            switch activation {
            case .silu: unsafe kernels.swiglu(gate, up, width, gate)
            case .geluTanh: unsafe kernels.geglu(gate, up, width, gate)
            }
        }
        let inner = unsafe Rows(base: UnsafePointer(workspace.gate), stride: stride)
        unsafe addSublayer(layer.down, inner, postNorm: layer.feedForwardPostNorm, rows: rows)
    }
}
