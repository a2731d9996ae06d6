// SPDX-License-Identifier: Apache-2.0

/// Where a model learns how much memory the process may use.
package struct MemoryProbe: Sendable {
    /// Seconds between two looks, at least; 0 = a look before every pass.
    package let interval: Double
    /// The memory, or `nil` where the system does not tell.
    package let read: @Sendable () -> AvailableMemory?

    package init(interval: Double, read: @escaping @Sendable () -> AvailableMemory?) {
        self.interval = interval
        self.read = read
    }

    /// The system's word, now and then: a look takes some tenths of a millisecond.
    package static let system = MemoryProbe(interval: 0.5) { availableMemory() }
}

extension AvailableMemory {
    /// Left to the kernel, and to what nobody can foresee.
    private var margin: Int { max(4 << 20, bytes / 32) }

    /// What a model may plan with.
    var usable: Int { bytes - margin }

    /// A model that takes more than this has to give memory back: half of the margin is gone.
    var limit: Int { bytes - margin / 2 }
}
