// SPDX-License-Identifier: Apache-2.0

import Glibc
import Tandem
import TandemFormat

/// A random model on disk whose weights a test streams.
final class ResidencyFixture: Sendable {
    /// How the tensors are spread over chunks.
    enum Chunks: String, Sendable, CaseIterable {
        /// One chunk for each model.
        case models
        /// One chunk for each layer, as the packer writes.
        case layers
        /// The same, compressed where that pays.
        case compressedLayers
        /// The same, as bit planes.
        case planeLayers

        var areCompressed: Bool { codec != .raw }

        fileprivate var codec: CodecChoice {
            switch self {
            case .models, .layers: .raw
            case .compressedLayers: .lz4IfSmaller
            case .planeLayers: .planesIfAtMost(1)
            }
        }
    }

    let path: String
    let recipe: ModelRecipe
    private let folder: TemporaryFolder

    init(_ recipe: ModelRecipe, chunks: Chunks = .layers) throws {
        folder = try TemporaryFolder()
        path = folder.path("model.tandem")
        self.recipe = recipe
        let model = try RandomModel(recipe)
        if chunks == .models {
            try model.write(to: path)
        } else {
            try model.writeLayers(to: path, codec: chunks.codec)
        }
    }

    func options(
        _ memory: MemoryBudget, threads: Int = 1, session: SessionOptions = .default, sessions: Int = 1,
        verification: LoadOptions.Verification = .full
    ) throws -> LoadOptions {
        try LoadOptions(
            threadCount: threads, verification: verification, memory: memory, session: session,
            sessionCount: sessions)
    }

    /// The least budget, and the one that keeps everything in memory.
    func limits(
        threads: Int = 1, session: SessionOptions = .default, sessions: Int = 1,
        verification: LoadOptions.Verification = .full, sliceLength: Int? = nil
    ) throws -> (least: Int, most: Int) {
        let plan = try TandemModel.memoryPlan(
            forFile: path,
            options: options(
                .bytes(1 << 40), threads: threads, session: session, sessions: sessions,
                verification: verification), sliceLength: sliceLength)
        return (plan.leastBytes, plan.totalBytes)
    }

    /// Loads within a budget; `share` 0 is the least one, 1 the one that streams nothing.
    func load(
        share: Double = 0, threads: Int = 1, session: SessionOptions = .default, sessions: Int = 1,
        verification: LoadOptions.Verification = .full, sliceLength: Int? = nil, storage: TestStorage? = nil
    ) throws -> TandemModel {
        let limits = try limits(
            threads: threads, session: session, sessions: sessions, verification: verification,
            sliceLength: sliceLength)
        let budget = limits.least + Int(Double(limits.most - limits.least) * share)
        return try TandemModel.load(
            from: path,
            options: options(
                .bytes(budget), threads: threads, session: session, sessions: sessions,
                verification: verification), sliceLength: sliceLength
        ) { (file) throws(FormatError) in
            let real = try FileStorage(file)
            guard let storage else { return real }
            storage.open(real)
            return storage
        }
    }

    /// Reproducible token ids inside the vocabulary.
    func tokens(_ count: Int, seed: UInt64 = 1) -> [Int32] {
        var random = TestRandom(seed: seed &+ 1000)
        return (0..<count).map { _ in Int32(random.index(below: recipe.primary.vocabulary)) }
    }

    /// Logits of both models of the mapped file.
    func mappedLogits(_ tokens: [Int32], blockLength: Int = 2) throws -> (
        primary: [[Float]], secondary: [[Float]]
    ) {
        try TandemModel.load(from: path, options: options(.mapped)).makeSession().allLogits(
            tokens, blockLength: blockLength)
    }
}

/// A file whose reads a test watches and spoils.
final class TestStorage: BlockStorage {
    struct Spoiling: Sendable {
        /// Reads that succeed before one fails; `nil` = none fails.
        var readsBeforeFailure: Int?
        /// The file ends here.
        var end: Int?
        /// Bits to flip, by file offset.
        var flips: [Int: UInt8] = [:]
        /// Reads wait while this is set.
        var isStalled = false
        /// What every read takes at least.
        var microsecondsPerRead: UInt32 = 0
    }

