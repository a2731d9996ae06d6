// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat

/// Divides a budget among weights, caches and buffers.
///
/// In order: what must be there (runtime, tokenizer, secondary, head, norms, caches, a small block of activations, the
/// smallest ring; where even that is too much, the head is streamed too); a larger ring, larger trees of drafts and larger
/// blocks of prompts, up to a share of the rest; then whole layers of the primary, spread evenly, so that reading and computing
/// overlap. What is left holds units of the stream, and so does, from pass to pass, what caches and activations do not use
/// yet (``HeldUnits``).
///
/// For a loaded model, layers that are in memory come before others, so that little has to be read for another plan.
struct MemoryPlanner {
    let file: TandemFile
    let session: SessionOptions
    let sessionCount: Int
    let threadCount: Int
    let isVerifying: Bool
    /// Bytes of a unit; `nil` = what suits the budget.
    let sliceLength: Int?
    /// What a loaded model holds; `nil` for one that is yet to be loaded.
    let loaded: LoadedState?
    /// Streamable matrices of the primary's layers, as indices of the file's tensors, in the order of a pass.
    private let layers: [[Int]]
    private let blockTables: [Int: [Int]]

    /// - Parameter blockTable: finds the stored blocks of a compressed chunk.
    init(
        file: TandemFile, session: SessionOptions, sessionCount: Int, threadCount: Int, isVerifying: Bool,
        sliceLength: Int?, loaded: LoadedState? = nil,
        blockTable: (ChunkDescriptor) throws(TandemError) -> [Int]
    ) throws(TandemError) {
        self.file = file
        self.session = session
        self.sessionCount = sessionCount
        self.threadCount = threadCount
        self.isVerifying = isVerifying
        self.sliceLength = sliceLength
        self.loaded = loaded
        var indices: [String: Int] = [:]
        for (index, tensor) in file.tensors.enumerated() { indices[tensor.name] = index }
        var layers: [[Int]] = []
        var tables: [Int: [Int]] = [:]
        for layer in 0..<file.manifest.primary.layerCount {
            var members: [Int] = []
            for part in LayerPart.allCases where !part.isVector {
                guard let index = indices[TensorName.layer(.primary, layer, part)] else { continue }
                members.append(index)
                let chunk = file.tensors[index].chunk
                if file.chunks[chunk].codec != .raw, tables[chunk] == nil {
                    tables[chunk] = try blockTable(file.chunks[chunk])
                }
            }
            layers.append(members)
        }
        self.layers = layers
        blockTables = tables
    }

    // MARK: - Entry

    /// The plan for a model that is mapped; the sizes are those of a resident one.
    func mapped(budget: Int?, source: String) throws(TandemError) -> MemoryPlan {
        let draft = draft(contextSize: contextAsked ?? min(contextLimit, 4096))
        return try plan(
            draft, residency: .mapped, budget: budget, source: source, ring: 0, rows: rowsAsked ?? 64)
    }

    /// The bytes a model in memory as a whole takes, with its session.
    func residentBytes() throws(TandemError) -> Int {
        try plan(
            draft(contextSize: contextAsked ?? min(contextLimit, 4096)),
            residency: .resident, budget: nil, source: "", ring: 0, rows: rowsAsked ?? 64
        ).totalBytes
    }

    /// The plan for a budget.
    /// - Throws: ``TandemError/memoryBudgetTooSmall(budgetBytes:leastBytes:largest:)``.
    func plan(budget: Int, source: String) throws(TandemError) -> MemoryPlan {
        let least = try leastPlan(budget: budget, source: source)
        // Building the tokenizer comes before everything else and takes more than the tokenizer.
        let building = file.manifest.tokenizer.map {
            TokenizerMemory.building(jsonLength: file.chunks[$0.chunk].rawLength) + MemoryPlan.runtimeBytes
        }
        let smallest = min(least.totalBytes, try leastResident(budget: budget, source: source).totalBytes)
        let leastBytes = max(smallest, building ?? 0)
        guard leastBytes <= budget, var plan = try bestPlan(budget: budget, source: source) else {
            let largest = least.items.sorted { $0.bytes > $1.bytes }.prefix(3)
            throw .memoryBudgetTooSmall(
                budgetBytes: budget, leastBytes: leastBytes,
                largest: largest.map { "\($0.name) \($0.bytes >> 10) KiB" }.joined(separator: ", "))
        }
        plan.leastBytes = leastBytes
        return plan
    }

