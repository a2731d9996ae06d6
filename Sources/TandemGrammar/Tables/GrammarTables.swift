// SPDX-License-Identifier: Apache-2.0

/// A grammar made ready for matching: every rule as sequences of elements over bytes.
package final class GrammarTables: Sendable {
    /// The elements of all alternatives, each closed by an ``GrammarElement/Kind/end``.
    let elements: [GrammarElement]
    /// Where the alternatives of all rules begin in `elements`.
    let starts: [Int32]
    /// The alternatives of each rule, as a range of `starts`.
    let alternatives: [Range<Int>]
    /// Whether a rule matches the empty text.
    let isNullable: [Bool]
    let root: Int
    let sets: [ByteSet]
    /// For every byte its class: the grammar never tells bytes of a class apart.
    let classOfByte: [UInt8]
    /// A byte of each class.
    let byteOfClass: [UInt8]

    /// - Throws: ``GrammarError/tooLarge(what:limit:)``, ``GrammarError/leftRecursion(cycle:)``,
    ///   ``GrammarError/matchesNothing``.
    convenience init(_ rules: RuleSet) throws(GrammarError) {
        var builder = TableBuilder(rules)
        guard builder.elementCount <= GrammarLimits.elements else {
            throw .tooLarge(what: "elements", limit: GrammarLimits.elements)
        }
        builder.prune()
        guard !builder.rules[rules.root].isEmpty else { throw .matchesNothing }
        if let cycle = builder.leftRecursion() { throw .leftRecursion(cycle: cycle) }
        self.init(builder, root: rules.root)
    }

    /// Rules that are known to be productive, without left recursion, and small.
    convenience init(sound rules: RuleSet) {
        self.init(TableBuilder(rules), root: rules.root)
    }

    private init(_ builder: TableBuilder, root: Int) {
        var elements: [GrammarElement] = []
        var starts: [Int32] = []
        var alternatives: [Range<Int>] = []
        for rule in builder.rules {
            let first = starts.count
            for alternative in rule {
                starts.append(Int32(elements.count))
                elements.append(contentsOf: alternative)
                elements.append(.end)
            }
            alternatives.append(first..<starts.count)
        }
        self.elements = elements
        self.starts = starts
        self.alternatives = alternatives
        self.root = root
        isNullable = builder.nullableRules()
        sets = builder.sets
        (classOfByte, byteOfClass) = Self.classes(of: builder.sets)
    }

    private static func classes(of sets: [ByteSet]) -> (ofByte: [UInt8], bytes: [UInt8]) {
        var classes = [Int](repeating: 0, count: 256)
        var count = 1
        for set in sets where count < 256 {
            var renamed: [Int: Int] = [:]
            count = 0
            for byte in 0..<256 {
                let key = classes[byte] * 2 + (set.contains(UInt8(byte)) ? 1 : 0)
                if renamed[key] == nil {
                    renamed[key] = count
                    count += 1
                }
                classes[byte] = renamed[key] ?? 0
            }
        }
        var bytes = [UInt8](repeating: 0, count: count)
        for byte in 0..<256 { bytes[classes[byte]] = UInt8(byte) }
        return (classes.map { UInt8($0) }, bytes)
    }
}

/// One element of an alternative.
struct GrammarElement: Sendable, Hashable {
    enum Kind: UInt8, Sendable {
        /// One byte of the set `index`.
        case byte
        /// The rule `index`.
        case call
        /// The rule `index`, `least` to `most` times.
        case loop
        /// The alternative is complete.
        case end
    }

    var kind: Kind
    var index: Int32 = 0
    var least: Int32 = 0
    /// −1 = without end.
    var most: Int32 = 0

    static let end = GrammarElement(kind: .end)
}
