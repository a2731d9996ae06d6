// SPDX-License-Identifier: Apache-2.0

/// How much memory a model and its sessions may use.
///
/// A budget counts everything that running the model touches: weights, caches, activations, buffers, the tokenizer, and
/// the runtime itself with its program pages. Within a budget no weight is read through the page cache where the file
/// system offers direct I/O; elsewhere what was read is dropped from it at once.
public enum MemoryBudget: Sendable, Equatable {
    /// What the process may really use here, see ``availableMemory()``. A file that fits as a whole is mapped.
    case automatic
    /// The file is mapped whatever it takes; its pages belong to the page cache.
    case mapped
    /// At most so many bytes; the file is not mapped.
    case bytes(Int)
}

extension MemoryBudget: LosslessStringConvertible {
    /// Reads `auto`, `mapped`, or a size: bytes, or a number with K, M, G or T (powers of 1024), as `256M` or `1.5G`.
    ///
    /// A trailing `B` or `iB` is allowed. `nil` for anything else, and for sizes below one byte or above 2⁶² bytes.
    public init?(_ description: String) {
        switch description {
        case "auto": self = .automatic
        case "mapped": self = .mapped
        default:
            guard let bytes = Self.byteCount(description) else { return nil }
            self = .bytes(bytes)
        }
    }

    public var description: String {
        switch self {
        case .automatic: "auto"
        case .mapped: "mapped"
        case .bytes(let count): "\(count)"
        }
    }

    private static func byteCount(_ text: String) -> Int? {
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard let first = digits.first, first != ".", digits.last != ".", let value = Double(digits) else {
            return nil
        }
        var unit = text.dropFirst(digits.count).lowercased()
        if unit.hasSuffix("ib"), unit.count == 3 {
            unit.removeLast(2)
        } else if unit.hasSuffix("b") {
            unit.removeLast()
        }
        let factor: Double
        switch unit {
        case "": factor = 1
        case "k": factor = 1024
        case "m": factor = 1_048_576
        case "g": factor = 1_073_741_824
        case "t": factor = 1_099_511_627_776
        default: return nil
        }
        let bytes = (value * factor).rounded(.down)
        guard bytes >= 1, bytes <= 0x1p62 else { return nil }
        return Int(bytes)
    }
}
