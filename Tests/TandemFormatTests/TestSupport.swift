// SPDX-License-Identifier: Apache-2.0

import Foundation
import TandemFormat
import TandemJSON

/// A folder of its own for one test, removed with this object.
final class TemporaryFolder {
    let url: URL

    /// - Parameter inMemory: prefer a file system in memory, for tests that write thousands of files.
    init(inMemory: Bool = false) throws {
        let memory = URL(filePath: "/dev/shm")
        let useMemory = inMemory && FileManager.default.isWritableFile(atPath: memory.path)
        let parent = useMemory ? memory : FileManager.default.temporaryDirectory
        url = parent.appending(path: "tandem-format-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func path(_ name: String) -> String { url.appending(path: name).path }

    var names: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []).sorted()
    }
}

/// The repository's `Formats` folder.
let formatsFolder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Formats")

/// Runs `body` and returns the error it throws, nil when it throws none.
func formatError(_ body: () throws -> Void) -> FormatError? {
    do {
        try body()
        return nil
    } catch { return error as? FormatError }
}

/// Small deterministic pseudo-random bytes.
struct ByteSource {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 33
    }

    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
    }
}

/// Writes small files of every kind through the public interface.
struct SampleFile {
    var kind = Manifest.Kind.tandem
    var encoding = TensorEncoding.panelI8
    var groupSize = 64
    var codec = CodecChoice.raw
    var tied = false
    /// Of the primary; the secondary is plain.
    var architecture = ModelArchitecture()
    var seed: UInt64 = 1
    var tokenizer = Array(
        #"{"model":{"vocab":["a","b","a","b","a","b","a","b","a","b","a","b","a","b"]}}"#.utf8)

    func configuration(_ role: ModelRole) throws -> ModelConfiguration {
        let hidden = role == .primary ? 48 : 24
        return try ModelConfiguration(
            vocabularySize: 40, hiddenSize: hidden, layerCount: role == .primary ? 2 : 1, headCount: 4,
            keyValueHeadCount: 2, headSize: 8, intermediateSize: 70, maxPositions: 128, normEpsilon: 1e-5,
            ropeBase: 10_000, tiedEmbeddings: tied,
            architecture: role == .primary ? architecture : ModelArchitecture())
    }

    func manifest(tokenizerChunk: Int? = 0) throws -> Manifest {
        let secondary = kind == .single ? nil : try configuration(.secondary)
        return try Manifest(
            primary: configuration(.primary), secondary: secondary,
            tandem: kind == .tandem ? TandemConfiguration(layerMap: [1], blockLength: 2) : nil,
            tokenizer: tokenizerChunk.map {
                TokenizerReference(chunk: $0, bos: 1, eos: [2], addBOS: true, chatTemplate: "{{ \"é\n\" }}")
            },
            quantization: ["method": "absmax"], provenance: ["name": "sample"])
    }

    @discardableResult
    func write(to path: String) throws -> Int {
        let writer = try TandemWriter(path: path)
        let chunk = try writer.addBlob(name: "tokenizer", bytes: tokenizer, codec: .lz4IfSmaller)
        let manifest = try manifest(tokenizerChunk: chunk)
        try SampleFile.addTensors(self, to: writer)
        return try writer.finish(manifest: manifest)
    }

    /// Writes every tensor the sample's manifest needs, a chunk per part of a model.
    static func addTensors(_ sample: SampleFile, to writer: TandemWriter) throws {
        let manifest = try sample.manifest()
        var source = ByteSource(seed: sample.seed)
        var open = ""
        for tensor in manifest.requiredTensors() {
            let parts = tensor.name.split(separator: ".").prefix { $0.first?.isNumber != true }
            let name = parts.prefix(2).joined(separator: ".")
            if name != open {
                if !open.isEmpty { try writer.endChunk() }
                try writer.beginChunk(name: name, codec: sample.codec)
                open = name
            }
            try sample.write(tensor, with: writer, from: &source)
        }
        try writer.endChunk()
    }

    private func write(
        _ tensor: TensorRequirement, with writer: TandemWriter, from source: inout ByteSource
    ) throws {
        let encoding = tensor.isVector ? TensorEncoding.f32 : encoding
        let group = encoding.isQuantized ? groupSize(columns: tensor.columns) : 0
        let layout = try TensorLayout(
            encoding: encoding, rows: tensor.rows, columns: tensor.columns, groupSize: group)
        try writer.beginTensor(
            name: tensor.name, encoding: encoding, rows: tensor.rows, columns: tensor.columns,
            groupSize: group)
        let data = source.bytes(layout.dataLength)
        let half = data.count / 2
        try unsafe data.withUnsafeBytes {
            try unsafe writer.appendData(UnsafeRawBufferPointer(rebasing: $0[..<half]))
        }
        try unsafe source.bytes(layout.scalesLength).withUnsafeBytes { try unsafe writer.appendScales($0) }
        try unsafe data.withUnsafeBytes {
            try unsafe writer.appendData(UnsafeRawBufferPointer(rebasing: $0[half...]))
        }
        try writer.endTensor()
    }

    /// 0 asks for one scale per row.
    func groupSize(columns: Int) -> Int {
        groupSize == 0 ? TensorLayout.rowGroupSize(columns: columns) : groupSize
    }
}

/// The raw bytes of a chunk.
func chunkBytes(_ file: TandemFile, _ index: Int) throws -> [UInt8] { try file.bytes(ofChunk: index).copy() }
