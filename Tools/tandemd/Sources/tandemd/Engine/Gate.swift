// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Lets so many requests generate at a time and so many wait, interactive ones first, each kind in order of arrival.
///
/// No thread waits: a waiting request is a suspended task.
final class Gate: Sendable {
    private let permits: Int
    private let limit: Int
    private let state = Mutex(State())

    private struct State {
        var running = 0
        var interactive: [Ticket] = []
        var background: [Ticket] = []
        var waiting: Int { interactive.count + background.count }

        mutating func next() -> Ticket? {
            if !interactive.isEmpty { return interactive.removeFirst() }
            return background.isEmpty ? nil : background.removeFirst()
        }

        mutating func remove(_ ticket: Ticket) {
            interactive.removeAll { $0 === ticket }
            background.removeAll { $0 === ticket }
        }
    }

    /// - Parameters:
    ///   - permits: requests inside at a time.
    ///   - limit: requests that may wait.
    init(permits: Int, limit: Int) {
        self.permits = permits
        self.limit = limit
    }

    var running: Int { state.withLock { $0.running } }
    var waiting: Int { state.withLock { $0.waiting } }

    /// Takes places for `count` generations, inside or in the queue.
    /// - Throws: 429 when they do not all find one.
    func tickets(_ count: Int, isBackground: Bool, metrics: Metrics) throws(APIError) -> [Ticket] {
        let (tickets, waiting) = state.withLock { state -> ([Ticket]?, Int) in
            let free = state.waiting == 0 ? max(0, permits - state.running) : 0
            // A request for several answers is refused as a whole, but never for being larger than the queue alone.
            let fits = state.waiting + max(0, count - free) <= limit || (state.waiting == 0 && free > 0)
            guard fits else { return (nil, state.waiting) }
            var tickets: [Ticket] = []
            for _ in 0..<count {
                let ticket = Ticket(gate: self)
                if state.waiting == 0 && state.running < permits {
                    state.running += 1
                    ticket.admit()
                } else if isBackground {
                    state.background.append(ticket)
                } else {
                    state.interactive.append(ticket)
                }
                tickets.append(ticket)
            }
            return (tickets, state.waiting)
        }
        guard let tickets else {
            metrics.rejected.add(1)
            throw .queueFull(waiting: waiting)
        }
        return tickets
    }

    /// A place for one generation; see ``tickets(_:isBackground:metrics:)``.
    func ticket(isBackground: Bool, metrics: Metrics) throws(APIError) -> Ticket {
        try tickets(1, isBackground: isBackground, metrics: metrics)[0]
    }

    fileprivate func leave(wasAdmitted: Bool, _ ticket: Ticket) {
        let next = state.withLock { state -> Ticket? in
            guard wasAdmitted else {
                state.remove(ticket)
                return nil
            }
            state.running -= 1
            guard state.running < permits, let next = state.next() else { return nil }
            state.running += 1
            return next
        }
        next?.admit()
    }

    /// One generation's place.
    final class Ticket: Sendable {
        private enum Phase {
            case waiting(CheckedContinuation<Bool, Never>?)
            case admitted
            case left
        }

        private let gate: Gate
        private let phase = Mutex(Phase.waiting(nil))

        fileprivate init(gate: Gate) { self.gate = gate }

        deinit { leave() }

        /// Waits for its turn; false when the ticket was given back meanwhile.
        func enter() async -> Bool {
            await withCheckedContinuation { continuation in
                let known: Bool? = phase.withLock { phase in
                    switch phase {
                    case .admitted: return true
                    case .left: return false
                    case .waiting:
                        phase = .waiting(continuation)
                        return nil
                    }
                }
                if let known { continuation.resume(returning: known) }
            }
        }

        fileprivate func admit() {
            let (continuation, wasLate) = phase.withLock {
                phase -> (CheckedContinuation<Bool, Never>?, Bool) in
                guard case .waiting(let continuation) = phase else { return (nil, true) }
                phase = .admitted
                return (continuation, false)
            }
            // Given back between being chosen and being told: the place goes to the next.
            if wasLate { gate.leave(wasAdmitted: true, self) }
            continuation?.resume(returning: true)
        }

        /// Leaves the queue; a ticket that is inside stays there.
        func withdraw() {
            let isWaiting = phase.withLock { phase in
                if case .waiting = phase { true } else { false }
            }
            if isWaiting { leave() }
        }

        /// Gives the place back; what waits in ``enter()`` ends with false.
        func leave() {
            let (continuation, wasAdmitted) = phase.withLock {
                phase -> (CheckedContinuation<Bool, Never>?, Bool?) in
                defer { phase = .left }
                switch phase {
                case .waiting(let continuation): return (continuation, false)
                case .admitted: return (nil, true)
                case .left: return (nil, nil)
                }
            }
            if let wasAdmitted { gate.leave(wasAdmitted: wasAdmitted, self) }
            continuation?.resume(returning: false)
        }
    }
}
