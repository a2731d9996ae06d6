// SPDX-License-Identifier: Apache-2.0

/// Digits after a decimal point, bounded. Bounds come without zeros at their end.
enum FractionText {
    /// A bound's digits after the point.
    struct End {
        var digits: [UInt8]
        var isExclusive: Bool
    }

    /// Nothing, or a point and at most `room` digits, so that the fraction is at least `low` and at most `high`.
    static func fraction(low: End?, high: End?, room: Int) -> Expression {
        var parts: [Expression] = []
        let reachesLow = low.map { $0.digits.isEmpty && !$0.isExclusive } ?? true
        let reachesHigh = high.map { !($0.digits.isEmpty && $0.isExclusive) } ?? true
        if reachesLow && reachesHigh { parts.append(.empty) }
        let digits: Expression
        switch (low, high) {
        case (nil, nil): digits = NumberText.digits(1, room)
        case (let low?, nil): digits = above(low.digits[...], low.isExclusive, room, mayEnd: false)
        case (nil, let high?): digits = below(high.digits[...], high.isExclusive, room, mayEnd: false)
        case (let low?, let high?):
            digits = between(low, low.digits[...], high, high.digits[...], room, mayEnd: false)
        }
        if room > 0 { parts.append(.sequence([.text("."), digits])) }
        return .choice(parts)
    }

    /// Digits of a fraction that is at least `low`. `mayEnd`: they may be none.
    private static func above(_ low: ArraySlice<UInt8>, _ isExclusive: Bool, _ room: Int, mayEnd: Bool)
        -> Expression
    {
        guard let first = low.first else {
            return isExclusive ? positive(room) : least(mayEnd ? 0 : 1, room)
        }
        guard room > 0 else { return .nothing }
        var parts: [Expression] = []
        if first < 9 { parts.append(.sequence([NumberText.one(first + 1, 9), least(0, room - 1)])) }
        parts.append(
            .sequence([
                NumberText.one(first, first), above(low.dropFirst(), isExclusive, room - 1, mayEnd: true),
            ]))
        return .choice(parts)
    }

    /// Digits of a fraction that is at most `high`.
    private static func below(_ high: ArraySlice<UInt8>, _ isExclusive: Bool, _ room: Int, mayEnd: Bool)
        -> Expression
    {
        guard let first = high.first else {
            if isExclusive || room == 0 { return isExclusive || !mayEnd ? .nothing : .empty }
            return .repeated(NumberText.one(0, 0), least: mayEnd ? 0 : 1, most: room)
        }
        var parts: [Expression] = mayEnd ? [.empty] : []
        if room > 0 {
            if first > 0 { parts.append(.sequence([NumberText.one(0, first - 1), least(0, room - 1)])) }
            parts.append(
                .sequence([
                    NumberText.one(first, first),
                    below(high.dropFirst(), isExclusive, room - 1, mayEnd: true),
                ]))
        }
        return .choice(parts)
    }

    /// Digits of a fraction from `low` to `high`, which agree in all digits before.
    private static func between(
        _ lowEnd: End, _ low: ArraySlice<UInt8>, _ highEnd: End, _ high: ArraySlice<UInt8>, _ room: Int,
        mayEnd: Bool
    ) -> Expression {
        if low.isEmpty && high.isEmpty {
            // Both ends are one number.
            if lowEnd.isExclusive || highEnd.isExclusive || room == 0 && !mayEnd { return .nothing }
            return room == 0 ? .empty : .repeated(NumberText.one(0, 0), least: mayEnd ? 0 : 1, most: room)
        }
        let first = low.first ?? 0
        let last = high.first ?? 0
        guard first <= last else { return .nothing }
        var parts: [Expression] = []
        if mayEnd && low.isEmpty && !lowEnd.isExclusive { parts.append(.empty) }
        guard room > 0 else { return .choice(parts) }
        if first == last {
            parts.append(
                .sequence([
                    NumberText.one(first, first),
                    between(lowEnd, low.dropFirst(), highEnd, high.dropFirst(), room - 1, mayEnd: true),
                ]))
        } else {
            parts.append(
                .sequence([
                    NumberText.one(first, first),
                    above(low.dropFirst(), lowEnd.isExclusive, room - 1, mayEnd: true),
                ]))
            if first + 1 < last {
                parts.append(.sequence([NumberText.one(first + 1, last - 1), least(0, room - 1)]))
            }
            parts.append(
                .sequence([
                    NumberText.one(last, last),
                    below(high.dropFirst(), highEnd.isExclusive, room - 1, mayEnd: true),
                ]))
        }
        return .choice(parts)
    }

    private static func least(_ count: Int, _ room: Int) -> Expression {
        room < count ? .nothing : NumberText.digits(count, room)
    }

    /// At most `room` digits that are not all zero.
    private static func positive(_ room: Int) -> Expression {
        guard room > 0 else { return .nothing }
        return .choice([
            .sequence([NumberText.one(1, 9), least(0, room - 1)]),
            .sequence([NumberText.one(0, 0), positive(room - 1)]),
        ])
    }
}
