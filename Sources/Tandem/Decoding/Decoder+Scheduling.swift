// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat

extension Decoder {
    /// Runs `body` as one generation among those of the model; waits until it may run.
    /// - Throws: also ``TandemError/queueFull(waiting:limit:)``, ``TandemError/cancelled`` while it waits.
    func admitted<R>(
        _ priority: GenerationPriority = .interactive, cancellation: CancellationToken?,
        _ body: () throws(TandemError) -> R
    ) throws(TandemError) -> R {
        member = try core.passes.begin(priority, cancellation: cancellation)
        defer { leave() }
        return try body()
    }

    /// Ends the generation that runs, for the model's scheduler.
    func leave() {
        if let member { core.passes.end(member) }
        member = nil
    }

    /// Rows of a block of given tokens: as many as other generations can bear to wait for.
    func promptRows(_ role: ModelRole) -> Int {
        guard let member else { return batchSize }
        return core.passes.promptRows(role, limit: batchSize, member)
    }

    /// Runs the host's code, for which other generations do not wait.
    func away<R>(_ body: () -> R) -> R {
        guard let member else { return body() }
        core.passes.setAway(true, member)
        defer { core.passes.setAway(false, member) }
        return body()
    }
}
