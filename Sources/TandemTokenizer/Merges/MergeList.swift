// SPDX-License-Identifier: Apache-2.0

/// The merges of a file, in order of rank, as one block of bytes.
struct MergeList {
    /// Where one merge lies in `storage`: left from `start`, right from `middle`, the whole token in between.
    struct Entry {
        var start: Int
        var middle: Int
        var end: Int
        /// The number of the merge or line in its file.
        var place: Int
    }

    private(set) var storage: [UInt8] = []
    private(set) var entries: [Entry] = []
    /// What stands around the place of a merge in messages.
    let place: (before: String, after: String)

    init(place: (before: String, after: String), capacity: Int) {
        self.place = place
        entries.reserveCapacity(capacity)
        storage.reserveCapacity(capacity * 8)
    }

    /// Appends a merge written as two tokens with one space between. False when it is not.
    mutating func append(line: some Collection<UInt8>, place: Int) -> Bool {
        let start = storage.count
        var middle: Int?
        for byte in line {
            if byte != 0x20 {
                storage.append(byte)
            } else if middle == nil {
                middle = storage.count
            } else {
                return false
            }
        }
        guard let middle, middle > start, middle < storage.count else { return false }
        entries.append(Entry(start: start, middle: middle, end: storage.count, place: place))
        return true
    }

    mutating func append(left: String, right: String, place: Int) {
        let start = storage.count
        storage.append(contentsOf: left.utf8)
        let middle = storage.count
        storage.append(contentsOf: right.utf8)
        entries.append(Entry(start: start, middle: middle, end: storage.count, place: place))
    }

    func path(of entry: Entry) -> String {
        "\(place.before)\(entry.place)\(place.after)"
    }

    func text(_ range: Range<Int>) -> String {
        String(decoding: storage[range], as: UTF8.self)
    }
}
