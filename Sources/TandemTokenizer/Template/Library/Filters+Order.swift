// SPDX-License-Identifier: Apache-2.0

/// Filters that compare items.
extension TemplateRun {
    func order(
        _ filter: FilterName, _ value: TemplateValue, _ arguments: CallArguments
    ) throws(TemplateError) -> TemplateValue {
        switch filter {
        case .sort:
            let values = try bind(arguments, ["reverse", "case_sensitive", "attribute"], of: "sort")
            let paths = try sortPaths(values[2] ?? .none)
            let keepsCase = values[1]?.isTrue ?? false
            let items = try iterate(value).map { (item) throws(TemplateError) in
                var keys: [TemplateValue] = []
                for path in paths { keys.append(folded(try follow(path, from: item), keepsCase)) }
                return (key: TemplateValue.list(ItemList(keys)), item: item)
            }
            return try list(
                try sorted(items, reverse: values[0]?.isTrue ?? false) { $0.key }.map(\.item))
        case .dictsort: return try sortedEntries(value, arguments)
        case .unique:
            let values = try bind(arguments, ["case_sensitive", "attribute"], of: "unique")
            let path = try attributePath(values[1] ?? .none)
            let keepsCase = values[0]?.isTrue ?? false
            return try makeGenerator(depth: value.depth) { [self] () throws(TemplateError) in
                try uniqueItems(try iterate(value), path, keepsCase)
            }
        default: return try extreme(filter, value, arguments)
        }
    }

    private func sortPaths(_ attribute: TemplateValue) throws(TemplateError) -> [[TemplateValue]] {
        guard case .text(let text) = attribute else { return [try attributePath(attribute)] }
        return try text.split(by: [0x2C], limit: -1).map { (part) throws(TemplateError) in
            try attributePath(.text(part))
        }
    }

    /// Texts in lower case, unless case matters.
    private func folded(_ value: TemplateValue, _ keepsCase: Bool) -> TemplateValue {
        if !keepsCase, case .text(let text) = value { return .text(text.lowercased) }
        return value
    }

    private func sortedEntries(
        _ value: TemplateValue, _ arguments: CallArguments
    ) throws(TemplateError) -> TemplateValue {
        let values = try bind(arguments, ["case_sensitive", "by", "reverse"], of: "dictsort")
        guard case .dictionary(let dictionary) = value else {
            if case .undefined(let undefined) = value { throw failure(undefined.message) }
            throw failure("'dictsort' needs a mapping, not \(value.typeName)")
        }
        let by = try string(values[1] ?? .text("key")).string
        guard by == "key" || by == "value" else { throw failure("'dictsort' sorts by 'key' or 'value'") }
        let keepsCase = values[0]?.isTrue ?? false
        let entries = try sorted(dictionary.entries, reverse: values[2]?.isTrue ?? false) {
            folded(by == "key" ? $0.key : $0.value, keepsCase)
        }
        return try list(
            try entries.map { (entry) throws(TemplateError) in try tuple([entry.key, entry.value]) })
    }

    private func uniqueItems(
        _ items: [TemplateValue], _ path: [TemplateValue], _ keepsCase: Bool
    ) throws(TemplateError) -> [TemplateValue] {
        let seen = DictionaryValue()
        var result: [TemplateValue] = []
        for item in items {
            try step()
            let key = folded(try follow(path, from: item), keepsCase)
            guard key.isHashable else { throw failure("a \(key.typeName) cannot be told apart by 'unique'") }
            try charge(min(seen.entries.count, 16))
            if seen[key] == nil {
                seen.set(key, .none)
                result.append(item)
            }
        }
        return result
    }

    private func extreme(
        _ filter: FilterName, _ value: TemplateValue, _ arguments: CallArguments
    ) throws(TemplateError) -> TemplateValue {
        let values = try bind(arguments, ["case_sensitive", "attribute"], of: filter.rawValue)
        let path = try attributePath(values[1] ?? .none)
        let keepsCase = values[0]?.isTrue ?? false
        var best: (key: TemplateValue, item: TemplateValue)?
        for item in try iterate(value) {
            let key = folded(try follow(path, from: item), keepsCase)
            guard let current = best else {
                best = (key, item)
                continue
            }
            let isBetter = try filter == .min ? precedes(key, current.key) : precedes(current.key, key)
            if isBetter { best = (key, item) }
        }
        return best?.item
            ?? .undefined(UndefinedValue(message: "there is no item, the sequence was empty"))
    }

    /// Items in the order of their keys; equal ones stay in place. Merge sort, so that every comparison may fail.
    func sorted<Item>(
        _ items: [Item], reverse: Bool, by key: (Item) -> TemplateValue
    ) throws(TemplateError) -> [Item] {
        try charge(items.count)
        var order = Array(items.indices)
        let keys = items.map(key)
        var width = 1
        while width < order.count {
            var merged: [Int] = []
            merged.reserveCapacity(order.count)
            for start in stride(from: 0, to: order.count, by: 2 * width) {
                let middle = min(start + width, order.count)
                let end = min(start + 2 * width, order.count)
                var (left, right) = (start, middle)
                while left < middle, right < end {
                    let (first, second) = (keys[order[left]], keys[order[right]])
                    let takesRight = try reverse ? precedes(first, second) : precedes(second, first)
                    merged.append(order[takesRight ? right : left])
                    if takesRight { right += 1 } else { left += 1 }
                }
                merged += order[left..<middle]
                merged += order[right..<end]
            }
            order = merged
            width *= 2
        }
        return order.map { items[$0] }
    }
}
