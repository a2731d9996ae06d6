// SPDX-License-Identifier: Apache-2.0

/// The reference folds some scalars to several: without regard to case, `ss` also matches `ß`. Patterns where that
/// could matter are refused.
enum PatternFolding {
    /// Pairs of letters at the start of such a folding, each with its case variants.
    private static let pairs: [(first: ScalarSet, second: ScalarSet)] = [
        (0x73, 0x73), (0x73, 0x74), (0x66, 0x66), (0x66, 0x69), (0x66, 0x6C), (0x2BC, 0x6E), (0x6A, 0x30C),
        (0x68, 0x331), (0x74, 0x308), (0x77, 0x30A), (0x79, 0x30A), (0x61, 0x2BE),
    ].map { (ScalarSet($0.0).caseInsensitive, ScalarSet($0.1).caseInsensitive) }

    /// - Throws: when two scalars that follow each other without regard to case are a folding of one.
    static func check(_ parts: [PatternNode]) throws(PatternError) {
        for (first, second) in zip(parts, parts.dropFirst()) {
            guard case .set(let left) = first, case .set(let right) = second else { continue }
            // Only sets that came from a letter alone: a class matches single scalars.
            if pairs.contains(where: { $0.first == left && $0.second == right }) {
                throw PatternError("ignores the case of letters that together are the case variant of one")
            }
        }
    }
}
