// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// A number that only grows.
final class Counter: Sendable {
    private let value = Atomic<Int>(0)

    func add(_ count: Int) { value.add(count, ordering: .relaxed) }
    var total: Int { value.load(ordering: .relaxed) }
}

/// How often values fell below each of some bounds.
final class Histogram: Sendable {
    let bounds: [Double]
    private let state: Mutex<State>

    struct State: Sendable {
        /// Values up to each bound, and above the last; not cumulative.
        var counts: [Int]
        var sum = 0.0
    }

    init(bounds: [Double]) {
        self.bounds = bounds
        state = Mutex(State(counts: Array(repeating: 0, count: bounds.count + 1)))
    }

    func observe(_ value: Double, count: Int = 1) {
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        state.withLock { state in
            state.counts[bucket] += count
            state.sum += value * Double(count)
        }
    }

    var snapshot: State { state.withLock { $0 } }
}

/// Counters apart by the values of their labels.
final class LabelledCounters: Sendable {
    private let counters = Mutex<[[String]: Counter]>([:])

    subscript(labels: [String]) -> Counter {
        counters.withLock { counters in
            if let counter = counters[labels] { return counter }
            let counter = Counter()
            counters[labels] = counter
            return counter
        }
    }

    /// All counters, in the order of their labels.
    var totals: [(labels: [String], total: Int)] {
        counters.withLock { counters in
            counters.map { ($0.key, $0.value.total) }.sorted { $0.0.lexicographicallyPrecedes($1.0) }
        }
    }
}

/// Tokens per second over the last seconds.
final class RateMeter: Sendable {
    private static let window = 10
    private let state = Mutex<(seconds: [Int], counts: [Int])>(
        (Array(repeating: -1, count: window), Array(repeating: 0, count: window)))

    func add(_ count: Int, at time: Double = monotonicSeconds()) {
        let second = Int(time)
        state.withLock { state in
            let slot = second % Self.window
            if state.seconds[slot] != second {
                state.seconds[slot] = second
                state.counts[slot] = 0
            }
            state.counts[slot] += count
        }
    }

    /// Per second, over the last ten whole seconds and the one under way.
    func rate(at time: Double = monotonicSeconds()) -> Double {
        let second = Int(time)
        return state.withLock { state in
            let recent = state.seconds.indices.filter { second - state.seconds[$0] < Self.window }
            let count = recent.reduce(0) { $0 + state.counts[$1] }
            guard let first = recent.map({ state.seconds[$0] }).min() else { return 0 }
            return Double(count) / max(1, time - Double(first))
        }
    }
}
