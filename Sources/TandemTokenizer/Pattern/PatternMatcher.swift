// SPDX-License-Identifier: Apache-2.0

/// Runs a ``PatternProgram``: backtracking with its own stack, alternatives in their order.
///
/// Ordinary patterns never notice, but where backtracking takes more than ``patience`` steps for one match, it starts
/// anew and remembers what has failed: then the time is polynomial in the text, whatever the pattern.
struct PatternMatcher {
    private struct Frame {
        enum Kind { case resume, shorten, lengthen }

        var kind: Kind
        var address: Int32
        /// For `lengthen`: how many scalars the run may still take.
        var remaining: Int32 = 0
        var position: Int
        var limit = 0
    }

    private struct State: Hashable {
        var address: Int
        var position: Int
    }

    private static let patience = 100_000

    private let program: PatternProgram
    private var frames: [Frame] = []
    private var steps = 0
    /// What has failed already; nil until patience has run out.
    private var visited: Set<State>?
    /// The ends of inner matches, -1 where there is none; used together with `visited`.
    private var inner: [State: Int] = [:]

    init(_ program: PatternProgram) {
        self.program = program
    }

    /// The first match that begins at `start` or later.
    mutating func firstMatch(_ text: Span<UInt8>, from start: Int) -> Range<Int>? {
        var position = start
        while position <= text.count {
            if program.firstSet >= 0 {
                while position < text.count
                    && program.sets.matchLength(program.firstSet, text, at: position) == 0
                {
                    position &+= ScalarReader.length(text[position])
                }
                if position >= text.count { return nil }
            }
            if let end = match(text, at: position) { return position..<end }
            if position == text.count { return nil }
            position &+= ScalarReader.length(text[position])
        }
        return nil
    }

    /// The end of the match that begins at `position`.
    mutating func match(_ text: Span<UInt8>, at position: Int) -> Int? {
        steps = 0
        visited = nil
        if let end = run(0, text, from: position) { return end }
        guard steps > Self.patience else { return nil }
        frames.removeAll(keepingCapacity: true)
        visited = []
        inner = [:]
        defer {
            visited = nil
            inner = [:]
        }
        return run(0, text, from: position)
    }

    /// The end of a match of the instructions from `start` to their `accept`.
    private mutating func run(_ start: Int, _ text: Span<UInt8>, from origin: Int) -> Int? {
        let base = frames.count
        var address = start
        var position = origin
        while true {
            let instruction = program.instructions[address]
            var succeeds = true
            switch instruction.operation {
            case .scalar:
                let length = program.sets.matchLength(Int(instruction.set), text, at: position)
                succeeds = length > 0
                position &+= length
                address &+= 1
            case .run:
                succeeds = !isKnownToFail(address, position) && take(instruction, address, text, &position)
                address &+= 1
            case .fork:
                if instruction.set >= 0
                    && program.sets.matchLength(Int(instruction.set), text, at: position) == 0
                {
                    address = Int(instruction.target)
                } else if isKnownToFail(address, position) {
                    succeeds = false
                } else {
                    frames.append(Frame(kind: .resume, address: instruction.target, position: position))
                    address &+= 1
                }
            case .lazyFork:
                if isKnownToFail(address, position) {
                    succeeds = false
                } else {
                    frames.append(Frame(kind: .resume, address: Int32(address &+ 1), position: position))
                    address = Int(instruction.target)
                }
            case .jump:
                address = Int(instruction.target)
            case .lookahead, .lookbehind, .atomic:
                succeeds = runInner(instruction, address, text, &position)
                address = Int(instruction.target)
            case .anchor:
                succeeds = holds(instruction.anchor, text, at: position)
                address &+= 1
            case .accept:
                frames.removeLast(frames.count &- base)
                return position
            }
            if !succeeds {
                guard let next = backtrack(to: base, text) else { return nil }
                (address, position) = next
            }
        }
    }

