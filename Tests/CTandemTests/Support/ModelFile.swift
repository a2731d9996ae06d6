// SPDX-License-Identifier: Apache-2.0

import Foundation
import TandemFormat
import TandemJSON

/// A small random tandem on disk, removed with this object.
final class ModelFile: Sendable {
    let path: String
    let contextSize = 2048
    /// More rows than the tokenizer has ids, as padded vocabularies do.
    static let vocabularySize = 272
    private let folder: URL

    /// One file for all tests that only read.
    static let shared = Result { try ModelFile() }

    init(hasTokenizer: Bool = true) throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "tandem-c-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        path = folder.appending(path: "model.tandem").path
        try write(hasTokenizer: hasTokenizer)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    /// A file beside the model.
    func write(_ bytes: Data, as name: String) throws -> String {
        let url = folder.appending(path: name)
        try bytes.write(to: url)
        return url.path
    }

    private func write(hasTokenizer: Bool) throws {
        let writer = try TandemWriter(path: path)
        var tokenizer: TokenizerReference?
        if hasTokenizer {
            let chunk = try writer.addBlob(name: "tokenizer", bytes: ByteTokenizer.json, codec: .lz4IfSmaller)
            tokenizer = TokenizerReference(chunk: chunk, bos: nil, eos: [0], addBOS: false, chatTemplate: nil)
        }
        let manifest = try Manifest(
            primary: configuration(hidden: 32, layers: 2), secondary: configuration(hidden: 16, layers: 1),
            tandem: TandemConfiguration(layerMap: [1], blockLength: 3), tokenizer: tokenizer)
        var random = SeededNumbers()
        try writer.beginChunk(name: "weights")
        for tensor in manifest.requiredTensors() { try append(tensor, to: writer, &random) }
        try writer.endChunk()
        try writer.finish(manifest: manifest)
    }

    private func configuration(hidden: Int, layers: Int) throws -> ModelConfiguration {
        try ModelConfiguration(
            vocabularySize: Self.vocabularySize, hiddenSize: hidden, layerCount: layers, headCount: 2,
            keyValueHeadCount: 1, headSize: 16, intermediateSize: 48, maxPositions: contextSize,
            normEpsilon: 1e-5,
            ropeBase: 10_000, tiedEmbeddings: true)
    }

    private func append(
        _ tensor: TensorRequirement, to writer: TandemWriter, _ random: inout SeededNumbers
    ) throws {
        let encoding: TensorEncoding = tensor.isVector ? .f32 : .panelF32
        let layout = try TensorLayout(encoding: encoding, rows: tensor.rows, columns: tensor.columns)
        // The order inside the panels does not matter for random values.
        let scale = tensor.isVector ? 1 : 4 / Float(tensor.columns).squareRoot()
        let values = (0..<layout.dataLength / 4).map { _ in tensor.isVector ? 1 : scale * random.next() }
        try writer.beginTensor(
            name: tensor.name, encoding: encoding, rows: tensor.rows, columns: tensor.columns)
        try values.withUnsafeBytes { try writer.appendData($0) }
        try writer.endTensor()
    }
}

/// Reproducible numbers in -1 … 1.
private struct SeededNumbers {
    private var state: UInt64 = 0x9E37_79B9

    mutating func next() -> Float {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Float(state >> 40) / Float(1 << 23) - 1
    }
}
