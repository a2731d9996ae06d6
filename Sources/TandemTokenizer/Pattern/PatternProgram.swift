// SPDX-License-Identifier: Apache-2.0

/// A regular expression as instructions for ``PatternMatcher``.
struct PatternProgram: Sendable {
    enum Operation: UInt8, Sendable {
        /// One scalar of `set`.
        case scalar
        /// `low` … `high` scalars of `set`.
        case run
        /// Goes on behind itself, and at `target` when that fails. With a set, at `target` alone unless the next
        /// scalar is in it.
        case fork
        /// Goes on at `target`, and behind itself when that fails.
        case lazyFork
        case jump
        /// Runs what follows up to its `accept`, looking ahead; then goes on at `target`.
        case lookahead
        /// The same from `low` scalars before.
        case lookbehind
        /// Runs what follows up to its `accept`, once; then goes on at `target` from where that ended.
        case atomic
        case anchor
        case accept
    }

    struct Instruction: Sendable {
        var operation: Operation
        var greed = PatternNode.Greed.greedy
        var isNegated = false
        var anchor = PatternNode.Anchor.textStart
        var set: Int32 = -1
        var low: Int32 = 0
        var high: Int32 = .max
        var target: Int32 = 0
    }

    static let maximumInstructions = 16_384

    private(set) var instructions: [Instruction] = []
    private(set) var sets = ScalarSetTable()
    /// The set a match begins with; -1 when it can be empty.
    private(set) var firstSet = -1
    /// The number of the set of word scalars, when word boundaries are asked for.
    private(set) var wordSet = -1

    init(_ node: PatternNode) throws(PatternError) {
        if let first = node.firstScalars { firstSet = try number(of: first) }
        try append(node)
        try emit(Instruction(operation: .accept))
        settleLastRuns()
    }

    private mutating func number(of set: ScalarSet) throws(PatternError) -> Int {
        guard let number = sets.insert(set) else { throw PatternError("has too many classes") }
        return number
    }

    @discardableResult
    private mutating func emit(_ instruction: Instruction) throws(PatternError) -> Int {
        guard instructions.count < Self.maximumInstructions else { throw PatternError("is too large") }
        instructions.append(instruction)
        return instructions.count - 1
    }

    private mutating func setTarget(of index: Int) {
        instructions[index].target = Int32(truncatingIfNeeded: instructions.count)
    }

    private mutating func append(_ node: PatternNode) throws(PatternError) {
        switch node {
        case .set(let set):
            try emit(Instruction(operation: .scalar, set: Int32(try number(of: set))))
        case .sequence(let parts):
            for part in parts { try append(part) }
        case .alternatives(let parts):
            var ends: [Int] = []
            for part in parts.dropLast() {
                let fork = try emitFork(before: part)
                try append(part)
                ends.append(try emit(Instruction(operation: .jump)))
                setTarget(of: fork)
            }
            if let last = parts.last { try append(last) }
            for end in ends { setTarget(of: end) }
        case .repeated(let part, let minimum, let maximum, let greed):
            try appendRepetition(part, minimum, maximum, greed)
        case .lookahead(let part, let negated):
            try appendInner(part, Instruction(operation: .lookahead, isNegated: negated))
        case .lookbehind(let part, let count, let negated):
            guard let low = Int32(exactly: count) else { throw PatternError("is too large") }
            try appendInner(part, Instruction(operation: .lookbehind, isNegated: negated, low: low))
        case .atomic(let part):
            try appendInner(part, Instruction(operation: .atomic))
        case .anchor(let anchor):
            if anchor == .wordBoundary || anchor == .noWordBoundary {
                wordSet = try number(of: ScalarProperty.word)
            }
            try emit(Instruction(operation: .anchor, anchor: anchor))
        }
    }

    private mutating func emitFork(before part: PatternNode) throws(PatternError) -> Int {
        let set = try part.firstScalars.map { (set) throws(PatternError) in try number(of: set) }
        return try emit(Instruction(operation: .fork, set: Int32(set ?? -1)))
    }

    private mutating func appendInner(_ part: PatternNode, _ head: Instruction) throws(PatternError) {
        let index = try emit(head)
        try append(part)
        try emit(Instruction(operation: .accept))
        setTarget(of: index)
    }

    private mutating func appendRepetition(
        _ part: PatternNode, _ minimum: Int, _ maximum: Int?, _ greed: PatternNode.Greed
    ) throws(PatternError) {
        if case .set(let set) = part {
            try emit(
                Instruction(
                    operation: .run, greed: greed, set: Int32(try number(of: set)), low: Int32(minimum),
                    high: maximum.map { Int32($0) } ?? .max))
            return
        }
        if greed == .possessive {
            try append(.atomic(.repeated(part, minimum: minimum, maximum: maximum, .greedy)))
            return
        }
        for _ in 0..<minimum { try append(part) }
        if let maximum {
            var forks: [Int] = []
            for _ in minimum..<maximum {
                forks.append(try emitLoopHead(part, greed))
                try append(part)
            }
            for fork in forks { setTarget(of: fork) }
        } else {
            let head = try emitLoopHead(part, greed)
            try append(part)
            try emit(Instruction(operation: .jump, target: Int32(truncatingIfNeeded: head)))
            setTarget(of: head)
        }
    }

    private mutating func emitLoopHead(
        _ part: PatternNode, _ greed: PatternNode.Greed
    ) throws(PatternError) -> Int {
        greed == .lazy ? try emit(Instruction(operation: .lazyFork)) : try emitFork(before: part)
    }

    /// A greedy run behind which nothing can fail need not be reconsidered.
    private mutating func settleLastRuns() {
        for index in instructions.indices
        where instructions[index].operation == .run && instructions[index].greed == .greedy {
            var next = index + 1
            // Jumps that close loops lead to forks, never round and round.
            while instructions[next].operation == .jump { next = Int(instructions[next].target) }
            if instructions[next].operation == .accept { instructions[index].greed = .possessive }
        }
    }
}
