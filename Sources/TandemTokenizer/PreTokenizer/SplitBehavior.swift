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
        var own: [Range<Int>] = []
        switch self {
        case .removed:
            own = stretches.filter { !$0.isMatch }.map(\.range)
        case .isolated:
            own = stretches.map(\.range)
        case .mergedWithPrevious:
            var previousIsMatch = false
            for stretch in stretches {
                if stretch.isMatch && !previousIsMatch, let last = own.popLast() {
                    own.append(last.lowerBound..<stretch.range.upperBound)
                } else {
                    own.append(stretch.range)
                }
                previousIsMatch = stretch.isMatch
            }
        case .mergedWithNext:
            var previousIsMatch = false
            for stretch in stretches.reversed() {
                if stretch.isMatch && !previousIsMatch, let last = own.popLast() {
                    own.append(stretch.range.lowerBound..<last.upperBound)
                } else {
                    own.append(stretch.range)
                }
                previousIsMatch = stretch.isMatch
            }
            own.reverse()
        case .contiguous:
            var previousIsMatch = false
            for stretch in stretches {
                if stretch.isMatch == previousIsMatch, let last = own.popLast() {
                    own.append(last.lowerBound..<stretch.range.upperBound)
                } else {
                    own.append(stretch.range)
                }
                previousIsMatch = stretch.isMatch
            }
        }
        pieces.append(contentsOf: own.filter { !$0.isEmpty })
    }
}
