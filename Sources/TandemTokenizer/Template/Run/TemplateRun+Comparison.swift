// SPDX-License-Identifier: Apache-2.0

/// Equality, order and membership by Python's rules.
extension TemplateRun {
    func compare(
        _ operation: Comparison, _ left: TemplateValue, _ right: TemplateValue
    ) throws(TemplateError) -> Bool {
        switch operation {
        case .equal: return try equal(left, right)
        case .notEqual: return try !equal(left, right)
        case .less: return try precedes(left, right, operation)
        case .greater: return try precedes(right, left, operation)
        case .lessOrEqual: return try precedes(left, right, orEqual: true, operation)
        case .greaterOrEqual: return try precedes(right, left, orEqual: true, operation)
        case .isIn: return try contains(right, left)
        case .isNotIn: return try !contains(right, left)
        }
    }

    func equal(_ left: TemplateValue, _ right: TemplateValue) throws(TemplateError) -> Bool {
        switch (left, right) {
        case (.undefined, .undefined), (.none, .none): return true
        case (.text(let first), .text(let second)):
            try charge(first.count == second.count ? first.count / 16 : 0)
            return first == second
        case (.list(let first), .list(let second)), (.tuple(let first), .tuple(let second)):
            return try equal(first.items, second.items)
        case (.dictionary(let first), .dictionary(let second)):
            guard first.entries.count == second.entries.count else { return false }
            for entry in first.entries {
                guard let other = second[entry.key], try equal(entry.value, other) else { return false }
            }
            return true
        case (.range(let first), .range(let second)):
            if first.count != second.count { return false }
            return first.count == 0
                || first.start == second.start && (first.count == 1 || first.step == second.step)
        case (.namespace(let first), .namespace(let second)): return first === second
        case (.generator(let first), .generator(let second)): return first === second
        case (.loop(let first), .loop(let second)): return first === second
        default:
            if let first = left.index, let second = right.index { return first == second }
            if let first = left.number, let second = right.number { return first == second }
            return false
        }
    }

    private func equal(_ left: [TemplateValue], _ right: [TemplateValue]) throws(TemplateError) -> Bool {
        guard left.count == right.count else { return false }
        for (first, second) in zip(left, right) {
            try step()
            guard try equal(first, second) else { return false }
        }
        return true
    }

    /// Whether `left` comes before `right`.
    func precedes(
        _ left: TemplateValue, _ right: TemplateValue, orEqual: Bool = false,
        _ operation: Comparison = .less
    ) throws(TemplateError) -> Bool {
        try step()
        switch (left, right) {
        case (.undefined(let value), _), (_, .undefined(let value)): throw failure(value.message)
        case (.text(let first), .text(let second)):
            return orEqual ? !second.precedes(first) : first.precedes(second)
        case (.list(let first), .list(let second)), (.tuple(let first), .tuple(let second)):
            for (one, other) in zip(first.items, second.items) where try !equal(one, other) {
                return try precedes(one, other, orEqual: orEqual, operation)
            }
            return orEqual
                ? first.items.count <= second.items.count : first.items.count < second.items.count
        default:
            if let first = left.index, let second = right.index {
                return orEqual ? first <= second : first < second
            }
            if let first = left.number, let second = right.number {
                return orEqual ? first <= second : first < second
            }
            throw failure(
                "'\(operation.rawValue)' cannot be used between \(left.typeName) and \(right.typeName)")
        }
    }

    /// Whether `container` holds `value`.
    func contains(_ container: TemplateValue, _ value: TemplateValue) throws(TemplateError) -> Bool {
        switch container {
        case .text(let text):
            guard case .text(let part) = value else {
                throw failure("'in' a string needs a string on its left, not \(value.typeName)")
            }
            try charge(text.count / 16)
            return text.contains(part.units)
        case .dictionary(let dictionary):
            guard value.isHashable else { throw failure("a \(value.typeName) cannot be a key") }
            return dictionary[value] != nil
        case .undefined, .list, .tuple, .range, .view, .generator, .loop:
            for item in try iterate(container) {
                try step()
                if try equal(item, value) { return true }
            }
            return false
        default: throw failure("'in' cannot be used with \(container.typeName)")
        }
    }

    /// The items of a value that can be gone through.
    func iterate(_ value: TemplateValue) throws(TemplateError) -> [TemplateValue] {
        switch value {
        case .undefined: return []
        case .list(let list), .tuple(let list): return list.items
        case .text(let text):
            try charge(text.count)
            return text.units.map { .text([$0]) }
        case .dictionary(let dictionary): return dictionary.entries.map(\.key)
        case .range(let range):
            try charge(range.count)
            return range.values
        case .view(let view): return view.items
        case .generator(let generator): return try generator.takeAll()
        default: throw failure("a \(value.typeName) cannot be gone through")
        }
    }
}
