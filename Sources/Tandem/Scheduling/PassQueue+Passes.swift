// SPDX-License-Identifier: Apache-2.0

import Glibc
internal import Synchronization
internal import TandemFormat

extension PassQueue {
    /// Runs a request of `member`, which runs.
    func run(_ request: PassRequest, for member: PassMember) throws(TandemError) -> PassCost {
        if let cancellation = request.cancellation, cancellation.isCancelled { throw .cancelled }
        lock.lock()
        member.isPrompting = request.isPrompt
        guard running.count == 1, !isTurnTaken, pending.isEmpty else {
            return try wait(for: request, member)
        }
        isTurnTaken = true
        lock.unlock()
        let start = monotonicSeconds()
        var problem: TandemError?
        do {
            try engine.run([request], observer: self)
        } catch {
            problem = error
        }
        let end = monotonicSeconds()
        lock.lock()
        endTurn()
        member.since = end
        if problem == nil { note(request.role, rows: request.tokens.count, seconds: end - start) }
        let isWanted = !pending.isEmpty
        lock.unlock()
        if isWanted { work.signal() }
        if let problem { throw problem }
        return PassCost(share: nil, marginal: nil)
    }

    private func marginal(_ role: ModelRole) -> Double? {
        let times = times(role)
        return times.isKnown ? times.marginal : nil
    }

    /// Hands a request to the pass thread. Called with the lock held, which is given back.
    private func wait(for request: PassRequest, _ member: PassMember) throws(TandemError) -> PassCost {
        defer { lock.unlock() }
        guard getpid() == process.load(ordering: .relaxed) else { throw .forkedProcess }
        try startPasses()
        member.request = request
        member.requestedAt = monotonicSeconds()
        member.outcome = nil
        member.state = .waiting
        pending.append(member)
        // Awake for the first one, and for the last one that is waited for.
        if isAsleep || expectedUntil(member.requestedAt) == nil {
            isAsleep = false
            work.signal()
        }
        while true {
            if let outcome = member.outcome {
                member.outcome = nil
                return try outcome.get()
            }
            member.wake.wait(lock)
        }
    }

    // MARK: - The pass thread

    /// Passes of the pass thread, until it is told to stop.
    func runPasses() {
        lock.lock()
        while !isStopping {
            let now = monotonicSeconds()
            if isTurnTaken || (pending.isEmpty && expectedUntil(now) == nil) {
                isAsleep = true
                work.wait(lock)
                isAsleep = false
            } else if let until = expectedUntil(now) {
                work.wait(lock, until: until)
            } else {
                runPass(choose(now))
            }
        }
        lock.unlock()
    }

    /// With the lock held, but for the pass itself.
    private func runPass(_ members: [PassMember]) {
        let requests = members.compactMap(\.request)
        guard let first = requests.first else { return }
        isTurnTaken = true
        current = members
        // What came before belongs to the pass: the time since the last one ended, or since somebody asked.
        let asked = members.reduce(Double.infinity) { min($0, $1.requestedAt) }
        let from = min(max(previousEnd, asked), monotonicSeconds())
        lock.unlock()
        let start = monotonicSeconds()
        var problem: TandemError?
        do {
            try engine.run(requests, observer: self)
        } catch {
            problem = error
        }
        let end = monotonicSeconds()
        lock.lock()
        endTurn()
        previousEnd = end
        let rows = requests.reduce(0) { $0 + $1.tokens.count }
        if problem == nil { note(first.role, rows: rows, seconds: end - start) }
        let marginal = marginal(first.role)
        let done = current.compactMap { $0 }
        current = []
        for member in done {
            guard let own = member.request?.tokens.count else { continue }
            if let problem {
                finish(member, .failure(problem), at: end)
                continue
            }
            // Everybody bears an equal part of what a pass takes anyhow, and the rows that are its own.
            let average = (end - from) / Double(done.count)
            let extra = (marginal ?? 0) * (Double(own) - Double(rows) / Double(done.count))
            finish(member, .success(PassCost(share: max(0, average + extra), marginal: marginal)), at: end)
        }
        lock.unlock()
        for member in done { member.wake.signal() }
        lock.lock()
    }

    /// With the lock held.
    private func finish(_ member: PassMember, _ outcome: Result<PassCost, TandemError>, at time: Double) {
        member.outcome = outcome
        member.request = nil
        member.state = .thinking
        member.since = time
    }

    // MARK: - Life of the thread

    /// Starts the pass thread if there is none. With the lock held.
    private func startPasses() throws(TandemError) {
        guard thread == nil else { return }
        guard let number = startThread({ self.runPasses() }).thread else {
            throw .outOfMemory(requestedBytes: 0, purpose: "a pass thread")
        }
        thread = number
    }

    /// Ends the pass thread and waits for it. Nobody runs any more.
    func stop() {
        // In a forked child there is no thread to wait for.
        guard getpid() == process.load(ordering: .relaxed) else { return }
        lock.lock()
        isStopping = true
        let thread = thread
        self.thread = nil
        lock.unlock()
        work.signal()
        if let thread { pthread_join(thread, nil) }
    }
}

extension PassQueue: PassObserver {
    /// Lets those go who wait for a later pass and were cancelled.
    func betweenLayers() {
        guard pendingCount.load(ordering: .relaxed) > 0 else { return }
        lock.lock()
        let gone = pending.filter { $0.request?.cancellation?.isCancelled ?? false }
        if !gone.isEmpty {
            pending.removeAll { member in gone.contains { $0 === member } }
            drop(gone)
        }
        lock.unlock()
    }

    func didDrop(_ requests: [Int]) {
        lock.lock()
        // A pass of one's own has nobody in `current`: it throws.
        let gone = requests.compactMap { current.indices.contains($0) ? current[$0] : nil }
        for index in requests where current.indices.contains(index) { current[index] = nil }
        drop(gone)
        lock.unlock()
    }

    private func drop(_ members: [PassMember]) {
        let now = monotonicSeconds()
        for member in members {
            finish(member, .failure(.cancelled), at: now)
            member.wake.signal()
        }
    }
}
