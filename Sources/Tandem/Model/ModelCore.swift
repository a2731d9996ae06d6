// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat

/// Everything of a loaded model that sessions share.
///
/// Thread safety: immutable, but for what the pool, the memory and the scheduler guard themselves.
final class ModelCore: Sendable {
    let file: TandemFile
    let primary: ModelOutline
    let secondary: TransformerWeights?
    /// One matrix [d_S, d_L] per secondary layer; empty when the file holds no tandem.
    let projections: [Matrix]
    /// Which primary depth feeds each secondary layer.
    let layerMap: [Int]
    /// Ids below this are tokens of both models; the others are never drafted.
    let sharedVocabulary: Int
    /// Lengths of text above which a model takes other RoPE frequencies, ascending.
    let ropeLimits: [Int]
    let kernels: KernelTable
    let pool: ComputePool

    /// What generations have learnt about drafting.
    let draftMemory = DraftMemory()

    /// Where the primary's weights are.
    let memory: ModelMemory
    /// Keeps the bytes of all other weights alive.
    private let chunks: [ChunkBytes]
    /// Carries out changes of ``memory``.
    private let engine: PassEngine
    /// Runs the passes of all sessions.
    let passes: PassScheduler

    /// - Parameter residency: the weights of `plan`; `nil` = they are in the mapping.
    init(source: ModelSource, kernels: KernelTable, plan: MemoryPlan, residency: ModelResidency?)
        throws(TandemError)
    {
        let file = source.file
        self.file = file
        self.kernels = kernels
        var loader = WeightLoader(file: file, residency: residency)
        let manifest = file.manifest
        if let configuration = manifest.secondary {
            secondary = try TransformerWeights(
                role: .secondary, configuration: configuration, loader: &loader)
        } else {
            secondary = nil
        }
        var projections: [Matrix] = []
        if let tandem = manifest.tandem {
            for index in tandem.layerMap.indices {
                projections.append(try loader.matrix(TensorName.projection(index)))
            }
            layerMap = tandem.layerMap
        } else {
            layerMap = []
        }
        self.projections = projections
        chunks = loader.chunks
        let weights = try PrimaryWeights(file: file, residency: residency)
        primary = ModelOutline(weights.model)
        sharedVocabulary = min(
            manifest.primary.vocabularySize,
            manifest.secondary?.vocabularySize ?? manifest.primary.vocabularySize)
        let ropes = primary.ropes + (secondary?.ropes ?? [])
        ropeLimits = Set(ropes.compactMap(\.longAbove)).sorted()
        pool = ComputePool(threadCount: source.threadCount)
        memory = ModelMemory(source: source, plan: plan, residency: residency)
        engine = PassEngine(
            primary: weights, secondary: secondary, projections: projections, layerMap: layerMap,
            pool: pool, kernels: kernels, memory: memory)
        passes = PassScheduler(engine: engine, options: source.options.scheduling)
    }

    /// Makes the model keep another budget, between two passes.
    func setMemoryBudget(_ budget: MemoryBudget) throws(TandemError) {
        try passes.betweenPasses { () throws(TandemError) in
            try memory.change(to: budget, engine: engine)
        }
    }

    /// Takes from streamed weights what caches are going to use outside of passes.
    func fitWeights() throws(TandemError) {
        guard memory.plan.sparseBytes > 0 else { return }
        try passes.betweenPasses { () throws(TandemError) in engine.fitWeights() }
    }

    /// Bytes of streamed weights that are in memory from pass to pass.
    func heldBytes() throws(TandemError) -> Int {
        var bytes = 0
        try passes.betweenPasses { () throws(TandemError) in bytes = engine.heldBytes }
        return bytes
    }

    /// Takes memory of the plan for matching grammars.
    func reserveGrammar(_ bytes: Int) throws(TandemError) {
        try passes.betweenPasses { () throws(TandemError) in
            try memory.reserveGrammar(bytes, engine: engine)
        }
    }
}
