// SPDX-License-Identifier: Apache-2.0

internal import TandemJSON

/// Numbers in decimal digits.
enum NumberText {
    static let digit = ScalarSet([0x30...0x39])
    private static let nonzero = ScalarSet([0x31...0x39])
    /// Integers have at most so many digits where no bound asks for more.
    static let integerDigits = 18
    /// Digits that a `Double` always tells apart.
    static let exactDigits = 15

    static func digits(_ least: Int, _ most: Int) -> Expression {
        .repeated(.scalar(digit), least: least, most: most)
    }

    /// Any number: at most 15 digits before and after the point, and a two-digit exponent.
    static var any: Expression {
        let whole = Expression.choice([
            .text("0"), .sequence([.scalar(nonzero), digits(0, exactDigits - 1)]),
        ])
        let fraction = Expression.sequence([.text("."), digits(1, exactDigits)])
        let exponent = Expression.sequence([
            .scalar(ScalarSet(of: "eE")), .optional(.scalar(ScalarSet(of: "+-"))), digits(1, 2),
        ])
        return .sequence([.optional(.text("-")), whole, .optional(fraction), .optional(exponent)])
    }

    // MARK: - Whole numbers

    /// The integers of a range; without a bound those of at most 18 digits.
    static func integer(from least: Int64?, to most: Int64?) -> Expression {
        let usual: Int64 = 999_999_999_999_999_999
        let low = least ?? (most ?? 0 < -usual ? Int64.min : -usual)
        let high = most ?? (low > usual ? Int64.max : usual)
        guard low <= high else { return .nothing }
        var parts: [Expression] = []
        if low < 0 {
            let nearest: UInt64 = high < 0 ? high.magnitude : 1
            parts.append(.sequence([.text("-"), whole(nearest, low.magnitude)]))
        }
        if high >= 0 { parts.append(whole(low > 0 ? low.magnitude : 0, high.magnitude)) }
        return .choice(parts)
    }

    /// The numbers `low ... high` without leading zeros.
    static func whole(_ low: UInt64, _ high: UInt64) -> Expression {
        let first = decimal(low)
        let last = decimal(high)
        var parts: [Expression] = []
        for count in first.count...last.count {
            let start = count == first.count ? first : [1] + [UInt8](repeating: 0, count: count - 1)
            let end = count == last.count ? last : [UInt8](repeating: 9, count: count)
            parts.append(between(start[...], end[...]))
        }
        return .choice(parts)
    }

    static func decimal(_ value: UInt64) -> [UInt8] { String(value).utf8.map { $0 - 0x30 } }

    /// Strings of digits of one length from `low` to `high`.
    private static func between(_ low: ArraySlice<UInt8>, _ high: ArraySlice<UInt8>) -> Expression {
        guard let first = low.first, let last = high.first else { return .empty }
        let rest = low.count - 1
        if low.allSatisfy({ $0 == 0 }) && high.allSatisfy({ $0 == 9 }) { return digits(low.count, low.count) }
        if first == last {
            return .sequence([one(first, first), between(low.dropFirst(), high.dropFirst())])
        }
        let zeros = [UInt8](repeating: 0, count: rest)
        let nines = [UInt8](repeating: 9, count: rest)
        var parts = [Expression.sequence([one(first, first), between(low.dropFirst(), nines[...])])]
        if first + 1 < last { parts.append(.sequence([one(first + 1, last - 1), digits(rest, rest)])) }
        parts.append(.sequence([one(last, last), between(zeros[...], high.dropFirst())]))
        return .choice(parts)
    }

    /// A digit of a range.
    static func one(_ low: UInt8, _ high: UInt8) -> Expression {
        .scalar(ScalarSet([UInt32(low) + 0x30...UInt32(high) + 0x30]))
    }
}