    /// The state of the newest frame above `base`; nil when there is none, or patience has run out.
    private mutating func backtrack(to base: Int, _ text: Span<UInt8>) -> (Int, Int)? {
        steps &+= 1
        if visited == nil && steps > Self.patience {
            frames.removeLast(frames.count &- base)
            return nil
        }
        while frames.count > base {
            let last = frames.count &- 1
            let frame = frames[last]
            switch frame.kind {
            case .resume:
                frames.removeLast()
                return (Int(frame.address), frame.position)
            case .shorten:
                let position = ScalarReader.start(ofScalarEndingAt: frame.position, text)
                if position > frame.limit { frames[last].position = position } else { frames.removeLast() }
                return (Int(frame.address), position)
            case .lengthen:
                let set = Int(program.instructions[Int(frame.address) &- 1].set)
                let length = program.sets.matchLength(set, text, at: frame.position)
                if length == 0 || frame.remaining == 0 {
                    frames.removeLast()
                    continue
                }
                frames[last].position = frame.position &+ length
                frames[last].remaining = frame.remaining &- 1
                return (Int(frame.address), frame.position &+ length)
            }
        }
        return nil
    }

    /// Takes what a run takes at first. False when it is too short.
    @inline(__always)
    private mutating func take(
        _ instruction: PatternProgram.Instruction, _ address: Int, _ text: Span<UInt8>, _ position: inout Int
    ) -> Bool {
        let set = Int(instruction.set)
        let most = instruction.greed == .lazy ? instruction.low : instruction.high
        var count: Int32 = 0
        var shortest = position
        while count < most {
            let length = program.sets.matchLength(set, text, at: position)
            if length == 0 { break }
            position &+= length
            count &+= 1
            if count == instruction.low { shortest = position }
        }
        guard count >= instruction.low else { return false }
        let next = Int32(truncatingIfNeeded: address &+ 1)
        if instruction.greed == .greedy && position > shortest {
            frames.append(Frame(kind: .shorten, address: next, position: position, limit: shortest))
        } else if instruction.greed == .lazy && instruction.high > instruction.low {
            frames.append(
                Frame(
                    kind: .lengthen, address: next, remaining: instruction.high &- instruction.low,
                    position: position))
        }
        return true
    }

    private mutating func isKnownToFail(_ address: Int, _ position: Int) -> Bool {
        guard visited != nil else { return false }
        return visited?.insert(State(address: address, position: position)).inserted == false
    }

    private mutating func runInner(
        _ instruction: PatternProgram.Instruction, _ address: Int, _ text: Span<UInt8>, _ position: inout Int
    ) -> Bool {
        var start = position
        if instruction.operation == .lookbehind {
            for _ in 0..<instruction.low {
                guard start > 0 else { return instruction.isNegated }
                start = ScalarReader.start(ofScalarEndingAt: start, text)
            }
        }
        let end = innerEnd(address, text, from: start)
        if visited == nil && steps > Self.patience { return false }
        if instruction.operation == .atomic {
            guard let end else { return false }
            position = end
            return true
        }
        return (end != nil) != instruction.isNegated
    }

    private mutating func innerEnd(_ address: Int, _ text: Span<UInt8>, from start: Int) -> Int? {
        guard let outer = visited else { return run(address &+ 1, text, from: start) }
        let state = State(address: address, position: start)
        if let known = inner[state] { return known < 0 ? nil : known }
        visited = []
        let end = run(address &+ 1, text, from: start)
        visited = outer
        inner[state] = end ?? -1
        return end
    }

    private func holds(_ anchor: PatternNode.Anchor, _ text: Span<UInt8>, at position: Int) -> Bool {
        switch anchor {
        case .textStart: position == 0
        case .textEnd: position == text.count
        case .textEndOrLastLineEnd:
            position == text.count || (position == text.count &- 1 && text[position] == 0x0A)
        // At the very end behind a line end, no line begins.
        case .lineStart: position == 0 || (text[position &- 1] == 0x0A && position < text.count)
        case .lineEnd: position == text.count || text[position] == 0x0A
        case .wordBoundary: isWord(text, before: position) != isWord(text, at: position)
        case .noWordBoundary: isWord(text, before: position) == isWord(text, at: position)
        }
    }

    private func isWord(_ text: Span<UInt8>, at position: Int) -> Bool {
        program.sets.matchLength(program.wordSet, text, at: position) > 0
    }

    private func isWord(_ text: Span<UInt8>, before position: Int) -> Bool {
        position > 0 && isWord(text, at: ScalarReader.start(ofScalarEndingAt: position, text))
    }
}