    private func bestPlan(budget: Int, source: String) throws(TandemError) -> MemoryPlan? {
        // Everything in memory.
        let roomiest = contextSize(budget: budget)
        let resident = try residentPlan(contextSize: roomiest, rows: 64, budget: budget, source: source)
        if resident.totalBytes <= budget { return resident }
        // Short units last: their ends cost reads of blocks that hold nothing else of the unit.
        for unit in [Self.unitLength(budget: budget), Self.shortestUnit] {
            for streamsHead in [false, true] {
                var context = roomiest
                while true {
                    if let plan = try streamed(
                        budget: budget, source: source, contextSize: context, unit: unit,
                        streamsHead: streamsHead)
                    {
                        return plan
                    }
                    guard contextAsked == nil, context > Self.smallestContext else { break }
                    context = max(Self.smallestContext, context / 2)
                }
            }
        }
        let tight = try leastResident(budget: budget, source: source)
        return tight.totalBytes <= budget ? tight : nil
    }

    private func residentPlan(contextSize: Int, rows: Int, budget: Int, source: String) throws(TandemError)
        -> MemoryPlan
    {
        try plan(
            draft(contextSize: contextSize), residency: .resident, budget: budget, source: source, ring: 0,
            rows: rowsAsked ?? min(rows, contextSize))
    }

    /// Everything in memory with the smallest session: less than streaming needs where the model itself is small.
    private func leastResident(budget: Int, source: String) throws(TandemError) -> MemoryPlan {
        try residentPlan(
            contextSize: contextAsked ?? min(contextLimit, Self.smallestContext),
            rows: Self.smallestRows,
            budget: budget, source: source)
    }

    // MARK: - Streaming

    /// What has to be decided, and what follows from it.
    private struct Draft {
        var placement = WeightPlacement()
        var contextSize: Int
        var pinned: [Int] = []
        /// Nodes of a tree of drafts.
        var treeNodes: Int
    }

    private static let smallestContext = 512
    private static let smallestRows = 16
    /// Bytes of a unit where memory is short.
    private static let shortestUnit = 64 << 10

    /// Bytes of a unit where memory is not short: long enough for full speed, short enough for a ring of several.
    private static func unitLength(budget: Int) -> Int {
        max(shortestUnit, min(1 << 20, budget / 64)) & ~(BlockLayout.size - 1)
    }

    private static let largestRows = 1024

    private var contextLimit: Int {
        min(file.manifest.primary.maxPositions, file.manifest.secondary?.maxPositions ?? .max)
    }
    private var rowsAsked: Int? { loaded?.sessions?.promptRows ?? session.batchSize }
    private var contextAsked: Int? { loaded?.sessions?.contextSize ?? session.contextSize }

    /// The context asked for, or as much of the models' own as takes an eighth of the budget.
    private func contextSize(budget: Int) -> Int {
        if let asked = contextAsked { return min(asked, contextLimit) }
        let memory = sessionMemory(contextSize: 256, treeNodes: fewNodes)
        var perBlock = memory.cache(file.manifest.primary)
        if let secondary = file.manifest.secondary { perBlock += memory.cache(secondary) }
        let blocks = budget / 8 / max(1, perBlock * sessionCount)
        return min(contextLimit, max(Self.smallestContext, blocks * 256))
    }

    /// Nodes of a tree of drafts that are asked for, or of one that takes no more room than a chain.
    private var fewNodes: Int { session.maxTree ?? session.maxDraft }

    private func sessionMemory(contextSize: Int, treeNodes: Int) -> SessionMemory {
        SessionMemory(
            manifest: file.manifest, contextSize: contextSize, maxDraft: max(session.maxDraft, treeNodes),
            keyValueType: session.keyValueType, threadCount: threadCount)
    }

    /// Nothing streamed.
    private func draft(contextSize: Int) -> Draft {
        var draft = Draft(contextSize: contextSize, treeNodes: fewNodes)
        draft.placement.blockTables = blockTables
        draft.pinned = Array(layers.indices)
        return draft
    }

    /// All layers streamed, and the head too if asked for, which is the last matrix of a pass.
    private func streamingDraft(contextSize: Int, unit: Int, streamsHead: Bool) -> Draft {
        var draft = draft(contextSize: contextSize)
        draft.placement.sliceLength = sliceLength ?? unit
        draft.pinned = []
        draft.placement.streamed = layers.flatMap { $0 }
        let isTied = file.manifest.primary.tiedEmbeddings
        if !isTied || streamsHead,
            let index = file.tensors.firstIndex(where: { $0.name == TensorName.embed(.primary) }),
            EmbeddingRows.canGather(file.tensors[index], chunk: file.chunks[file.tensors[index].chunk]),
            EmbeddingRows.memory(file.tensors[index], isVerifying: isVerifying)
                < ResidentLayout.length(of: file.tensors[index])
        {
            draft.placement.gathered = index
        }
        let head =
            isTied
            ? draft.placement.gathered : file.tensors.firstIndex { $0.name == TensorName.head(.primary) }
        if streamsHead, let head, file.chunks[file.tensors[head].chunk].codec == .raw {
            draft.placement.streamed.append(head)
        }
        return draft
    }