    private struct State {
        var file: (any BlockStorage)?
        var spoiling = Spoiling()
        var readCount = 0
        var bytesRead = 0
        var isAligned = true
    }

    private let state = Guarded(State())

    func open(_ file: any BlockStorage) { state.withLock { $0.file = file } }

    func spoil(_ change: (inout Spoiling) -> Void) { state.withLock { change(&$0.spoiling) } }

    var readCount: Int { state.withLock { $0.readCount } }
    var bytesRead: Int { state.withLock { $0.bytesRead } }
    /// Whether every read was as direct I/O wants it.
    var isAligned: Bool { state.withLock { $0.isAligned } }

    var path: String { state.withLock { $0.file?.path ?? "" } }
    var fileSize: Int { state.withLock { min($0.file?.fileSize ?? 0, $0.spoiling.end ?? .max) } }

    func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FormatError) -> Int {
        while state.withLock({ $0.spoiling.isStalled }) { usleep(1000) }
        let (file, spoiling) = state.withLock { state in
            state.readCount += 1
            let address = Int(bitPattern: buffer.baseAddress)
            if offset % 4096 != 0 || buffer.count % 4096 != 0 || address % 4096 != 0 {
                state.isAligned = false
            }
            return (state.file, state.spoiling)
        }
        if let left = spoiling.readsBeforeFailure {
            guard left > 0 else { throw .system(operation: "read", path: path, code: 5) }
            state.withLock { $0.spoiling.readsBeforeFailure = left - 1 }
        }
        if spoiling.microsecondsPerRead > 0 { usleep(spoiling.microsecondsPerRead) }
        guard let file else { return 0 }
        var got = unsafe try file.read(at: offset, into: buffer)
        if let end = spoiling.end { got = max(0, min(got, end - offset)) }
        for (position, bits) in spoiling.flips where (offset..<offset + got).contains(position) {
            unsafe buffer[position - offset] ^= bits
        }
        state.withLock { $0.bytesRead += got }
        return got
    }
}

extension RandomModel {
    /// Writes the model with the chunks that the packer makes: embeddings, each layer, what follows the layers.
    func writeLayers(to path: String, codec: CodecChoice) throws {
        let writer = try TandemWriter(path: path)
        var open: String?
        for tensor in try manifest(tokenizerChunk: nil).requiredTensors() {
            let parts = tensor.name.split(separator: ".")
            let chunk =
                tensor.name.hasPrefix("tandem.")
                ? "tandem.projections"
                : parts.count == 4
                    ? parts[0..<3].joined(separator: ".")
                    : parts.last == "embed" ? tensor.name : "\(parts[0]).output"
            if chunk != open {
                if open != nil { try writer.endChunk() }
                try writer.beginChunk(name: chunk, codec: codec)
                open = chunk
            }
            if let matrix = matrices[tensor.name] {
                let layout = matrix.layout
                try writer.beginTensor(
                    name: tensor.name, encoding: layout.encoding, rows: layout.rows, columns: layout.columns,
                    groupSize: layout.groupSize)
                try matrix.append(to: writer)
            } else if let vector = vectors[tensor.name] {
                try writer.beginTensor(name: tensor.name, encoding: .f32, rows: 1, columns: vector.count)
                try unsafe vector.withUnsafeBytes { try unsafe writer.appendData($0) }
            }
            try writer.endTensor()
        }
        try writer.endChunk()
        try writer.finish(manifest: manifest(tokenizerChunk: nil))
    }
}

/// Whether two tables hold the same bits.
func haveSameBits(_ a: [[Float]], _ b: [[Float]]) -> Bool {
    a.map { $0.map(\.bitPattern) } == b.map { $0.map(\.bitPattern) }
}
