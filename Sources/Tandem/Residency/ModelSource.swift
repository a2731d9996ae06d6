// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels
internal import TandemFormat
internal import TandemTokenizer

/// A checked file, the storage its weights are read from, and how the model is to be loaded.
struct ModelSource: Sendable {
    let file: TandemFile
    let storage: any BlockStorage
    let options: LoadOptions
    let threadCount: Int
    /// Bytes of a unit of the stream; `nil` = what suits the budget.
    let sliceLength: Int?
    let probe: MemoryProbe

    init(
        path: String, options: LoadOptions, threadCount: Int, sliceLength: Int?, probe: MemoryProbe,
        _ makeStorage: (TandemFile) throws(FormatError) -> any BlockStorage
    ) throws(TandemError) {
        do {
            file = try TandemFile(path: path)
            storage = try makeStorage(file)
        } catch {
            throw .format(error)
        }
        // What the host's start took of programs and libraries; building a tokenizer takes others.
        if options.memory != .mapped { _ = tk_release_program_pages() }
        self.options = options
        self.threadCount = threadCount
        self.sliceLength = sliceLength
        self.probe = probe
    }

    var isVerifying: Bool { options.verification == .full }

    /// The plan for a budget.
    /// - Parameters:
    ///   - loaded: what a loaded model holds already.
    ///   - available: what the process may use, where that was looked up.
    /// - Throws: ``TandemError/memoryBudgetTooSmall(budgetBytes:leastBytes:largest:)``, ``TandemError/format(_:)``.
    func plan(
        _ budget: MemoryBudget, loaded: LoadedState? = nil, available: AvailableMemory? = nil
    ) throws(TandemError) -> MemoryPlan {
        switch budget {
        case .mapped:
            return try planner(loaded).mapped(budget: nil, source: "none")
        case .bytes(let count):
            return try planner(loaded, forStreaming: true).plan(budget: count, source: "asked for")
        case .automatic:
            // Of what the process holds, a model that is yet to be loaded takes over the runtime.
            guard
                let available = available ?? probe.read()?.without(hostsBeyond: MemoryPlan.runtimeBytes)
            else {
                return try planner(loaded).mapped(budget: nil, source: "unknown")
            }
            let usable = available.usable
            let simple = try planner(loaded)
            if try simple.residentBytes() <= usable {
                return try simple.mapped(budget: usable, source: available.limitedBy)
            }
            return try planner(loaded, forStreaming: true).plan(
                budget: usable, source: available.limitedBy)
        }
    }

    /// Whether the memory there is has room for all of a mapped file, which was not asked where there is no budget.
    func hasRoom(for plan: MemoryPlan) -> Bool {
        guard plan.budgetBytes == nil else { return true }
        guard let available = probe.read()?.without(hostsBeyond: MemoryPlan.runtimeBytes) else {
            return false
        }
        return plan.totalBytes <= available.usable
    }

    /// A planner; one that may plan streams knows where the blocks of compressed chunks are.
    private func planner(_ loaded: LoadedState?, forStreaming: Bool = false) throws(TandemError)
        -> MemoryPlanner
    {
        try MemoryPlanner(
            file: file, session: options.session,
            sessionCount: loaded?.sessions?.count ?? options.sessionCount,
            threadCount: threadCount, isVerifying: isVerifying, sliceLength: sliceLength, loaded: loaded
        ) { (chunk) throws(TandemError) in
            guard forStreaming else { return [] }
            if let known = loaded?.blockTables[file.tensors[chunk.tensors.lowerBound].chunk] { return known }
            var scan = ChunkScan(
                chunk: chunk, window: try BlockWindow(storage: storage, capacity: BlockLayout.size),
                copies: [],
                isVerifying: false)
            try scan.run()
            return scan.blockTable
        }
    }

    /// The weights that a plan keeps in memory and streams.
    func residency(_ plan: MemoryPlan) throws(TandemError) -> ModelResidency {
        file.dropPageCache()
        return try residency(plan, previous: nil, isPrimaryOnly: false)
    }

    /// The primary's weights as another plan for a loaded model has them.
    /// - Parameter previous: those in use; what is needed of them is shared. `nil` = they are in the mapping, whose pages are
    ///   given back.
    func exchanged(_ plan: MemoryPlan, previous: ModelResidency?) throws(TandemError) -> ModelResidency {
        if previous == nil {
            for (index, chunk) in file.chunks.enumerated() where chunk.name.hasPrefix("primary") {
                try? file.advise(.dontNeed, chunk: index)
            }
            file.dropPageCache()
        }
        return try residency(plan, previous: previous, isPrimaryOnly: previous == nil)
    }

    private func residency(_ plan: MemoryPlan, previous: ModelResidency?, isPrimaryOnly: Bool)
        throws(TandemError) -> ModelResidency
    {
        // What programs and libraries were needed for so far; the peak of memory is what counts.
        _ = tk_release_program_pages()
        return try ModelResidency(
            file: file, placement: plan.placement, ringLength: plan.ringBytes,
            heldLength: plan.heldBytes + plan.sparseBytes, storage: storage,
            threadCount: threadCount, isVerifying: isVerifying, previous: previous,
            isPrimaryOnly: isPrimaryOnly)
    }

    /// The file's tokenizer, read without the page cache.
    func tokenizer() throws(TandemError) -> Tokenizer? {
        guard let reference = file.manifest.tokenizer else { return nil }
        let chunk = file.chunks[reference.chunk]
        let json = try AlignedBuffer(byteCount: chunk.rawLength, purpose: "the tokenizer's description")
        var scan = ChunkScan(
            chunk: chunk, window: try BlockWindow(storage: storage, capacity: ChunkScan.windowCapacity),
            copies: [unsafe ChunkScan.Copy(range: 0..<chunk.rawLength, target: json.base)], isVerifying: true)
        try scan.run()
        let result: Tokenizer
        do {
            result = try unsafe Tokenizer(
                json: UnsafeRawBufferPointer(start: json.base, count: chunk.rawLength))
        } catch {
            throw .tokenizer(error)
        }
        // What building it took goes back to the system.
        tk_trim_heap()
        _ = tk_release_program_pages()
        return result
    }
}

/// What another plan for a loaded model has to go by.
struct LoadedState: Sendable {
    /// Sessions that the plan has room for whatever the options say.
    struct Sessions: Sendable {
        let contextSize: Int
        let promptRows: Int
        let count: Int
        /// Bytes that open sessions have taken.
        let taken: Int
    }

    /// Matrices in memory, by the file's tensors: what can stay is not read again.
    var inMemory: Set<Int> = []
    /// `nil` = as the options say.
    var sessions: Sessions?
    /// Memory for matching grammars.
    var grammarBytes = 0
    /// Stored blocks of compressed chunks, as far as they are known.
    var blockTables: [Int: [Int]] = [:]
}
