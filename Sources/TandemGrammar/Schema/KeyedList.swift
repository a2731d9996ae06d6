// SPDX-License-Identifier: Apache-2.0

/// Values under keys, in the order in which the keys came first. Keys are told apart by their bytes, as JSON does.
struct KeyedList<Value> {
    private struct Key: Hashable {
        let text: String

        static func == (first: Key, second: Key) -> Bool { first.text.utf8.elementsEqual(second.text.utf8) }

        func hash(into hasher: inout Hasher) {
            for byte in text.utf8 { hasher.combine(byte) }
        }
    }

    private(set) var entries: [(key: String, value: Value)] = []
    private var places: [Key: Int] = [:]

    var count: Int { entries.count }
    var isEmpty: Bool { entries.isEmpty }

    func contains(_ key: String) -> Bool { places[Key(text: key)] != nil }

    /// The value under a key. Setting adds the key or replaces its value; values stay once they are there.
    subscript(key: String) -> Value? {
        get { places[Key(text: key)].map { entries[$0].value } }
        set {
            guard let newValue else { return }
            if let place = places[Key(text: key)] {
                entries[place].value = newValue
            } else {
                places[Key(text: key)] = entries.count
                entries.append((key, newValue))
            }
        }
    }
}
