// SPDX-License-Identifier: Apache-2.0

/// What becomes of the matches a text is split at.
enum SplitBehavior: String, Sendable, CaseIterable {
    case removed = "Removed"
    case isolated = "Isolated"
    case mergedWithPrevious = "MergedWithPrevious"
    case mergedWithNext = "MergedWithNext"
    case contiguous = "Contiguous"

    /// A stretch of text that does or does not match.
    struct Stretch {
        var range: Range<Int>
        var isMatch: Bool
    }

    /// Appends the pieces that stretches, which cover a text without gaps, fall into.
    func apply(_ stretches: [Stretch], to pieces: inout [Range<Int>]) {
        let start = pieces.count
        switch self {
        case .removed, .isolated:
            for stretch in stretches where !stretch.range.isEmpty && !(self == .removed && stretch.isMatch) {
                pieces.append(stretch.range)
            }
            return
        case .mergedWithPrevious:
            merge(stretches, to: &pieces, from: start) { $0 && !$1 }
        case .contiguous:
            merge(stretches, to: &pieces, from: start) { $0 == $1 }
        case .mergedWithNext:
            var previousIsMatch = false
            for stretch in stretches.reversed() {
                if stretch.isMatch && !previousIsMatch && pieces.count > start {
                    let last = pieces.count &- 1
                    pieces[last] = stretch.range.lowerBound..<pieces[last].upperBound
                } else {
                    pieces.append(stretch.range)
                }
                previousIsMatch = stretch.isMatch
            }
            pieces[start...].reverse()
        }
        if pieces[start...].contains(where: \.isEmpty) {
            let own = pieces[start...].filter { !$0.isEmpty }
            pieces.replaceSubrange(start..., with: own)
        }
    }

    private func merge(
        _ stretches: [Stretch], to pieces: inout [Range<Int>], from start: Int,
        where joins: (_ isMatch: Bool, _ previousIsMatch: Bool) -> Bool
    ) {
        var previousIsMatch = false
        for stretch in stretches {
            if joins(stretch.isMatch, previousIsMatch) && pieces.count > start {
                let last = pieces.count &- 1
                pieces[last] = pieces[last].lowerBound..<stretch.range.upperBound
            } else {
                pieces.append(stretch.range)
            }
            previousIsMatch = stretch.isMatch
        }
    }
}