    private func leastPlan(budget: Int, source: String) throws(TandemError) -> MemoryPlan {
        let resident = try leastStreaming(budget: budget, source: source, streamsHead: false)
        let streamed = try leastStreaming(budget: budget, source: source, streamsHead: true)
        return resident.totalBytes < streamed.totalBytes ? resident : streamed
    }

    private func leastStreaming(budget: Int, source: String, streamsHead: Bool) throws(TandemError)
        -> MemoryPlan
    {
        let context = contextAsked ?? min(contextLimit, Self.smallestContext)
        let draft = streamingDraft(
            contextSize: context, unit: Self.shortestUnit, streamsHead: streamsHead)
        return try plan(
            draft, residency: .streamed, budget: budget, source: source, ring: smallestRing(draft),
            rows: rowsAsked ?? min(Self.smallestRows, context))
    }

    /// Two units: one in use, one on its way.
    private func smallestRing(_ draft: Draft) -> Int {
        2 * StreamProgram(file: file, placement: draft.placement).largestRegion
    }

    private func streamed(budget: Int, source: String, contextSize: Int, unit: Int, streamsHead: Bool)
        throws(TandemError)
        -> MemoryPlan?
    {
        var draft = streamingDraft(contextSize: contextSize, unit: unit, streamsHead: streamsHead)
        let smallest = smallestRing(draft)
        let fewRows = rowsAsked ?? min(Self.smallestRows, contextSize)
        func total(_ draft: Draft, ring: Int, rows: Int) throws(TandemError) -> Int {
            try plan(
                draft, residency: .streamed, budget: budget, source: source, ring: ring, rows: rows
            ).totalBytes
        }
        let smallestTotal = try total(draft, ring: smallest, rows: fewRows)
        var free = budget - smallestTotal
        guard free >= 0 else { return nil }

        let ring = max(smallest, min(8 * draft.placement.sliceLength, smallest + free / 8))
        free -= ring - smallest
        let roomiest = try promptRows(
            contextSize: contextSize, treeNodes: fewNodes, room: free / 8)
        let rows = rowsAsked ?? roomiest
        // Weights take the place of rows that a pass does not have.
        draft.treeNodes = try treeNodes(contextSize: contextSize, rows: rows, room: free / 2)
        let unpinned = try total(draft, ring: ring, rows: rows)
        free = budget - unpinned
        guard free >= 0 else { return nil }

        pin(&draft, room: free)
        let used = try total(draft, ring: ring, rows: rows)
        let isStreaming = !draft.placement.streamed.isEmpty
        return try plan(
            draft, residency: isStreaming ? .streamed : .resident, budget: budget, source: source,
            ring: isStreaming ? ring : 0, rows: rows, held: isStreaming ? max(0, budget - used) : 0)
    }

    /// The nodes of a tree that are asked for; else the most, by halves, whose rows take at most `room` more than those of a
    /// chain.
    private func treeNodes(contextSize: Int, rows: Int, room: Int) throws(TandemError) -> Int {
        guard session.maxTree == nil, session.maxDraft > 0, file.manifest.secondary != nil else {
            return fewNodes
        }
        func bytes(_ nodes: Int) throws(TandemError) -> Int {
            let memory = sessionMemory(contextSize: contextSize, treeNodes: nodes)
            return try memory.total(promptRows: rows) * sessionCount
                + memory.activations(rows: memory.passRows(promptRows: rows, count: sessionCount))
        }
        let few = try bytes(fewNodes)
        var nodes = Self.mostNodes
        while nodes > fewNodes, try bytes(nodes) - few > room { nodes /= 2 }
        return max(nodes, fewNodes)
    }

    private static let mostNodes = 256

