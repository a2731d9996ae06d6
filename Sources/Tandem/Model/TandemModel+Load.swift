// SPDX-License-Identifier: Apache-2.0

package import TandemFormat

extension TandemModel {
    /// Where everything that the model and its sessions take is kept.
    ///
    /// Where the budget changes while the model runs, so does the plan.
    public var memoryPlan: MemoryPlan { core.memory.plan }

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

    /// Makes the model keep another budget from now on, between two passes of whatever runs. No result changes.
    ///
    /// With less memory, layers that were in memory are streamed; with more, what fits is read in. The sessions that the
    /// model was loaded for, and those that are open, keep their room. A model whose budget is
    /// ``MemoryBudget/automatic`` does this by itself where the memory there is becomes less (and, after some seconds, where
    /// it has become much more); generations fail with ``TandemError/memoryBudgetTooSmall(budgetBytes:leastBytes:largest:)``
    /// while it is too little.
    ///
    /// When an error is thrown, the model keeps the budget it had. Any thread; returns when the memory has been given back.
    /// - Throws: ``TandemError/memoryBudgetTooSmall(budgetBytes:leastBytes:largest:)``,
    ///   ``TandemError/invalidParameter(name:value:allowed:)`` for ``MemoryBudget/mapped`` once weights are in memory of
    ///   their own, ``TandemError/format(_:)`` when the file cannot be read, ``TandemError/forkedProcess``.
    public func setMemoryBudget(_ budget: MemoryBudget) throws(TandemError) {
        if case .bytes(let count) = budget, count < 1 {
            throw .invalidParameter(name: "memory", value: "\(count)", allowed: "at least 1")
        }
        try core.setMemoryBudget(budget)
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
        try ModelSource(
            path: path, options: options, threadCount: options.threadCount ?? availableProcessorCount(),
            sliceLength: sliceLength, probe: .system
        ) { (file) throws(FormatError) in try FileStorage(file) }.plan(options.memory)
    }

    /// ``load(from:options:)`` with storage, units of the stream, and a word on the memory there is, of the caller's.
    package static func load(
        from path: String, options: LoadOptions, sliceLength: Int? = nil, probe: MemoryProbe = .system,
        storage makeStorage: (TandemFile) throws(FormatError) -> any BlockStorage
    ) throws(TandemError) -> TandemModel {
        let kernels = try KernelTable(named: options.instructionSet)
        let source = try ModelSource(
            path: path, options: options, threadCount: options.threadCount ?? availableProcessorCount(),
            sliceLength: sliceLength, probe: probe, makeStorage)
        let plan = try source.plan(options.memory)
        guard plan.residency != .mapped else {
            let file = source.file
            file.watch()
            if source.hasRoom(for: plan) { file.preferLargePages() }
            if options.verification == .full {
                do {
                    try file.verifyChunks(threadCount: source.threadCount)
                } catch {
                    throw .format(error)
                }
            }
            let core = try ModelCore(source: source, kernels: kernels, plan: plan, residency: nil)
            return TandemModel(core: core, tokenizer: try mappedTokenizer(file))
        }
        // The tokenizer first: building it takes memory that the weights need later.
        let tokenizer = try source.tokenizer()
        let core = try ModelCore(
            source: source, kernels: kernels, plan: plan, residency: try source.residency(plan))
        return TandemModel(core: core, tokenizer: tokenizer)
    }
}
