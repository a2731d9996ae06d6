// SPDX-License-Identifier: Apache-2.0

internal import Synchronization
internal import TandemFormat

/// Runs passes of a model's transformers, over activations that all its sessions share.
///
/// Thread safety: one pass at a time, which ``PassQueue`` sees to; ``retain(rows:contextSize:)`` and ``release()`` are
/// called with its lock held.
@safe
final class PassEngine: @unchecked Sendable {
    private let primary: TransformerWeights
    private let secondary: TransformerWeights?
    private let projections: [Matrix]
    private let layerMap: [Int]
    private let pool: ComputePool
    private let kernels: KernelTable
    private let stream: WeightStream?
    /// The file whose mapping the weights are in; `nil` when they were read.
    private let mapped: TandemFile?

    /// Made when the first pass needs it, anew when one needs a larger one, gone with the last session.
    private var workspace: Workspace?
    private var sessionCount = 0
    /// What the open sessions ask for at once; sessions are opened while passes run.
    private let rowsAsked = Atomic<Int>(0)
    private let contextAsked = Atomic<Int>(0)
    private let planned: (rows: Int, contextSize: Int)?

    /// Rows of a combined pass where no memory plan says how many.
    private static let unplannedRows = 256

    /// - Parameter planned: rows and positions that a memory plan has room for.
    init(
        primary: TransformerWeights, secondary: TransformerWeights?, projections: [Matrix], layerMap: [Int],
        pool: ComputePool, kernels: KernelTable, stream: WeightStream?, mapped: TandemFile?,
        planned: (rows: Int, contextSize: Int)?
    ) {
        self.primary = primary
        self.secondary = secondary
        self.projections = projections
        self.layerMap = layerMap
        self.pool = pool
        self.kernels = kernels
        self.stream = stream
        self.mapped = mapped
        self.planned = planned
    }

    /// Whether the primary is read from storage in every pass.
    var isStreamed: Bool { stream != nil }

    // MARK: - Sessions

    /// Counts a session whose passes have at most `rows` rows.
    func retain(rows: Int, contextSize: Int) {
        sessionCount += 1
        rowsAsked.max(rows, ordering: .relaxed)
        contextAsked.max(contextSize, ordering: .relaxed)
    }

    /// Counts a session less; the last one takes the activations with it.
    func release() {
        sessionCount -= 1
        guard sessionCount == 0 else { return }
        rowsAsked.store(0, ordering: .relaxed)
        contextAsked.store(0, ordering: .relaxed)
        workspace = nil
    }

    /// Rows that a combined pass may have; a single request may have more.
    var rowLimit: Int { max(rowsAsked.load(ordering: .relaxed), planned?.rows ?? Self.unplannedRows) }

    // MARK: - Passes

    /// Runs the requests, all of one role, in one pass.
    /// - Throws: ``TandemError/cancelled`` when all of them were cancelled (`observer` is told which, as it happens), what
    ///   stopped the pass otherwise.
    func run(_ requests: [PassRequest], observer: any PassObserver) throws(TandemError) {
        guard let first = requests.first else { return }
        let workspace = try workspace(for: requests)
        workspace.inputRecorder = first.recorder
        defer { workspace.inputRecorder = nil }
        guard let weights = first.role == .primary ? primary : secondary else { return }
        let multiplier = unsafe Multiplier(
            pool: pool, kernels: kernels.table, workspace: workspace, stream: stream)
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
                cache: request.cache)
        }
        try transformer.forward(requests, &batch, observer: observer)
        try checkFile()
    }

    /// Results are void when the file behind the mapping changed meanwhile.
    private func checkFile() throws(TandemError) {
        do {
            try mapped?.checkIntact()
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
        rows = max(rows, asked, planned?.rows ?? 0, workspace?.maxRows ?? 0)
        contextSize = max(
            contextSize, contextAsked.load(ordering: .relaxed), planned?.contextSize ?? 0,
            workspace?.contextSize ?? 0)
        if planned == nil, rows > asked { rows = min((rows + 63) & ~63, max(rows, rowLimit)) }
        workspace = nil
        let made = try Workspace(
            configurations: [primary.configuration] + (secondary.map { [$0.configuration] } ?? []),
            maxRows: rows, contextSize: contextSize, threadCount: pool.threadCount)
        workspace = made
        return made
    }
}
