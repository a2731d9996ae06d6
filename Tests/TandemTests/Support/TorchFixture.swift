// SPDX-License-Identifier: Apache-2.0

import Foundation
import Tandem
import TandemJSON
import TandemPack

/// A tiny tandem checkpoint of the `Fixtures` folder with the figures PyTorch computed from it in float32.
struct TorchFixture {
    let checkpoint: URL
    let tokens: [Int32]
    let blockLength: Int
    private let tensors: [String: [[Float]]]
    /// Greedy SPEED as the trainer decodes.
    let speed: JSONValue

    init(_ name: String) throws {
        checkpoint = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Fixtures/\(name)")
        let bytes = try [UInt8](Data(contentsOf: checkpoint.appending(path: "reference.safetensors")))
        let headerLength = bytes[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
        let header = try JSONValue(parsing: Array(bytes[8..<8 + headerLength]))
        let data = bytes[(8 + headerLength)...]
        func words(_ name: String) -> [UInt32] {
            let offsets = header[name]?["data_offsets"]?.arrayValue?.compactMap(\.intValue) ?? [0, 0]
            let first = data.startIndex + offsets[0]
            return stride(from: first, to: data.startIndex + offsets[1], by: 4).map { index in
                data[index..<index + 4].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            }
        }
        tokens = words("tokens").map { Int32(bitPattern: $0) }
        let count = tokens.count
        tensors = ["primary_logits", "secondary_logits", "tandem_logits", "router"].reduce(into: [:]) {
            tensors, name in
            guard header[name] != nil else { return }
            let values = words(name).map { Float(bitPattern: $0) }
            let width = values.count / max(1, count)
            tensors[name] = (0..<count).map { Array(values[$0 * width..<($0 + 1) * width]) }
        }
        blockLength = header["__metadata__"]?["gamma"]?.stringValue.flatMap { Int($0) } ?? 0
        speed = try JSONValue(parsing: [UInt8](Data(contentsOf: checkpoint.appending(path: "speed.json"))))
    }

    /// [position][vocabulary] in double precision.
    func logits(_ name: String) -> [[Double]] { (tensors[name] ?? []).map { $0.map(Double.init) } }

    func tokens(_ name: String) -> [Int32] {
        (speed[name]?.arrayValue ?? []).compactMap { $0.intValue.map(Int32.init) }
    }

    /// Packs the checkpoint without quantisation and loads it.
    func model(asPair: Bool, in folder: TemporaryFolder) throws -> TandemModel {
        let path = folder.path(asPair ? "pair.tandem" : "tandem.tandem")
        _ = try Packer().pack(
            source: checkpoint.path, secondary: asPair ? checkpoint.appending(path: "secondary").path : nil,
            destination: path, options: PackOptions(weights: .f32))
        return try TandemModel.load(from: path)
    }
}
