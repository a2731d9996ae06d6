// SPDX-License-Identifier: Apache-2.0

import TandemFormat

/// Decodes a tensor element by element, by the formulas of the specification's "Matrix layouts".
func decode(_ tensor: TensorDescriptor, _ chunk: [UInt8]) -> [Float] {
    let kp = tensor.paddedColumns
    let data = Array(chunk[tensor.dataOffset..<tensor.dataOffset + tensor.dataLength])
    let scales = Array(chunk[tensor.scalesOffset..<tensor.scalesOffset + tensor.scalesLength])

    func float(_ index: Int, of bytes: [UInt8]) -> Float {
        Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[4 * index + $1]) << UInt32(8 * $1) })
    }
    func scale(_ n: Int, _ k: Int) -> Float {
        let index = n / 16 * (kp / tensor.groupSize) * 16 + k / tensor.groupSize * 16 + n % 16
        return Float(Float16(bitPattern: UInt16(scales[2 * index]) | UInt16(scales[2 * index + 1]) << 8))
    }
    func nibble(_ n: Int, _ k: Int) -> Float {
        let byte = data[n / 16 * 8 * kp + k / 8 * 64 + n % 16 * 4 + k % 4]
        return Float(Int(k % 8 < 4 ? byte & 15 : byte >> 4) - 8)
    }
    /// A value with scale and offset codes; every product and the sum are rounded.
    func shifted(_ n: Int, _ k: Int) -> Float {
        let block = n / 16 * (128 + kp / tensor.groupSize * 32)
        let code = block + 128 + k / tensor.groupSize * 32 + n % 16
        let offset = Int8(bitPattern: scales[code + 16])
        let scaled = nibble(n, k) * Float(scales[code]) * float(block / 4 + n % 16, of: scales)
        return scaled + Float(offset) * float(block / 4 + 16 + n % 16, of: scales)
    }
    func element(_ n: Int, _ k: Int) -> Float {
        switch tensor.encoding {
        case .f32: return float(n * tensor.columns + k, of: data)
        case .panelF32: return float(n / 16 * 16 * kp + k * 16 + n % 16, of: data)
        case .panelI8:
            let byte = data[n / 16 * 16 * kp + k / 4 * 64 + n % 16 * 4 + k % 4]
            return Float(Int8(bitPattern: byte)) * scale(n, k)
        case .panelI4: return nibble(n, k) * scale(n, k)
        case .panelI4Z: return shifted(n, k)
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
