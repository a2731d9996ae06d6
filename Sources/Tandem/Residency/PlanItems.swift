// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat

/// Adds up what a placement takes.
struct PlanItems {
    private(set) var list: [MemoryPlan.Item] = []
    private let file: TandemFile
    private let placement: WeightPlacement
    private let pinned: [Int]
    private let layers: [[Int]]
    private let isMapped: Bool

    init(
        file: TandemFile, placement: WeightPlacement, pinned: [Int], layers: [[Int]], isMapped: Bool
    ) {
        self.file = file
        self.placement = placement
        self.pinned = pinned
        self.layers = layers
        self.isMapped = isMapped
    }

    var total: Int { list.reduce(0) { $0 + $1.bytes } }

    private mutating func add(_ name: String, _ bytes: Int, _ detail: String) {
        if bytes > 0 { list.append(MemoryPlan.Item(name: name, bytes: bytes, detail: detail)) }
    }

    /// Stack pages and thread-local memory of one thread.
    private static let bytesPerThread = 48 << 10

    mutating func addRuntime(threadCount: Int) {
        let tables = file.tensors.count * 512 + file.chunks.count * 256
        add(
            "runtime", MemoryPlan.runtimeBytes + threadCount * Self.bytesPerThread + tables,
            "program, libraries, heap, \(threadCount) thread\(threadCount == 1 ? "" : "s"), file tables")
        if let reference = file.manifest.tokenizer {
            let length = file.chunks[reference.chunk].rawLength
            add(
                "tokenizer", TokenizerMemory.retained(jsonLength: length),
                "tables of a \(length >> 10) KiB vocabulary")
        }
    }

    mutating func addWeights(isVerifying: Bool) {
        let streamed = Set(placement.streamed)
        let inLayers = Set(layers.flatMap { $0 })
        var secondary = 0
        var projections = 0
        var drafting = 0
        var outer = 0
        var inner = 0
        var names = Set<String>()
        for requirement in file.manifest.requiredTensors() { names.insert(requirement.name) }
        for (index, tensor) in file.tensors.enumerated() where names.contains(tensor.name) {
            if streamed.contains(index) || placement.gathered == index { continue }
            let length = ResidentLayout.length(of: tensor)
            if tensor.name.hasPrefix("secondary.") {
                secondary += length
            } else if tensor.name.hasPrefix("tandem.") {
                projections += length
            } else if tensor.name.hasPrefix("drafting.") {
                drafting += length
            } else if inLayers.contains(index) {
                inner += length
            } else {
                outer += length
            }
        }
        let place = isMapped ? "mapped" : "in memory"
        add("secondary", secondary, "\(place), all layers and its vocabulary matrices")
        add("projections", projections, place)
        add("drafting", drafting, "\(place), router and draft vocabulary")
        let head =
            file.manifest.primary.tiedEmbeddings ? TensorName.embed(.primary) : TensorName.head(.primary)
        let parts =
            placement.streamed.contains { file.tensors[$0].name == head }
            ? "norms" : placement.gathered == nil ? "vocabulary matrices and norms" : "head and norms"
        add("primary's ends", outer, "\(place), \(parts)")
        if let gathered = placement.gathered {
            let tensor = file.tensors[gathered]
            add(
                "embedding rows", EmbeddingRows.memory(tensor, isVerifying: isVerifying),
                "\(EmbeddingRows.slotCount) panels of \(tensor.panelCount), read as tokens come")
        }
        let detail =
            pinned.count == layers.count
            ? "\(place), all \(layers.count)"
            : "\(pinned.count) of \(layers.count) in memory"
        add("primary's layers", inner, detail)
    }

    mutating func addStream(_ program: StreamProgram, ring: Int, threadCount: Int, isVerifying: Bool) {
        add(
            "ring buffer", ring,
            "reads ahead, \(program.units.count) units a pass, the largest \(program.largestRegion >> 10) KiB"
        )
        add("decoded weights", program.largestDecoded(file), "one matrix of a compressed chunk")
        add("bit planes", program.largestScratch(file) * threadCount, "\(threadCount) × one block")
        let tables = program.units.count * 256 + placement.blockTables.values.reduce(0) { $0 + $1.count * 8 }
        add(
            "stream tables",
            tables + (isVerifying ? StreamVerifier.memory(unitCount: program.units.count) : 0),
            "units, checksums")
    }

    /// What is left over for streamed weights.
    mutating func addHeld(_ bytes: Int) {
        add("weights held", bytes, "of those streamed, at equal distances")
    }

    /// Memory that was taken for matching grammars.
    mutating func addGrammars(_ bytes: Int) {
        add("grammars", bytes, "the tokens' bytes, matchers and their masks")
    }

    /// Bytes of the sessions, and of the activations that they share.
    private(set) var sessionBytes = 0
    private(set) var fixedSessionBytes = 0
    private(set) var activationBytes = 0
    /// Bytes of both, which are used bit by bit.
    private(set) var sparseBytes = 0

    /// - Parameter taken: bytes that open sessions have taken.
    mutating func addSession(_ session: SessionMemory, rows: Int, count: Int, taken: Int)
        throws(TandemError)
    {
        let times = count == 1 ? "" : "\(count) × "
        let name = "\(times)\(session.contextSize) positions, \(session.keyValueType.rawValue)"
        let passRows = session.passRows(promptRows: rows, count: count)
        activationBytes = try session.activations(rows: passRows)
        sessionBytes = session.total(promptRows: rows) * count
        add("primary's cache", session.cache(file.manifest.primary) * count, name)
        if let secondary = file.manifest.secondary {
            add("secondary's cache", session.cache(secondary) * count, name)
        }
        let results = session.results(promptRows: rows) * count
        fixedSessionBytes = results + session.sampling * count
        sparseBytes = sessionBytes + activationBytes
        add("activations", activationBytes, "passes over \(passRows) positions, attention scores")
        add("results of passes", results, "\(times)logits of \(session.maxDraft + 1) positions, taps")
        add("sampling", session.sampling * count, "\(times)candidates and distributions")
        if taken > sessionBytes {
            add("other sessions", taken - sessionBytes, "open, and larger than those planned")
            sessionBytes = taken
        }
        // While weights are read in, blocks are in use that later give way to caches and activations.
        let blocks = file.chunks.contains { $0.codec == .planes } ? 3 : 2
        let loading = blocks * ChunkScan.windowCapacity + (64 << 10)
        add("loading", max(0, loading - activationBytes - results), "reading weights in")
    }

    /// Bytes of the matrices that one position of a model is multiplied by.
    func passBytes(_ role: ModelRole) -> Int {
        guard let configuration = file.manifest.configuration(role) else { return 0 }
        let embedding = configuration.tiedEmbeddings ? "" : TensorName.embed(role)
        return file.tensors.reduce(0) { sum, tensor in
            guard tensor.encoding.isPanel, tensor.name.hasPrefix(role.rawValue + "."),
                tensor.name != embedding
            else { return sum }
            return sum + tensor.dataLength + tensor.scalesLength
        }
    }
}

/// What a tokenizer takes, from the length of its JSON.
enum TokenizerMemory {
    /// Bytes it keeps.
    static func retained(jsonLength: Int) -> Int { jsonLength * 4 + (256 << 10) }

    /// Bytes in use while it is built, at most, the kept ones included.
    static func building(jsonLength: Int) -> Int { jsonLength * 16 + (1 << 20) }
}
