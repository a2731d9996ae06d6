// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels
internal import Synchronization
internal import TandemFormat

/// Runs passes of a model's transformers, over activations that all its sessions share.
///
/// Thread safety: one pass at a time, which ``PassQueue`` sees to; ``retain(rows:contextSize:)`` and ``release()`` are
/// called with its lock held.
@safe
final class PassEngine: @unchecked Sendable {
    /// Another's between two passes; only whoever has the turn looks.
    private var primary: PrimaryWeights
    private let secondary: TransformerWeights?
    private let projections: [Matrix]
    private let layerMap: [Int]
    private let pool: ComputePool
    private let kernels: KernelTable
    /// Where the weights are, and whether that has to change.
    private let memory: ModelMemory

    /// Made when the first pass needs it, anew when one needs a larger one, gone with the last session.
    private var workspace: Workspace?
    /// What the open sessions ask for at once; sessions are opened while passes run.
    private let sessionCount = Atomic<Int>(0)
    private let rowsAsked = Atomic<Int>(0)
    private let contextAsked = Atomic<Int>(0)
    /// Rows and positions that a memory plan has room for; 0 = there is none.
    private let plannedRows: Atomic<Int>
    private let plannedContext: Atomic<Int>

    /// Rows of a combined pass where no memory plan says how many.
    private static let unplannedRows = 256

    init(
        primary: PrimaryWeights, secondary: TransformerWeights?, projections: [Matrix], layerMap: [Int],
        pool: ComputePool, kernels: KernelTable, memory: ModelMemory
    ) {
        self.primary = primary
        self.secondary = secondary
        self.projections = projections
        self.layerMap = layerMap
        self.pool = pool
        self.kernels = kernels
        self.memory = memory
        let plan = memory.plan
        plannedRows = Atomic(memory.isPlanned ? plan.passRows : 0)
        plannedContext = Atomic(memory.isPlanned ? plan.contextSize : 0)
    }

    /// How the time of passes is expected to grow with their rows.
    func shapes(_ role: ModelRole) -> PassShapes {
        let plan = memory.plan
        return .usual(
            instructionSet: kernels.name,
            bytes: role == .primary ? plan.primaryBytes : plan.secondaryBytes)
    }

    // MARK: - Sessions

    /// Counts a session whose passes have at most `rows` rows.
    func retain(rows: Int, contextSize: Int) {
        sessionCount.wrappingAdd(1, ordering: .relaxed)
        rowsAsked.max(rows, ordering: .relaxed)
        contextAsked.max(contextSize, ordering: .relaxed)
    }

    /// Counts a session less; the last one takes the activations with it.
    func release() {
        guard sessionCount.wrappingSubtract(1, ordering: .relaxed).newValue == 0 else { return }
        rowsAsked.store(0, ordering: .relaxed)
        contextAsked.store(0, ordering: .relaxed)
        workspace = nil
    }

    /// Rows that a combined pass may have; a single request may have more.
    var rowLimit: Int {
        let planned = plannedRows.load(ordering: .relaxed)
        return max(rowsAsked.load(ordering: .relaxed), planned > 0 ? planned : Self.unplannedRows)
    }

    /// What the open sessions ask for; `nil` when there are none.
    var openSessions: (count: Int, rows: Int, contextSize: Int)? {
        let count = sessionCount.load(ordering: .relaxed)
        guard count > 0 else { return nil }
        return (count, rowsAsked.load(ordering: .relaxed), contextAsked.load(ordering: .relaxed))
    }

    // MARK: - Weights

    /// Puts other weights of the primary in the place of those in use, whose memory `make` may share. By whoever has the turn.
    ///
    /// Reading ahead stops, and activations go, so that there is memory for reading. When `make` fails, passes go on with the
    /// weights in use.
    /// - Parameter planned: rows and positions that the memory plan has room for.
    /// - Throws: ``TandemError/cancelled``, ``TandemError/forkedProcess``, and what `make` throws.
    func exchange(
        planned: (rows: Int, contextSize: Int), _ cancellations: [CancellationToken?],
        _ make: () throws(TandemError) -> PrimaryWeights
    ) throws(TandemError) {
        try primary.stream?.park(cancellations)
        workspace?.discard()
        primary = try make()
        plannedRows.store(planned.rows, ordering: .relaxed)
        plannedContext.store(planned.contextSize, ordering: .relaxed)
    }

    // MARK: - Room

    /// Streamed weights take what memory the plan has for others and these do not use yet; see ``HeldUnits``. By whoever has
    /// the turn: when the plan has changed, and before memory is used that was not before.
    func fitWeights() {
        primary.stream?.setRoom(memory.roomForWeights(activations: workspace?.usedBytes ?? 0))
    }

    /// Bytes of streamed weights that are in memory from pass to pass. By whoever has the turn.
    var heldBytes: Int { primary.stream?.heldBytes ?? 0 }

