// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat

/// Where a loaded model's weights are, and how that changes while it runs.
///
/// Another budget means another plan: for the sessions there are, and with as much of the weights as can stay where they are.
/// The primary's weights change place between two passes; no result depends on where they are. A change that fails leaves
/// everything as it was. While it is under way, no more memory is in use than before it or after it, whichever is more.
///
/// Thread safety: any thread, but ``change(to:engine:cancellations:)`` and ``look(_:cancellations:)`` are called by whoever has
/// the turn of the model's passes.
final class ModelMemory: Sendable {
    private struct State {
        var plan: MemoryPlan
        /// `nil` while the weights are in the mapping.
        var residency: ModelResidency?
        var budget: MemoryBudget
        var grammarBytes = 0
        /// What reading has cost with weights of before.
        var retired = GenerationResult.Streaming()
        /// When the memory left is looked at next.
        var nextLook = 0.0
        /// Looks one after the other that found much more memory.
        var roomyLooks = 0
        /// Looks one after the other that found less than the least plan takes.
        var tightLooks = 0
    }

    private let state: Guarded<State>
    private let source: ModelSource
    let ledger: SessionLedger

    /// So much more memory, so often, that streaming less is worth another plan.
    private static let growth = (share: 1.25, looks: 8)
    /// Looks that must find too little before the model gives up: what a group's memory is said to be is wrong for moments, as while
    /// the kernel still counts what has just been given back.
    private static let tightLooks = 2

    init(source: ModelSource, plan: MemoryPlan, residency: ModelResidency?) {
        self.source = source
        ledger = SessionLedger(plan: residency == nil ? nil : plan)
        state = Guarded(
            State(
                plan: plan, residency: residency, budget: source.options.memory,
                nextLook: monotonicSeconds() + source.probe.interval))
    }

    /// The plan in force.
    var plan: MemoryPlan { state.withLock { $0.plan } }

    /// Whether there is a budget to keep; else the weights are in the mapping.
    var isPlanned: Bool { state.withLock { $0.residency != nil } }

    /// What reading has cost since the weights were loaded.
    var streaming: GenerationResult.Streaming {
        state.withLock { state in
            var total = state.retired
            guard let current = state.residency?.streaming else { return total }
            total.bytesStreamed += current.bytesStreamed
            total.storageSeconds += current.storageSeconds
            total.waitSeconds += current.waitSeconds
            return total
        }
    }

    /// Bytes for weights that may have to go before any pass: what the plan leaves over, and what it has for sessions and
    /// activations that these do not use yet.
    /// - Parameter activations: bytes of activations in use.
    func roomForWeights(activations: Int) -> Int {
        let plan = plan
        return max(0, plan.heldBytes + ledger.spareBytes + plan.activationBytes - activations)
    }

    // MARK: - Other budgets

    /// Makes the model keep another budget from now on.
    /// - Throws: ``TandemError/memoryBudgetTooSmall(budgetBytes:leastBytes:largest:)`` with the least that would do for the
    ///   sessions there are, ``TandemError/invalidParameter(name:value:allowed:)``, ``TandemError/cancelled``,
    ///   ``TandemError/format(_:)`` and ``TandemError/outOfMemory(requestedBytes:purpose:)``.
    func change(to budget: MemoryBudget, engine: PassEngine, cancellations: [CancellationToken?] = [])
        throws(TandemError)
    {
        if budget == .mapped {
            guard !isPlanned else {
                throw .invalidParameter(
                    name: "memory", value: "mapped",
                    allowed: "auto or a number of bytes, once weights were read into memory")
            }
        } else {
            try adopt(budget, available: nil, engine, cancellations)
        }
        state.withLock { $0.budget = budget }
    }

    /// Takes memory for matching grammars, besides what was taken for them before. While the weights are in the mapping, it
    /// only counts for plans to come.
    /// - Throws: as ``change(to:engine:cancellations:)``.
    func reserveGrammar(_ bytes: Int, engine: PassEngine) throws(TandemError) {
        let before = state.withLock { state in
            state.grammarBytes += bytes
            return state.grammarBytes - bytes
        }
        let plan = plan
        guard isPlanned, let budget = plan.budgetBytes else { return }
        do {
            try adopt(.bytes(budget), source: plan.budgetSource, available: nil, engine, [])
        } catch {
            state.withLock { $0.grammarBytes = before }
            throw error
        }
    }

