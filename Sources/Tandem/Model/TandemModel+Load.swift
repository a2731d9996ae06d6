// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels
package import TandemFormat
internal import TandemTokenizer

extension TandemModel {
    /// Where everything that the model and its sessions take is kept.
    public var memoryPlan: MemoryPlan { core.plan }

    /// Opens and checks a file and makes it ready within the memory of `options`.
    ///
    /// - Throws: ``TandemError/format(_:)`` for anything wrong with the file, ``TandemError/tokenizer(_:)`` for its
    ///   tokenizer, ``TandemError/unknownInstructionSet(name:available:)``,
    ///   ``TandemError/memoryBudgetTooSmall(budgetBytes:leastBytes:largest:)``.
    /// - Complexity: one read of the file with ``LoadOptions/Verification/full``, else independent of its size when it is
    ///   mapped. Streamed weights are not read here, but verified in the first pass that uses them.
    public static func load(from path: String, options: LoadOptions = .default) throws(TandemError)
        -> TandemModel
    {
        try load(from: path, options: options) { (file) throws(FormatError) in try FileStorage(file) }
    }

    /// What ``load(from:options:)`` would make of a file, without reading weights.
    /// - Throws: as ``load(from:options:)``.
    public static func memoryPlan(forFile path: String, options: LoadOptions = .default) throws(TandemError)
        -> MemoryPlan
    {
        try memoryPlan(forFile: path, options: options, sliceLength: nil)
    }

    /// ``memoryPlan(forFile:options:)`` with units of the stream of the caller's.
    package static func memoryPlan(forFile path: String, options: LoadOptions, sliceLength: Int?)
        throws(TandemError) -> MemoryPlan
    {
        let opened = try OpenedFile(path) { (file) throws(FormatError) in try FileStorage(file) }
        return try opened.plan(
            options, threadCount: options.threadCount ?? availableProcessorCount(), sliceLength: sliceLength)
    }

    /// ``load(from:options:)`` with storage, and units of the stream, of the caller's.
    package static func load(
        from path: String, options: LoadOptions, sliceLength: Int? = nil,
        storage makeStorage: (TandemFile) throws(FormatError) -> any BlockStorage
    ) throws(TandemError) -> TandemModel {
        let kernels = try KernelTable(named: options.instructionSet)
        let threads = options.threadCount ?? availableProcessorCount()
        let opened = try OpenedFile(path, makeStorage)
        let plan = try opened.plan(options, threadCount: threads, sliceLength: sliceLength)
        guard plan.residency != .mapped else {
            let file = opened.file
            file.watch()
            if options.verification == .full {
                do {
                    for index in file.chunks.indices { try file.verify(chunk: index) }
                } catch {
                    throw .format(error)
                }
            }
            let core = try ModelCore(
                file: file, kernels: kernels, threadCount: threads, plan: plan, residency: nil,
                scheduling: options.scheduling)
            return TandemModel(core: core, tokenizer: try mappedTokenizer(file))
        }
        // The tokenizer first: building it takes memory that the weights need later.
        let tokenizer = try opened.tokenizer()
        opened.file.dropPageCache()
        let residency = try ModelResidency(
            file: opened.file, placement: plan.placement, ringLength: plan.ringBytes, storage: opened.storage,
            threadCount: threads, isVerifying: options.verification == .full)
        let core = try ModelCore(
            file: opened.file, kernels: kernels, threadCount: threads, plan: plan, residency: residency,
            scheduling: options.scheduling)
        return TandemModel(core: core, tokenizer: tokenizer)
    }
}

/// A checked file and the storage its weights are read from.
private struct OpenedFile {
    let file: TandemFile
    let storage: any BlockStorage

    init(_ path: String, _ makeStorage: (TandemFile) throws(FormatError) -> any BlockStorage)
        throws(TandemError)
    {
        do {
            file = try TandemFile(path: path)
            storage = try makeStorage(file)
        } catch {
            throw .format(error)
        }
    }

    func plan(_ options: LoadOptions, threadCount: Int, sliceLength: Int? = nil) throws(TandemError)
        -> MemoryPlan
    {
        switch options.memory {
        case .mapped:
            return try planner(options, threadCount).mapped(budget: nil, source: "none")
        case .bytes(let count):
            return try planner(options, threadCount, forStreaming: true, sliceLength).plan(
                budget: count, source: "asked for")
        case .automatic:
            guard let available = availableMemory() else {
                return try planner(options, threadCount).mapped(budget: nil, source: "unknown")
            }
            let usable = available.bytes - max(4 << 20, available.bytes / 32)
            let simple = try planner(options, threadCount)
            if try simple.residentBytes() <= usable {
                return try simple.mapped(budget: usable, source: available.limitedBy)
            }
            return try planner(options, threadCount, forStreaming: true, sliceLength).plan(
                budget: usable, source: available.limitedBy)
        }
    }

    /// A planner; one that may plan streams knows where the blocks of compressed chunks are.
    private func planner(
        _ options: LoadOptions, _ threadCount: Int, forStreaming: Bool = false, _ sliceLength: Int? = nil
    ) throws(TandemError) -> MemoryPlanner {
        try MemoryPlanner(
            file: file, session: options.session, sessionCount: options.sessionCount,
            threadCount: threadCount,
            isVerifying: options.verification == .full, sliceLength: sliceLength
        ) { (chunk) throws(TandemError) in
            guard forStreaming else { return [] }
            var scan = ChunkScan(
                chunk: chunk, window: try BlockWindow(storage: storage, capacity: BlockLayout.size),
                copies: [],
                isVerifying: false)
            try scan.run()
            return scan.blockTable
        }
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
        return result
    }
}