    /// Takes from the weights what the pass is going to write.
    private func makeRoom(for requests: [PassRequest], _ workspace: Workspace) {
        for request in requests { request.useMemory() }
        guard primary.stream != nil else { return }
        let rows = max(
            requests.reduce(0) { $0 + $1.tokens.count }, requests.reduce(0) { $0 + ($1.due?.rows ?? 0) })
        // After a long prompt, its activations would lie idle for the whole text.
        if requests.allSatisfy({ $0.role == .primary && !$0.isPrompt }), 2 * rows <= workspace.usedRows {
            workspace.discard()
        }
        workspace.use(rows: rows)
        fitWeights()
    }

    // MARK: - Passes

    /// Runs the requests, all of one role, in one pass.
    /// - Throws: ``TandemError/cancelled`` when all of them were cancelled (`observer` is told which, as it happens), what
    ///   stopped the pass otherwise.
    func run(_ requests: [PassRequest], observer: any PassObserver) throws(TandemError) {
        guard let first = requests.first else { return }
        try memory.look(self, cancellations: requests.map(\.cancellation))
        let workspace = try workspace(for: requests)
        makeRoom(for: requests, workspace)
        workspace.inputRecorder = first.recorder
        defer { workspace.inputRecorder = nil }
        guard let weights = first.role == .primary ? primary.model : secondary else { return }
        let multiplier = unsafe Multiplier(
            pool: pool, kernels: kernels.table, workspace: workspace, stream: primary.stream)
        let transformer = Transformer(weights: weights, multiplier: multiplier)
        let configuration = weights.configuration
        let rowsPerBlock = Workspace.attentionRows(
            headsPerGroup: configuration.headCount / configuration.keyValueHeadCount)

        var gone: Set<Int> = []
        if requests.contains(where: { $0.due != nil }) {
            gone = try commit(requests, transformer, rowsPerBlock: rowsPerBlock, observer: observer)
        }
        var batch = PassBatch(rowsPerBlock: rowsPerBlock)
        for (index, request) in requests.enumerated() where !gone.contains(index) {
            batch.append(
                request: index, rowCount: request.tokens.count, position: request.position,
                cache: request.cache, tree: request.tree)
        }
        try transformer.forward(requests, &batch, observer: observer)
        try checkFile()
    }

    /// Results are void when the file behind the mapping changed meanwhile.
    private func checkFile() throws(TandemError) {
        do {
            try primary.mapped?.checkIntact()
        } catch {
            throw .format(error)
        }
    }

    /// Gives the secondary what is due to it; returns the requests that were cancelled meanwhile.
    private func commit(
        _ requests: [PassRequest], _ transformer: Transformer, rowsPerBlock: Int, observer: any PassObserver
    ) throws(TandemError) -> Set<Int> {
        var batch = PassBatch(rowsPerBlock: rowsPerBlock)
        for (index, request) in requests.enumerated() {
            guard let due = request.due else { continue }
            batch.append(
                request: index, rowCount: due.rows, position: due.position, cache: request.cache)
        }
        let before = Set(batch.parts.map(\.request))
        do {
            try transformer.commit(
                requests, &batch, projections: projections, layerMap: layerMap, observer: observer)
        } catch .cancelled {
            // Others may have rows to run though nothing is due to them.
            guard before.count < requests.count else { throw .cancelled }
        }
        return before.subtracting(batch.parts.map(\.request))
    }

    private func workspace(for requests: [PassRequest]) throws(TandemError) -> Workspace {
        let own = requests.reduce(0) { $0 + $1.tokens.count }
        let due = requests.reduce(0) { $0 + ($1.due?.rows ?? 0) }
        var rows = max(own, due)
        var contextSize = requests.reduce(0) { max($0, $1.cache.capacity) }
        if let workspace, workspace.maxRows >= rows, workspace.contextSize >= contextSize { return workspace }
        let asked = rowsAsked.load(ordering: .relaxed)
        let planned = plannedRows.load(ordering: .relaxed)
        rows = max(rows, asked, planned, workspace?.maxRows ?? 0)
        contextSize = max(
            contextSize, contextAsked.load(ordering: .relaxed), plannedContext.load(ordering: .relaxed),
            workspace?.contextSize ?? 0)
        if planned == 0, rows > asked { rows = min((rows + 63) & ~63, max(rows, rowLimit)) }
        workspace = nil
        let made = try Workspace(
            configurations: [primary.model.configuration]
                + (secondary.map { [$0.configuration] } ?? []),
            maxRows: rows, contextSize: contextSize, threadCount: pool.threadCount,
            largePages: primary.mapped == nil ? .never : .allowed)
        workspace = made
        // From here on, programs and libraries are needed for passes alone.
        if primary.mapped == nil { _ = tk_release_program_pages() }
        return made
    }
}
