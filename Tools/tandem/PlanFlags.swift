// SPDX-License-Identifier: Apache-2.0

public import ArgumentParser
import Tandem

extension MemoryBudget: ExpressibleByArgument {}

/// The memory a model may use.
struct MemoryFlags: ParsableArguments {
    @Option(
        help:
            "Memory the whole process may use: bytes, or with K, M, G; 'auto' = what this process may really use; 'mapped' = map the file whatever it takes."
    )
    var memory = MemoryBudget.automatic
}

/// A speed of storage: bytes in a second, as `90MB/s`, `400M` or `1.2GB/s` (powers of 1000).
struct StorageSpeed: ExpressibleByArgument {
    let bytesPerSecond: Double

    init?(argument: String) {
        var text = argument.lowercased()
        if text.hasSuffix("/s") { text.removeLast(2) }
        if text.hasSuffix("b") { text.removeLast() }
        var factor = 1.0
        if let unit = text.last, let power = ["k": 1e3, "m": 1e6, "g": 1e9][unit] {
            factor = power
            text.removeLast()
        }
        guard let value = Double(text), value.isFinite, value > 0 else { return nil }
        bytesPerSecond = value * factor
    }
}
