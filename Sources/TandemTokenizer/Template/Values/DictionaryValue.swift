// SPDX-License-Identifier: Apache-2.0

/// A mapping in the order of its keys; never changed after it is made.
///
/// Keys are what Python can hash: texts, numbers, truth values, none and tuples of these. Equal numbers are one key
/// whatever their kind.
final class DictionaryValue {
    typealias Entry = (key: TemplateValue, value: TemplateValue)

    private(set) var entries: [Entry] = []
    private(set) var depth = 1
    /// Places of text keys, once there are many.
    private var index: [TemplateText: Int] = [:]

    /// Up to so many keys are searched one by one.
    private static let threshold = 16

    init() {}

    /// Adds or replaces an entry; only while the mapping is made.
    func set(_ key: TemplateValue, _ value: TemplateValue) {
        depth = max(depth, 1 + max(key.depth, value.depth))
        if let place = place(of: key) {
            entries[place].value = value
            return
        }
        entries.append((key, value))
        if entries.count > Self.threshold {
            if index.isEmpty {
                for (place, entry) in entries.enumerated() {
                    if case .text(let text) = entry.key { index[text] = place }
                }
            } else if case .text(let text) = key {
                index[text] = entries.count - 1
            }
        }
    }

    /// The value under a key that can be hashed.
    subscript(key: TemplateValue) -> TemplateValue? {
        place(of: key).map { entries[$0].value }
    }

    subscript(text: TemplateText) -> TemplateValue? {
        place(of: text).map { entries[$0].value }
    }

    private func place(of key: TemplateValue) -> Int? {
        if case .text(let text) = key { return place(of: text) }
        return entries.firstIndex { Self.sameKey($0.key, key) }
    }

    private func place(of text: TemplateText) -> Int? {
        if entries.count > Self.threshold { return index[text] }
        return entries.firstIndex { entry in
            if case .text(let other) = entry.key { other == text } else { false }
        }
    }

    private static func sameKey(_ first: TemplateValue, _ second: TemplateValue) -> Bool {
        switch (first, second) {
        case (.none, .none): return true
        case (.text(let first), .text(let second)): return first == second
        case (.tuple(let first), .tuple(let second)):
            return first.items.count == second.items.count
                && zip(first.items, second.items).allSatisfy { sameKey($0, $1) }
        default:
            guard let left = first.number, let right = second.number else { return false }
            if let left = first.index, let right = second.index { return left == right }
            return left == right
        }
    }
}

extension TemplateValue {
    /// Whether the value may be the key of a mapping.
    var isHashable: Bool {
        switch self {
        case .list, .dictionary: false
        case .view(let view): view.kind == .values
        case .tuple(let list): list.items.allSatisfy(\.isHashable)
        default: true
        }
    }
}
