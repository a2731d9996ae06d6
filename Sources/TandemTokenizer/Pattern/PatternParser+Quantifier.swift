// SPDX-License-Identifier: Apache-2.0

extension PatternParser {
    /// `part` with the quantifiers behind it.
    mutating func quantified(_ part: PatternNode) throws(PatternError) -> PatternNode {
        var node = part
        var count = 0
        while let (minimum, maximum, isInterval) = try quantifier() {
            count += 1
            guard count <= 8 else { throw PatternError("has more than 8 quantifiers in a row") }
            if case .anchor = node { throw PatternError("repeats an anchor") }
            var greed = PatternNode.Greed.greedy
            if take("?") {
                if isInterval && minimum == maximum {
                    // A fixed interval cannot be lazy: the question mark makes it optional.
                    node = try repeated(node, minimum, maximum, .greedy)
                    node = try repeated(node, 0, 1, .greedy)
                    continue
                }
                greed = .lazy
            } else if !isInterval && take("+") {
                // After an interval, `+` repeats again; after the others it is possessive.
                greed = .possessive
            }
            node = try repeated(node, minimum, maximum, greed)
        }
        return node
    }

    private func repeated(
        _ node: PatternNode, _ minimum: Int, _ maximum: Int?, _ greed: PatternNode.Greed
    ) throws(PatternError) -> PatternNode {
        if node == .empty { return node }
        if greed == .greedy, let merged = merged(node, minimum, maximum) { return merged }
        if maximum == nil && node.canBeEmpty {
            throw PatternError("repeats without end something that can be empty")
        }
        return .repeated(node, minimum: minimum, maximum: maximum, greed)
    }

    /// A repetition of a repetition of one scalar, such as `\p{N}{1,3}+`, as a single one.
    private func merged(_ node: PatternNode, _ minimum: Int, _ maximum: Int?) -> PatternNode? {
        guard case .repeated(.set(let set), let inner, let most, .greedy) = node, inner <= 1, maximum == nil,
            most != 0, minimum <= 1
        else { return nil }
        return .repeated(.set(set), minimum: inner * minimum, maximum: nil, .greedy)
    }

    /// The next quantifier, or nil when none stands here.
    private mutating func quantifier() throws(PatternError) -> (
        minimum: Int, maximum: Int?, isInterval: Bool
    )? {
        switch next {
        case "*":
            offset += 1
            return (0, nil, false)
        case "+":
            offset += 1
            return (1, nil, false)
        case "?":
            offset += 1
            return (0, 1, false)
        case "{": return try interval()
        default: return nil
        }
    }

    /// `{n}`, `{n,}`, `{,m}` or `{n,m}`; anything else is text.
    private mutating func interval() throws(PatternError) -> (minimum: Int, maximum: Int?, isInterval: Bool)?
    {
        let start = offset
        offset += 1
        let low = number()
        var high = low
        if take(",") {
            high = number()
            if low == nil && high == nil {
                offset = start
                return nil
            }
        }
        guard low != nil || high != nil, take("}") else {
            offset = start
            return nil
        }
        let hasComma = scalars[start..<offset].contains(",")
        let minimum = low ?? 0
        guard minimum <= Self.maximumRepetition, high ?? 0 <= Self.maximumRepetition else {
            throw PatternError("repeats more than \(Self.maximumRepetition) times")
        }
        if let high, high < minimum { throw PatternError("has an interval that ends before it begins") }
        return (minimum, hasComma ? high : minimum, true)
    }

    private mutating func number() -> Int? {
        var value: Int?
        while let scalar = next, ("0"..."9").contains(scalar) {
            value = min((value ?? 0) * 10 + Int(scalar.value - 0x30), 1 << 20)
            offset += 1
        }
        return value
    }
}
