// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Hands events from engine threads to one task, which takes all that wait at once.
///
/// A task that is slow to take them, because its client is slow to read, never holds up the engine; what waits is bounded
/// by the tokens that a request may generate.
final class Mailbox<Event: Sendable>: Sendable {
    private struct State {
        var events: [Event] = []
        var reader: CheckedContinuation<[Event], Never>?
    }

    private let state = Mutex(State())

    /// Adds an event; never waits.
    func post(_ event: Event) {
        let reader = state.withLock { state -> CheckedContinuation<[Event], Never>? in
            guard let reader = state.reader else {
                state.events.append(event)
                return nil
            }
            state.reader = nil
            return reader
        }
        reader?.resume(returning: [event])
    }

    /// All events there are; waits for one where there is none. For one task only.
    func next() async -> [Event] {
        await withCheckedContinuation { continuation in
            let events = state.withLock { state -> [Event] in
                guard state.events.isEmpty else {
                    defer { state.events = [] }
                    return state.events
                }
                state.reader = continuation
                return []
            }
            if !events.isEmpty { continuation.resume(returning: events) }
        }
    }
}