    /// The most rows, in steps of 16, whose activations take at most `room` more than the fewest do.
    private func promptRows(contextSize: Int, treeNodes: Int, room: Int) throws(TandemError) -> Int {
        let memory = sessionMemory(contextSize: contextSize, treeNodes: treeNodes)
        let few = min(Self.smallestRows, contextSize)
        let most = min(Self.largestRows, contextSize)
        let step = try memory.activations(rows: few + 16) - memory.activations(rows: few)
        let perSession = memory.results(promptRows: few + 16) - memory.results(promptRows: few)
        let perStep = max(1, step + perSession * sessionCount)
        return min(most, few + max(0, room) / perStep * 16)
    }

    private func length(_ members: [Int]) -> Int {
        members.reduce(0) { $0 + ResidentLayout.length(of: file.tensors[$1]) }
    }

    /// Moves layers from the stream into memory.
    private func pin(_ draft: inout Draft, room: Int) {
        let lengths = layers.map(length)
        var count = layers.count
        var pinned = spread(count)
        while count > 0, pinned.reduce(0, { $0 + lengths[$1] }) > room {
            count -= 1
            pinned = spread(count)
        }
        draft.pinned = pinned
        let kept = Set(pinned.flatMap { layers[$0] })
        draft.placement.streamed.removeAll { kept.contains($0) }
    }

    /// Whether a matrix is in memory already.
    private func isHeld(_ index: Int) -> Bool { loaded?.inMemory.contains(index) ?? false }

    /// `count` of the layers at equal distances; of those in memory where there are enough, else all of these and others.
    private func spread(_ count: Int) -> [Int] {
        let held = layers.indices.filter { layers[$0].allSatisfy(isHeld) }
        if count <= held.count { return Self.spread(count, of: held) }
        let others = layers.indices.filter { !held.contains($0) }
        return (held + Self.spread(count - held.count, of: others)).sorted()
    }

    private static func spread(_ count: Int, of list: [Int]) -> [Int] {
        list.indices.filter { ($0 + 1) * count / list.count > $0 * count / list.count }.map { list[$0] }
    }

    // MARK: - Adding up

    private func plan(
        _ draft: Draft, residency: MemoryPlan.Residency, budget: Int?, source: String, ring: Int, rows: Int,
        held: Int = 0
    ) throws(TandemError) -> MemoryPlan {
        var items = PlanItems(
            file: file, placement: draft.placement, pinned: draft.pinned, layers: layers,
            isMapped: residency == .mapped)
        items.addRuntime(threadCount: threadCount)
        items.addWeights(isVerifying: isVerifying)
        let program = StreamProgram(file: file, placement: draft.placement)
        if !program.units.isEmpty {
            items.addStream(program, ring: ring, threadCount: threadCount, isVerifying: isVerifying)
        }
        let memory = sessionMemory(contextSize: draft.contextSize, treeNodes: draft.treeNodes)
        try items.addSession(memory, rows: rows, count: sessionCount, taken: loaded?.sessions?.taken ?? 0)
        items.addGrammars(loaded?.grammarBytes ?? 0)
        let pages = PageGeometry.system
        let held = min(held & ~(pages.size - 1), pages.up(program.units.reduce(0) { $0 + $1.regionLength }))
        items.addHeld(held)
        let kept = held > 0 ? program.heldUnits(within: held) : []
        let streamed = draft.placement.streamed.reduce(0) {
            $0 + file.tensors[$1].dataLength + file.tensors[$1].scalesLength
        }
        let keptBytes = kept.reduce(0) {
            let layout = file.tensors[$1.tensor].layout
            return $0 + $1.panels.count * (layout.panelDataLength + layout.panelScalesLength)
        }
        return MemoryPlan(
            residency: residency, budgetBytes: budget, budgetSource: source,
            leastBytes: items.total, items: items.list,
            fileBytes: file.fileSize, layerCount: layers.count, pinnedLayers: draft.pinned,
            primaryBytes: items.passBytes(.primary), secondaryBytes: items.passBytes(.secondary),
            streamedBytes: streamed - keptBytes,
            passBytes: program.passLength - kept.reduce(0) { $0 + $1.regionLength },
            ringBytes: program.units.isEmpty ? 0 : ring, heldBytes: held,
            sparseBytes: program.units.isEmpty ? 0 : items.sparseBytes,
            contextSize: draft.contextSize, promptRows: rows,
            draftLength: file.manifest.secondary == nil ? 0 : file.manifest.tandem?.blockLength ?? 4,
            treeNodes: draft.treeNodes, sessionBytes: items.sessionBytes,
            fixedSessionBytes: items.fixedSessionBytes,
            passRows: memory.passRows(promptRows: rows, count: sessionCount),
            activationBytes: items.activationBytes, placement: draft.placement)
    }
}
