// SPDX-License-Identifier: Apache-2.0

/// A random grammar, its GBNF, and a matcher for clarity: lists of what is still to be matched, one scalar at a time.
struct NaiveGrammar {
    indirect enum Node: Sendable {
        case scalars([Unicode.Scalar])
        case sequence([Node])
        case choice([Node])
        case loop(Node, least: Int, most: Int?)
        case rule(Int)
    }

    static let alphabet: [Unicode.Scalar] = ["a", "b", "\"", "é", "è", "中", "丁", "😀", "😁"]

    var rules: [Node] = []

    /// Rules refer to later ones anywhere, and to all of them behind a character.
    init(_ random: inout TestRandom) {
        let count = 1 + random.below(4)
        for index in 0..<count { rules.append(Self.node(&random, depth: 3, rule: index, count)) }
    }

    private static func node(_ random: inout TestRandom, depth: Int, rule: Int, _ count: Int) -> Node {
        switch depth == 0 ? random.below(2) : random.below(7) {
        case 0, 1:
            return .scalars((0...random.below(3)).map { _ in random.pick(alphabet) })
        case 2:
            return .sequence(
                (0..<random.below(4)).map { _ in node(&random, depth: depth - 1, rule: rule, count) })
        case 3:
            return .choice(
                (0...random.below(3)).map { _ in node(&random, depth: depth - 1, rule: rule, count) })
        case 4:
            let least = random.below(3)
            return .loop(
                node(&random, depth: depth - 1, rule: rule, count), least: least,
                most: random.chance(50) ? nil : least + random.below(3))
        case 5:
            return rule + 1 < count ? .rule(rule + 1 + random.below(count - rule - 1)) : .scalars(["b"])
        default:
            return .choice([
                .sequence([.scalars([random.pick(alphabet)]), .rule(random.below(count))]), .scalars(["a"]),
            ])
        }
    }

    // MARK: - As text

    var gbnf: String {
        rules.indices.map { "\($0 == 0 ? "root" : "r\($0)") ::= \(Self.text(rules[$0]))" }.joined(
            separator: "\n")
    }

    private static func text(_ node: Node) -> String {
        switch node {
        case .scalars(let set):
            return set.count == 1 && set[0] != "\"" ? "\"\(set[0])\"" : "[\(set.map { String($0) }.joined())]"
        case .sequence(let parts):
            return parts.isEmpty ? "\"\"" : parts.map { "(\(text($0)))" }.joined(separator: " ")
        case .choice(let parts): return parts.map { "(\(text($0)))" }.joined(separator: " | ")
        case .loop(let part, let least, let most):
            return "(\(text(part))){\(least),\(most.map(String.init) ?? "")}"
        case .rule(let index): return index == 0 ? "root" : "r\(index)"
        }
    }

    // MARK: - Matching

    /// What remains to be matched, the next first.
    typealias Rest = [Node]

    var start: [Rest] { [[.rule(0)]] }

    /// The rests once their first part is a set of scalars; also the empty rest, where nothing need follow.
    private func expanded(_ rest: Rest) -> [Rest] {
        guard let first = rest.first else { return [[]] }
        let others = Array(rest.dropFirst())
        switch first {
        case .scalars, .rule(-1):
            return [rest]
        case .sequence(let parts):
            return expanded(parts + others)
        case .choice(let parts):
            return parts.flatMap { expanded([$0] + others) }
        case .rule(let index):
            return expanded([rules[index]] + others)
        case .loop(let part, let least, let most):
            if most == 0 { return expanded(others) }
            let again = Node.loop(part, least: max(least - 1, 0), most: most.map { $0 - 1 })
            var all = least == 0 ? expanded(others) : []
            // A part that matches nothing need not be tried again and again.
            if canBeEmpty(part, 8) { all += expanded(others) }
            for rest in expanded([part, Self.mark]) {
                if case .rule(-1)? = rest.first { continue }
                let inside = rest.prefix { if case .rule(-1) = $0 { false } else { true } }
                all.append(Array(inside) + [again] + others)
            }
            return all
        }
    }

    /// Stands for the end of a loop's part.
    private static let mark = Node.rule(-1)

    private func canBeEmpty(_ node: Node, _ depth: Int) -> Bool {
        switch node {
        case .scalars: false
        case .sequence(let parts): parts.allSatisfy { canBeEmpty($0, depth) }
        case .choice(let parts): parts.contains { canBeEmpty($0, depth) }
        case .loop(let part, let least, let most): least == 0 || most == 0 || canBeEmpty(part, depth)
        case .rule(let index): index < 0 || depth > 0 && canBeEmpty(rules[index], depth - 1)
        }
    }

    /// The rests after a scalar.
    func after(_ scalar: Unicode.Scalar, _ rests: [Rest]) -> [Rest] {
        var seen: Set<String> = []
        return rests.flatMap { expanded($0) }.compactMap { rest -> Rest? in
            guard case .scalars(let set)? = rest.first, set.contains(scalar) else { return nil }
            let next = Array(rest.dropFirst())
            return seen.insert("\(next)").inserted ? next : nil
        }
    }

    func mayEnd(_ rests: [Rest]) -> Bool {
        rests.contains { expanded($0).contains { $0.isEmpty } }
    }

    /// Whether bytes may follow; they may end within a character.
    func mayFollow(_ bytes: [UInt8], _ rests: [Rest], pending: [UInt8]) -> Bool {
        var bytes = pending + bytes
        var rests = rests
        while !bytes.isEmpty {
            let whole = Self.alphabet.first { bytes.starts(with: UTF8.encode($0) ?? .init()) }
            guard let whole else {
                return Self.alphabet.contains { scalar in
                    (UTF8.encode(scalar) ?? .init()).starts(with: bytes) && !after(scalar, rests).isEmpty
                }
            }
            rests = after(whole, rests)
            if rests.isEmpty { return false }
            bytes.removeFirst(UTF8.encode(whole)?.count ?? 1)
        }
        return true
    }
}
