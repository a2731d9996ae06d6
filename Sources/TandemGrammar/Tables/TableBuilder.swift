// SPDX-License-Identifier: Apache-2.0

/// Turns the expressions of rules into sequences of elements. Groups and repeated parts become rules of their own.
struct TableBuilder {
    /// The alternatives of every rule.
    private(set) var rules: [[[GrammarElement]]]
    private(set) var sets: [ByteSet] = []
    private(set) var elementCount = 0
    private var names: [String]
    private var placeOfSet: [ByteSet: Int32] = [:]
    private var ruleOfScalars: [ScalarSet: Int32] = [:]
    /// Whose parts are being added.
    private var name = ""

    init(_ source: RuleSet) {
        names = source.names
        rules = Array(repeating: [], count: source.bodies.count)
        for (index, body) in source.bodies.enumerated() {
            name = source.names[index]
            rules[index] = alternatives(of: body)
        }
    }

    private mutating func alternatives(of expression: Expression) -> [[GrammarElement]] {
        switch expression {
        case .choice(let parts):
            var all: [[GrammarElement]] = []
            for part in parts { all.append(contentsOf: alternatives(of: part)) }
            return all
        case .scalar(let set):
            return set.utf8Sequences.map { sequence in sequence.map { byte($0) } }
        default:
            return [elements(of: expression)]
        }
    }

    private mutating func elements(of expression: Expression) -> [GrammarElement] {
        switch expression {
        case .bytes(let bytes):
            return bytes.map { byte(ByteSet($0...$0)) }
        case .scalar(let set):
            let sequences = set.utf8Sequences
            if sequences.count == 1, sequences[0].count == 1 { return [byte(sequences[0][0])] }
            return [call(.call, rule(of: expression))]
        case .sequence(let parts):
            var all: [GrammarElement] = []
            for part in parts { all.append(contentsOf: elements(of: part)) }
            return all
        case .choice(let parts):
            if parts.count == 1 { return elements(of: parts[0]) }
            return [call(.call, rule(of: expression))]
        case .repeated(let part, let least, let most):
            if most == 0 { return [] }
            if least == 1 && most == 1 { return elements(of: part) }
            var element = call(.loop, rule(of: part))
            element.least = Int32(clamping: least)
            element.most = most.map { Int32(clamping: $0) } ?? -1
            return [element]
        case .rule(let index):
            return [call(.call, Int32(index))]
        }
    }

    private mutating func byte(_ set: ByteSet) -> GrammarElement {
        elementCount += 1
        if let place = placeOfSet[set] { return GrammarElement(kind: .byte, index: place) }
        let place = Int32(sets.count)
        sets.append(set)
        placeOfSet[set] = place
        return GrammarElement(kind: .byte, index: place)
    }

    private mutating func call(_ kind: GrammarElement.Kind, _ rule: Int32) -> GrammarElement {
        elementCount += 1
        return GrammarElement(kind: kind, index: rule)
    }

    /// A rule that matches `expression`; the same one for the same set of scalars.
    private mutating func rule(of expression: Expression) -> Int32 {
        switch expression {
        case .rule(let index):
            return Int32(index)
        case .scalar(let set):
            if let known = ruleOfScalars[set] { return known }
            let index = newRule(expression)
            ruleOfScalars[set] = index
            return index
        default:
            return newRule(expression)
        }
    }

    private mutating func newRule(_ expression: Expression) -> Int32 {
        let index = rules.count
        elementCount += 1
        rules.append([])
        names.append(name)
        let body = alternatives(of: expression)
        rules[index] = body
        return Int32(index)
    }
}

// MARK: - Properties of rules

extension TableBuilder {
    private enum Need {
        case nothing, never
        case rule(Int)
    }

    /// Removes alternatives that match no finite text, and loops whose body does not.
    mutating func prune() {
        let productive = rulesMet { element in
            switch element.kind {
            case .call: .rule(Int(element.index))
            case .loop: element.least > 0 ? .rule(Int(element.index)) : .nothing
            case .byte, .end: .nothing
            }
        }
        guard productive.contains(false) else { return }
        for index in rules.indices {
            rules[index].removeAll { alternative in
                alternative.contains {
                    ($0.kind == .call || $0.kind == .loop && $0.least > 0) && !productive[Int($0.index)]
                }
            }
            for place in rules[index].indices {
                rules[index][place].removeAll { $0.kind == .loop && !productive[Int($0.index)] }
            }
        }
    }

    /// Whether each rule matches the empty text.
    func nullableRules() -> [Bool] {
        rulesMet { element in
            switch element.kind {
            case .byte: .never
            case .call: .rule(Int(element.index))
            case .loop: element.least > 0 ? .rule(Int(element.index)) : .nothing
            case .end: .nothing
            }
        }
    }

    /// The rules with an alternative all of whose needs are met; a need is met at once, never, or with its rule.
    private func rulesMet(_ need: (GrammarElement) -> Need) -> [Bool] {
        var isMet = [Bool](repeating: false, count: rules.count)
        /// For every rule, the alternatives that wait for it, once for each need.
        var waiting: [[Int]] = Array(repeating: [], count: rules.count)
        var open: [(rule: Int, needs: Int)] = []
        var news: [Int] = []
        for (rule, alternatives) in rules.enumerated() {
            for alternative in alternatives {
                var needs = 0
                for element in alternative {
                    switch need(element) {
                    case .nothing: break
                    case .never: needs = Int.max
                    case .rule(let other) where needs < Int.max:
                        needs += 1
                        waiting[other].append(open.count)
                    case .rule: break
                    }
                    if needs == Int.max { break }
                }
                open.append((rule, needs))
                if needs == 0 { news.append(rule) }
            }
        }
        while let rule = news.popLast() {
            if isMet[rule] { continue }
            isMet[rule] = true
            for place in waiting[rule] where open[place].needs < Int.max {
                open[place].needs -= 1
                if open[place].needs == 0 { news.append(open[place].rule) }
            }
        }
        return isMet
    }

    /// The names along a cycle of rules that can begin with each other; nil when there is none.
    func leftRecursion() -> [String]? {
        let nullable = nullableRules()
        let firsts = rules.map { alternatives in
            var rules: [Int] = []
            for alternative in alternatives {
                for element in alternative {
                    guard element.kind == .call || element.kind == .loop else { break }
                    rules.append(Int(element.index))
                    let canBeEmpty = element.kind == .loop && element.least == 0
                    if !canBeEmpty && !nullable[Int(element.index)] { break }
                }
            }
            return rules
        }
        var isDone = [Bool](repeating: false, count: rules.count)
        var placeOnPath = [Int](repeating: -1, count: rules.count)
        for start in rules.indices where !isDone[start] {
            var path = [(rule: start, next: 0)]
            placeOnPath[start] = 0
            while let (rule, next) = path.last {
                guard next < firsts[rule].count else {
                    isDone[rule] = true
                    placeOnPath[rule] = -1
                    path.removeLast()
                    continue
                }
                path[path.count - 1].next += 1
                let other = firsts[rule][next]
                if placeOnPath[other] >= 0 {
                    return cycle(path[placeOnPath[other]...].map(\.rule) + [other])
                }
                if !isDone[other] {
                    placeOnPath[other] = path.count
                    path.append((other, 0))
                }
            }
        }
        return nil
    }

    /// Names of rules; the parts of a rule go by its own.
    private func cycle(_ path: [Int]) -> [String] {
        var result: [String] = []
        for rule in path where result.last != names[rule] { result.append(names[rule]) }
        return result.count == 1 ? [result[0], result[0]] : result
    }
}
