// SPDX-License-Identifier: Apache-2.0

internal import Synchronization
internal import TandemFormat

/// What the pass thread waits for, and what it takes along.
///
/// All of it with the lock held.
extension PassQueue {
    /// Shares of a usual pass that the others wait for a generation that samples, or that is in the host's code.
    private static let thinkingShare = 0.25
    private static let awayShare = 0.1
    private static let thinkingLimits = (least: 100e-6, most: 0.25)
    private static let awayLimits = (least: 50e-6, most: 0.05)
    /// Background generations join every pass of this number while an interactive one runs.
    private static let backgroundInterval = 8
    /// Rows of a prompt that join a pass before its costs are known, and at least.
    private static let unknownPromptRows = 16
    private static let fewestPromptRows = 4
    private static let mostPromptRows = 4096

    /// Seconds of a usual pass of the primary for everybody; 0 before the first one.
    private var usualPass: Double {
        primaryTimes.isKnown ? primaryTimes.seconds(rows: max(1, running.count)) : 0
    }

    /// How long others wait for a generation after its last pass.
    private func patience(_ member: PassMember) -> Double {
        if member.isAway.load(ordering: .relaxed) {
            return min(max(usualPass * Self.awayShare, Self.awayLimits.least), Self.awayLimits.most)
        }
        return min(
            max(usualPass * Self.thinkingShare, Self.thinkingLimits.least), Self.thinkingLimits.most)
    }

    /// Until when some generation is worth waiting for; `nil` when none is.
    func expectedUntil(_ now: Double) -> Double? {
        let isUrgent = pending.contains { $0.priority == .interactive }
        var latest: Double?
        for member in running where member.state == .thinking {
            if isUrgent, member.priority == .background { continue }
            let end = member.since + patience(member)
            if end > now { latest = max(latest ?? end, end) }
        }
        return latest
    }

    /// Takes the requests of the next pass out of `pending`.
    func choose(_ now: Double) -> [PassMember] {
        let admitted = withoutBackground()
        let role = chooseRole(admitted, now)
        let candidates = admitted.filter { $0.request?.role == role }
        // The interactive first, else in the order in which they asked.
        let ordered =
            candidates.filter { $0.priority == .interactive }
            + candidates.filter { $0.priority == .background }
        let taken = fitting(ordered, role)
        let keptBackground = pending.contains { $0.priority == .background }
        if taken.contains(where: { $0.priority == .background }) || !keptBackground {
            passesWithoutBackground = 0
        } else {
            passesWithoutBackground += 1
        }
        pending.removeAll { member in taken.contains { $0 === member } }
        return taken
    }

    /// The pending ones, background left out where an interactive generation runs, and not for too long.
    private func withoutBackground() -> [PassMember] {
        guard running.contains(where: { $0.priority == .interactive }),
            passesWithoutBackground + 1 < Self.backgroundInterval
        else { return pending }
        let interactive = pending.filter { $0.priority == .interactive }
        return interactive.isEmpty ? pending : interactive
    }

    /// Drafts come first, so that their verification is one pass; but nobody waits for others' drafts longer than a
    /// pass takes.
    private func chooseRole(_ members: [PassMember], _ now: Double) -> ModelRole {
        guard members.contains(where: { $0.request?.role == .secondary }) else { return .primary }
        guard let oldest = members.first(where: { $0.request?.role == .primary }) else { return .secondary }
        return now - oldest.requestedAt > usualPass ? .primary : .secondary
    }

    /// As many of `members` as a pass has room for, at least one: all rows within the limit, rows of prompts within what
    /// the others can bear.
    private func fitting(_ members: [PassMember], _ role: ModelRole) -> [PassMember] {
        let limit = engine.rowLimit
        let promptLimit = promptBudget(role) ?? limit
        var taken: [PassMember] = []
        var rows = 0
        var promptRows = 0
        for member in members {
            guard let request = member.request else { continue }
            if request.recorder != nil {
                // Alone, or not now.
                if taken.isEmpty { return [member] }
                continue
            }
            if !taken.isEmpty, rows + request.rows > limit { continue }
            if request.isPrompt, promptRows > 0, promptRows + request.rows > promptLimit { continue }
            taken.append(member)
            rows += request.rows
            if request.isPrompt { promptRows += request.rows }
        }
        return taken
    }

    /// Rows of prompts that may join a pass: those that make it take twice as long as without. `nil` when nobody decodes.
    private func promptBudget(_ role: ModelRole) -> Int? {
        let decoding = running.count { !$0.isPrompting }
        guard decoding > 0 else { return nil }
        let times = times(role)
        guard times.isKnown else { return Self.unknownPromptRows }
        let most = times.rows(
            within: 2 * times.seconds(rows: decoding), limit: decoding + Self.mostPromptRows)
        return max(Self.fewestPromptRows, most - decoding)
    }

    /// Rows of a prompt that the member's next request should have.
    func promptRows(_ role: ModelRole, limit: Int, _ member: PassMember) -> Int {
        lock.withLock {
            member.isPrompting = true
            return min(limit, promptBudget(role) ?? limit)
        }
    }
}
