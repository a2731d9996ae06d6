// SPDX-License-Identifier: Apache-2.0

import TandemFormat

/// Decodes a tensor element by element, by the formulas of the specification's "Matrix layouts".
func decode(_ tensor: TensorDescriptor, _ chunk: [UInt8]) -> [Float] {
    let kp = tensor.paddedColumns
    let data = Array(chunk[tensor.dataOffset..<tensor.dataOffset + tensor.dataLength])
    let scales = Array(chunk[tensor.scalesOffset..<tensor.scalesOffset + tensor.scalesLength])

    func float(_ index: Int) -> Float {
        Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(data[4 * index + $1]) << UInt32(8 * $1) })
    }
    func scale(_ n: Int, _ k: Int) -> Float {
        let index = n / 16 * (kp / tensor.groupSize) * 16 + k / tensor.groupSize * 16 + n % 16
        return Float(Float16(bitPattern: UInt16(scales[2 * index]) | UInt16(scales[2 * index + 1]) << 8))
    }
    func element(_ n: Int, _ k: Int) -> Float {
        switch tensor.encoding {
        case .f32: return float(n * tensor.columns + k)
        case .panelF32: return float(n / 16 * 16 * kp + k * 16 + n % 16)
        case .panelI8:
            let byte = data[n / 16 * 16 * kp + k / 4 * 64 + n % 16 * 4 + k % 4]
            return Float(Int8(bitPattern: byte)) * scale(n, k)
        case .panelI4:
            let byte = data[n / 16 * 8 * kp + k / 8 * 64 + n % 16 * 4 + k % 4]
            return Float(Int(k % 8 < 4 ? byte & 15 : byte >> 4) - 8) * scale(n, k)
        }
    }
    return (0..<tensor.rows).flatMap { n in (0..<tensor.columns).map { k in element(n, k) } }
}

/// All tensors of a file, one after another.
func decodeAll(_ file: TandemFile) throws -> [Float] {
    var values: [Float] = []
    for index in file.chunks.indices {
        let bytes = try file.bytes(ofChunk: index).copy()
        for tensor in file.tensors[file.chunks[index].tensors] { values += decode(tensor, bytes) }
    }
    return values
}