    /// Looks now and then whether the memory there is has become less than the model takes, or much more, where the budget
    /// is what there is.
    /// - Throws: ``TandemError/memoryBudgetTooSmall(budgetBytes:leastBytes:largest:)`` when the model cannot run in what is
    ///   left, and could not at the look before; it has given back then what it could.
    func look(_ engine: PassEngine, cancellations: [CancellationToken?]) throws(TandemError) {
        guard isTimeToLook() else { return }
        let (plan, isPlanned) = state.withLock { ($0.plan, $0.residency != nil) }
        guard let available = memoryLeft(plan) else { return }
        if plan.totalBytes > available.limit {
            state.withLock { $0.roomyLooks = 0 }
            do {
                try adopt(.automatic, available: available, engine, cancellations)
                state.withLock { $0.tightLooks = 0 }
            } catch .memoryBudgetTooSmall(let budget, let least, let largest) {
                // The kernel takes a mapped file's pages back when it needs them.
                guard isPlanned else {
                    state.withLock { $0.nextLook = monotonicSeconds() + 20 * source.probe.interval }
                    return
                }
                if plan.totalBytes > least {
                    try adopt(.bytes(least), available: nil, engine, cancellations)
                }
                let isLasting = state.withLock { state in
                    state.tightLooks += 1
                    guard state.tightLooks >= Self.tightLooks else { return false }
                    state.nextLook = 0
                    return true
                }
                guard isLasting else { return }
                throw .memoryBudgetTooSmall(budgetBytes: budget, leastBytes: least, largest: largest)
            }
            return
        }
        state.withLock { $0.tightLooks = 0 }
        if plan.residency == .streamed,
            Double(available.usable) > Double(plan.budgetBytes ?? 0) * Self.growth.share
        {
            let isLasting = state.withLock { state in
                state.roomyLooks += 1
                return state.roomyLooks >= Self.growth.looks
            }
            guard isLasting else { return }
            state.withLock { $0.roomyLooks = 0 }
            // Nothing is lost when there is no more memory after all.
            try? adopt(.automatic, available: available, engine, cancellations)
        } else {
            state.withLock { $0.roomyLooks = 0 }
        }
    }

    /// What the process may use, less what is its host's.
    private func memoryLeft(_ plan: MemoryPlan) -> AvailableMemory? {
        source.probe.read()?.without(hostsBeyond: plan.totalBytes)
    }

    private func isTimeToLook() -> Bool {
        state.withLock { state in
            guard state.budget == .automatic else { return false }
            let now = monotonicSeconds()
            guard now >= state.nextLook else { return false }
            state.nextLook = now + source.probe.interval
            return true
        }
    }

    // MARK: - Exchange

    /// Plans for a budget and exchanges the weights.
    private func adopt(
        _ budget: MemoryBudget, source name: String? = nil, available: AvailableMemory?, _ engine: PassEngine,
        _ cancellations: [CancellationToken?]
    ) throws(TandemError) {
        let (old, residency, grammarBytes) = state.withLock { ($0.plan, $0.residency, $0.grammarBytes) }
        let loaded = loadedState(old, residency, grammarBytes, engine)
        var plan = try self.plan(budget, loaded, available, isPlanned: residency != nil)
        if let name { plan.budgetSource = name }
        guard plan.residency != .mapped else {
            state.withLock { $0.plan = plan }
            return
        }
        let isSame =
            residency != nil && plan.placement == old.placement && plan.ringBytes == old.ringBytes
        guard !isSame else {
            state.withLock { $0.plan = plan }
            ledger.setLimit(plan)
            engine.fitWeights()
            return
        }
        ledger.setLimit(plan)
        do {
            var made: ModelResidency?
            try engine.exchange(
                planned: (plan.passRows, plan.contextSize), cancellations
            ) { () throws(TandemError) in
                let weights = try source.exchanged(plan, previous: residency)
                made = weights
                return try PrimaryWeights(file: source.file, residency: weights)
            }
            guard let made else { return }
            state.withLock { state in
                if let old = state.residency {
                    let cost = old.streaming
                    state.retired.bytesStreamed += cost.bytesStreamed - old.sharedBytes(with: made)
                    state.retired.storageSeconds += cost.storageSeconds
                    state.retired.waitSeconds += cost.waitSeconds
                }
                state.residency = made
                state.plan = plan
            }
        } catch {
            ledger.setLimit(residency == nil ? nil : old)
            throw error
        }
    }

    /// The plan for a budget; weights that were read into memory do not go back to the mapping.
    private func plan(
        _ budget: MemoryBudget, _ loaded: LoadedState, _ available: AvailableMemory?, isPlanned: Bool
    ) throws(TandemError) -> MemoryPlan {
        let available = budget == .automatic ? available ?? memoryLeft(plan) : nil
        guard isPlanned, budget == .automatic else {
            return try source.plan(budget, loaded: loaded, available: available)
        }
        guard let available else { return plan }
        var plan = try source.plan(.bytes(max(1, available.usable)), loaded: loaded)
        plan.budgetSource = available.limitedBy
        return plan
    }

    private func loadedState(
        _ plan: MemoryPlan, _ residency: ModelResidency?, _ grammarBytes: Int, _ engine: PassEngine
    ) -> LoadedState {
        var loaded = LoadedState()
        loaded.grammarBytes = grammarBytes
        loaded.blockTables = plan.placement.blockTables.filter { !$0.value.isEmpty }
        if let residency {
            loaded.inMemory = residency.separateTensors
            loaded.sessions = LoadedState.Sessions(
                contextSize: plan.contextSize, promptRows: plan.promptRows,
                count: source.options.sessionCount, taken: ledger.takenBytes)
        } else if let open = engine.openSessions {
            loaded.sessions = LoadedState.Sessions(
                contextSize: open.contextSize, promptRows: open.rows, count: open.count,
                taken: ledger.takenBytes)
        }
        return loaded
    }
}
