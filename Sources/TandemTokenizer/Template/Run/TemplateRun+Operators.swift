// SPDX-License-Identifier: Apache-2.0

/// Arithmetic by Python's rules. Integers have 64 bits; what does not fit is an error.
extension TemplateRun {
    private func mismatch(
        _ operation: String, _ left: TemplateValue, _ right: TemplateValue
    ) -> TemplateError {
        if case .undefined(let value) = left { return failure(value.message) }
        if case .undefined(let value) = right { return failure(value.message) }
        return failure("'\(operation)' cannot be used with \(left.typeName) and \(right.typeName)")
    }

    private func checked(_ result: (partialValue: Int, overflow: Bool)) throws(TemplateError) -> TemplateValue
    {
        guard !result.overflow else { throw failure("an integer leaves the range of 64 bits") }
        return .integer(result.partialValue)
    }

    func compute(
        _ operation: BinaryOperator, _ left: TemplateValue, _ right: TemplateValue
    ) throws(TemplateError) -> TemplateValue {
        if case .undefined = left { throw mismatch(operation.rawValue, left, right) }
        if case .text(let format) = left, operation == .remainder {
            return .text(try formatted(format, with: right))
        }
        if case .undefined = right { throw mismatch(operation.rawValue, left, right) }
        if let first = left.index, let second = right.index {
            return try compute(operation, integers: first, second)
        }
        if let first = left.number, let second = right.number {
            return try compute(operation, floats: first, second)
        }
        switch (operation, left, right) {
        case (.add, .text(let first), .text(let second)): return .text(try join(first, second))
        case (.add, .list(let first), .list(let second)): return try list(first.items + second.items)
        case (.add, .tuple(let first), .tuple(let second)): return try tuple(first.items + second.items)
        case (.multiply, _, _):
            if let count = right.index { return try `repeat`(left, count) }
            if let count = left.index { return try `repeat`(right, count) }
        default: break
        }
        throw mismatch(operation.rawValue, left, right)
    }

    /// Two texts one after the other; what joins escaped text is escaped.
    func join(_ first: TemplateText, _ second: TemplateText) throws(TemplateError) -> TemplateText {
        let isMarkup = first.isMarkup || second.isMarkup
        let left = isMarkup ? try escaped(first) : first
        let right = isMarkup ? try escaped(second) : second
        try charge(left.count + right.count)
        return TemplateText(units: left.units + right.units, isMarkup: isMarkup)
    }

    private func `repeat`(_ value: TemplateValue, _ count: Int) throws(TemplateError) -> TemplateValue {
        func repeated<Element>(_ items: [Element]) throws(TemplateError) -> [Element] {
            guard count > 0, !items.isEmpty else { return [] }
            let (total, overflow) = items.count.multipliedReportingOverflow(by: count)
            try charge(overflow ? Int.max : total)
            return Array(repeatElement(items, count: count).joined())
        }
        switch value {
        case .text(let text): return .text(text.with(try repeated(text.units)))
        case .list(let list): return .list(ItemList(try repeated(list.items)))
        case .tuple(let list): return .tuple(ItemList(try repeated(list.items)))
        default: throw mismatch("*", value, .integer(count))
        }
    }

    private func compute(
        _ operation: BinaryOperator, integers first: Int, _ second: Int
    ) throws(TemplateError) -> TemplateValue {
        switch operation {
        case .add: return try checked(first.addingReportingOverflow(second))
        case .subtract: return try checked(first.subtractingReportingOverflow(second))
        case .multiply: return try checked(first.multipliedReportingOverflow(by: second))
        case .divide:
            guard second != 0 else { throw failure("division by zero") }
            return .float(Double(first) / Double(second))
        case .floorDivide, .remainder:
            guard second != 0 else { throw failure("division by zero") }
            let (quotient, overflow) = first.dividedReportingOverflow(by: second)
            guard !overflow else { throw failure("an integer leaves the range of 64 bits") }
            let rest = first - quotient * second
            let isRounded = rest != 0 && (rest < 0) != (second < 0)
            if operation == .floorDivide { return .integer(isRounded ? quotient - 1 : quotient) }
            return .integer(isRounded ? rest + second : rest)
        case .power:
            if second < 0 {
                guard first != 0 else { throw failure("zero cannot be raised to a negative power") }
                return .float(Self.power(Double(first), Double(second)))
            }
            return try integerPower(first, second)
        }
    }

    private func integerPower(_ base: Int, _ exponent: Int) throws(TemplateError) -> TemplateValue {
        if base == 0 || base == 1 { return .integer(exponent == 0 ? 1 : base) }
        if base == -1 { return .integer(exponent % 2 == 0 ? 1 : -1) }
        guard exponent < 64 else { throw failure("an integer leaves the range of 64 bits") }
        var result = TemplateValue.integer(1)
        for _ in 0..<exponent {
            result = try checked((result.index ?? 0).multipliedReportingOverflow(by: base))
        }
        return result
    }

    private func compute(
        _ operation: BinaryOperator, floats first: Double, _ second: Double
    ) throws(TemplateError) -> TemplateValue {
        switch operation {
        case .add: return .float(first + second)
        case .subtract: return .float(first - second)
        case .multiply: return .float(first * second)
        case .power:
            if first == 0, second < 0 { throw failure("zero cannot be raised to a negative power") }
            let result = Self.power(first, second)
            guard !result.isNaN || first.isNaN || second.isNaN else {
                throw failure("the power is a complex number")
            }
            guard result.isFinite || !first.isFinite || !second.isFinite else {
                throw failure("the power leaves the range of floating-point numbers")
            }
            return .float(result)
        default: break
        }
        guard second != 0 else { throw failure("division by zero") }
        if operation == .divide { return .float(first / second) }
        var rest = first.truncatingRemainder(dividingBy: second)
        var quotient = (first - rest) / second
        if rest != 0 {
            if (second < 0) != (rest < 0) {
                rest += second
                quotient -= 1
            }
        } else {
            rest = second < 0 ? -0.0 : 0.0
        }
        if operation == .remainder { return .float(rest) }
        var floor = quotient.rounded(.down)
        if quotient - floor > 0.5 { floor += 1 }
        return .float(quotient == 0 ? (first / second < 0 ? -0.0 : 0.0) : floor)
    }

    func negate(_ value: TemplateValue) throws(TemplateError) -> TemplateValue {
        if let number = value.index { return try checked((0 as Int).subtractingReportingOverflow(number)) }
        if case .float(let number) = value { return .float(-number) }
        if case .undefined(let value) = value { throw failure(value.message) }
        throw failure("'-' cannot be used with \(value.typeName)")
    }

    func plus(_ value: TemplateValue) throws(TemplateError) -> TemplateValue {
        if let number = value.index { return .integer(number) }
        if case .float = value { return value }
        if case .undefined(let value) = value { throw failure(value.message) }
        throw failure("'+' cannot be used with \(value.typeName)")
    }
}
