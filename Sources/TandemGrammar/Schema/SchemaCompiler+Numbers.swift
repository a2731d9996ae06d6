// SPDX-License-Identifier: Apache-2.0

internal import TandemJSON

extension SchemaCompiler {
    /// Integers, exactly those within the bounds.
    func integer(_ facts: SchemaFacts) throws(GrammarError) -> Expression {
        let least = try facts.minimum.map { (bound) throws(GrammarError) in
            try whole(bound, "minimum", facts, isMinimum: true)
        }
        let most = try facts.maximum.map { (bound) throws(GrammarError) in
            try whole(bound, "maximum", facts, isMinimum: false)
        }
        if let least, let most, least > most { return .nothing }
        return NumberText.integer(from: least, to: most)
    }

    /// The outermost integer within a bound.
    private func whole(_ bound: NumberBound, _ keyword: String, _ facts: SchemaFacts, isMinimum: Bool)
        throws(GrammarError) -> Int64
    {
        let tooFar = GrammarError.unsupportedSchema(
            pointer: JSONPointer.child(facts.pointer, keyword), problem: "the bound does not fit 64 bits")
        switch bound.value {
        case .integer(let value):
            guard bound.isExclusive else { return value }
            let (next, overflow) =
                isMinimum ? value.addingReportingOverflow(1) : value.subtractingReportingOverflow(1)
            if overflow { throw tooFar }
            return next
        default:
            // Not whole: it makes no difference whether the bound itself is in.
            guard let value = Int64(exactly: bound.double.rounded(isMinimum ? .up : .down)) else {
                throw tooFar
            }
            return value
        }
    }

    /// Decimal numbers, exactly those within the bounds; with a bound they have no exponent.
    func number(_ facts: SchemaFacts) throws(GrammarError) -> Expression {
        guard facts.minimum != nil || facts.maximum != nil else { return NumberText.any }
        let low = try facts.minimum.map { (bound) throws(GrammarError) in
            try DecimalBound(bound, JSONPointer.child(facts.pointer, "minimum"))
        }
        let high = try facts.maximum.map { (bound) throws(GrammarError) in
            try DecimalBound(bound, JSONPointer.child(facts.pointer, "maximum"))
        }
        var parts: [Expression] = []
        let zero = DecimalBound(isExclusive: false)
        // From 0 up.
        if high.map({ !$0.isNegative || $0.isZero }) ?? true {
            let start = low.map { $0.isNegative ? zero : $0 } ?? zero
            parts.append(magnitudes(from: start, to: high))
        }
        // Below 0.
        if low.map({ $0.isNegative }) ?? true {
            var start = DecimalBound(isExclusive: true)
            if let high, high.isNegative { start = high }
            parts.append(.sequence([.text("-"), magnitudes(from: start, to: low)]))
        }
        return .choice(parts)
    }

    /// Numbers without sign whose magnitude lies between those of two bounds.
    private func magnitudes(from low: DecimalBound, to high: DecimalBound?) -> Expression {
        let limit: UInt64 = 999_999_999_999_999
        let lowEnd = FractionText.End(digits: low.fraction, isExclusive: low.isExclusive)
        let highEnd = high.map { FractionText.End(digits: $0.fraction, isExclusive: $0.isExclusive) }
        let last = high?.whole ?? limit
        guard low.whole <= last else { return .nothing }
        func near(_ whole: UInt64, _ low: FractionText.End?, _ high: FractionText.End?) -> Expression {
            let text = String(whole)
            let room = NumberText.exactDigits - text.utf8.count
            return .sequence([.text(text), FractionText.fraction(low: low, high: high, room: room)])
        }
        if low.whole == last { return near(last, lowEnd, highEnd) }
        var parts = [near(low.whole, lowEnd, nil)]
        let end = highEnd == nil ? last : last - 1
        if low.whole < end {
            let fraction = Expression.sequence([.text("."), NumberText.digits(1, NumberText.exactDigits)])
            parts.append(.sequence([NumberText.whole(low.whole + 1, end), .optional(fraction)]))
        }
        if let highEnd { parts.append(near(last, nil, highEnd)) }
        return .choice(parts)
    }
}

/// A bound as decimal digits.
struct DecimalBound {
    var isNegative = false
    var whole: UInt64 = 0
    /// Digits after the point, without zeros at the end.
    var fraction: [UInt8] = []
    var isExclusive: Bool

    var isZero: Bool { whole == 0 && fraction.isEmpty }

    init(isExclusive: Bool) { self.isExclusive = isExclusive }

    init(_ bound: NumberBound, _ pointer: String) throws(GrammarError) {
        isExclusive = bound.isExclusive
        let text: String
        switch bound.value {
        case .integer(let value): text = String(value)
        default: text = bound.double.description
        }
        // d.dde±x as digits and the place of the point.
        var digits: [UInt8] = []
        var point = 0
        var exponent = 0
        var hasPoint = false
        var rest = Substring(text)
        if rest.first == "-" {
            isNegative = true
            rest.removeFirst()
        }
        while let next = rest.popFirst() {
            if next == "." {
                hasPoint = true
            } else if next == "e" {
                exponent = Int(rest) ?? 0
                break
            } else if let digit = next.wholeNumberValue {
                digits.append(UInt8(digit))
                if !hasPoint { point += 1 }
            }
        }
        point += exponent
        while digits.last == 0 && digits.count > max(point, 0) { digits.removeLast() }
        let problem = GrammarError.unsupportedSchema(
            pointer: pointer,
            problem: "bounds of numbers that are not integers must have at most \(NumberText.exactDigits - 1)"
                + " digits, counted from the point or the first digit before it")
        guard point <= NumberText.exactDigits - 1, point > -NumberText.exactDigits else { throw problem }
        if point > 0 {
            while digits.count < point { digits.append(0) }
            for digit in digits[..<point] { whole = whole * 10 + UInt64(digit) }
            fraction = Array(digits[point...])
        } else {
            fraction = digits.isEmpty ? [] : [UInt8](repeating: 0, count: -point) + digits
        }
        while fraction.last == 0 { fraction.removeLast() }
        guard fraction.count + String(whole).utf8.count <= NumberText.exactDigits - 1 else { throw problem }
        if isZero { isNegative = false }
    }
}
