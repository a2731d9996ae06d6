// SPDX-License-Identifier: Apache-2.0

/// How long an idle worker spins before it sleeps.
///
/// Waking a sleeping thread costs its caller and itself tens of microseconds on a virtual machine, more than the next job of a
/// small model takes. So a worker that is woken soon after it has fallen asleep, as by the serial work between two passes,
/// spins longer the next time; one that sleeps long falls asleep sooner again. Where there are more threads than processors,
/// a spinning one would keep another from working: there they sleep soon. Results do not depend on it.
///
/// Value type; each worker has its own.
package struct SpinPatience: Sendable {
    /// Spins of a worker of which nothing is known: some ten microseconds.
    package static let least = 600
    /// Some hundred microseconds.
    package static let most = 8 * least
    /// A shorter sleep would better have been spun.
    private static let shortSeconds = 100e-6

    /// Spins before the next sleep.
    package private(set) var spins = SpinPatience.least

    private let isAdaptive: Bool

    /// - Parameter isAdaptive: whether every thread of the pool has a processor.
    package init(isAdaptive: Bool) {
        self.isAdaptive = isAdaptive
    }

    /// Learns how long the worker slept.
    package mutating func record(sleptSeconds: Double) {
        guard isAdaptive else { return }
        if sleptSeconds < Self.shortSeconds {
            spins = min(2 * spins, Self.most)
        } else {
            spins = max(spins / 2, Self.least)
        }
    }
}
