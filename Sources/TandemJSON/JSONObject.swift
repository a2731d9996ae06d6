// SPDX-License-Identifier: Apache-2.0

/// A JSON object: members in the order of the file, found by key in constant time.
///
/// Keys are told apart by their bytes, not by canonical equivalence: "é" as one scalar and as two are two
/// keys. Two objects are equal when they hold equal values under the same keys, in any order.
///
/// Lookup by key is O(1) (objects of a dozen members or fewer are searched directly). Setting a value is O(1)
/// amortised, removing one is O(count).
public struct JSONObject: Sendable {
    /// One key with its value.
    public struct Member: Sendable, Equatable {
        public let key: String
        public fileprivate(set) var value: JSONValue

        public init(key: String, value: JSONValue) {
            self.key = key
            self.value = value
        }

        public static func == (first: Member, second: Member) -> Bool {
            sameBytes(first.key, second.key) && first.value == second.value
        }
    }

    /// The members in file order, or in the order they were set.
    public private(set) var members: [Member] = []
    private var index = JSONKeyIndex()

    public init() {}

    /// An object with these members. Where a key repeats, the last value wins in the first one's place.
    public init(_ members: some Sequence<Member>) {
        for member in members {
            self[member.key] = member.value
        }
    }

    public var count: Int { members.count }
    public var isEmpty: Bool { members.isEmpty }

    /// The keys in order. O(count).
    public var keys: [String] { members.map(\.key) }

    /// The value under `key`; setting `nil` removes the member.
    public subscript(key: String) -> JSONValue? {
        get { position(of: key).map { members[$0].value } }
        set {
            switch (position(of: key), newValue) {
            case (let position?, let value?): members[position].value = value
            case (let position?, nil): remove(at: position)
            case (nil, let value?): append(Member(key: key, value: value))
            case (nil, nil): break
            }
        }
    }

    private func position(of key: String) -> Int? {
        if index.isEmpty {
            return members.firstIndex { sameBytes($0.key, key) }
        }
        return index.find(key, in: members)
    }

    private mutating func append(_ member: Member) {
        members.append(member)
        if !index.isEmpty {
            _ = index.insert(member.key, position: members.count - 1, members: members)
        } else if members.count > JSONKeyIndex.threshold {
            rebuildIndex()
        }
    }

    private mutating func remove(at position: Int) {
        members.remove(at: position)
        rebuildIndex()
    }

    private mutating func rebuildIndex() {
        guard members.count > JSONKeyIndex.threshold else {
            index = JSONKeyIndex()
            return
        }
        index = JSONKeyIndex(capacity: members.count)
        for position in members.indices {
            _ = index.insert(members[position].key, position: position, members: members)
        }
    }
}

extension JSONObject {
    /// Takes members that the parser read. Returns the position of the first member whose key an earlier one
    /// already has, or `nil` when all keys differ.
    init(parsed: [Member], firstDuplicate: inout Int?) {
        members = parsed
        firstDuplicate = nil
        if parsed.count <= JSONKeyIndex.threshold {
            for position in parsed.indices.dropFirst()
            where parsed[..<position].contains(where: { sameBytes($0.key, parsed[position].key) }) {
                firstDuplicate = position
                return
            }
        } else {
            index = JSONKeyIndex(capacity: parsed.count)
            for position in parsed.indices
            where index.insert(parsed[position].key, position: position, members: parsed) != nil {
                firstDuplicate = position
                return
            }
        }
    }
}

extension JSONObject: Equatable {
    public static func == (first: JSONObject, second: JSONObject) -> Bool {
        first.count == second.count
            && first.members.allSatisfy { member in second[member.key] == member.value }
    }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self.init(elements.map { Member(key: $0.0, value: $0.1) })
    }
}
