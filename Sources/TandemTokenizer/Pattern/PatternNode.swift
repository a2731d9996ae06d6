// SPDX-License-Identifier: Apache-2.0

/// A regular expression as a tree. Its depth is bounded by ``PatternParser/maximumDepth``.
indirect enum PatternNode: Sendable, Equatable {
    enum Greed: Sendable, Equatable {
        case greedy, lazy, possessive
    }

    enum Anchor: Sendable, Equatable {
        case textStart, textEnd, textEndOrLastLineEnd, lineStart, lineEnd, wordBoundary, noWordBoundary
    }

    /// One scalar of a set.
    case set(ScalarSet)
    /// One after the other; matches nothing when empty.
    case sequence([PatternNode])
    /// The first that leads to a match of the whole.
    case alternatives([PatternNode])
    /// `maximum` is nil when there is none.
    case repeated(PatternNode, minimum: Int, maximum: Int?, Greed)
    /// Matches without advancing when what follows does, or does not, match.
    case lookahead(PatternNode, negated: Bool)
    /// The same for what stands before, which has a fixed number of scalars.
    case lookbehind(PatternNode, count: Int, negated: Bool)
    /// A match that is never reconsidered.
    case atomic(PatternNode)
    case anchor(Anchor)

    static let empty = PatternNode.sequence([])

    /// Whether it can match without advancing.
    var canBeEmpty: Bool {
        switch self {
        case .set: false
        case .sequence(let parts): parts.allSatisfy(\.canBeEmpty)
        case .alternatives(let parts): parts.contains(where: \.canBeEmpty)
        case .repeated(let part, let minimum, _, _): minimum == 0 || part.canBeEmpty
        case .atomic(let part): part.canBeEmpty
        case .lookahead, .lookbehind, .anchor: true
        }
    }

    /// The number of scalars it matches, when that is always the same.
    var fixedCount: Int? {
        switch self {
        case .set: return 1
        case .sequence(let parts):
            var sum = 0
            for part in parts {
                guard let count = part.fixedCount else { return nil }
                sum += count
            }
            return sum
        case .alternatives(let parts):
            guard let first = parts.first?.fixedCount else { return nil }
            return parts.allSatisfy { $0.fixedCount == first } ? first : nil
        case .repeated(let part, let minimum, let maximum, _):
            guard minimum == maximum, let count = part.fixedCount else { return nil }
            return count * minimum
        case .atomic(let part): return part.fixedCount
        case .lookahead, .lookbehind, .anchor: return 0
        }
    }

    /// A superset of the scalars that a match can begin with; nil when it can be empty.
    var firstScalars: ScalarSet? {
        switch self {
        case .set(let set): return set
        case .sequence(let parts):
            var result = ScalarSet()
            for part in parts {
                if let first = part.firstScalars { return result.union(first) }
                guard let first = part.firstScalarsOrNone else { continue }
                result = result.union(first)
            }
            return nil
        case .alternatives(let parts):
            var result = ScalarSet()
            for part in parts {
                guard let first = part.firstScalars else { return nil }
                result = result.union(first)
            }
            return result
        case .repeated(let part, let minimum, _, _): return minimum == 0 ? nil : part.firstScalars
        case .atomic(let part): return part.firstScalars
        case .lookahead, .lookbehind, .anchor: return nil
        }
    }

    /// What a match that is not empty can begin with; nil when there is none.
    private var firstScalarsOrNone: ScalarSet? {
        switch self {
        case .set(let set): return set
        case .sequence(let parts), .alternatives(let parts):
            var result = ScalarSet()
            for part in parts { if let first = part.firstScalarsOrNone { result = result.union(first) } }
            return result
        case .repeated(let part, _, _, _), .atomic(let part): return part.firstScalarsOrNone
        case .lookahead, .lookbehind, .anchor: return nil
        }
    }
}
