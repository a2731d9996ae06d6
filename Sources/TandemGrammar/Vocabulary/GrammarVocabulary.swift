// SPDX-License-Identifier: Apache-2.0

/// The bytes of a model's tokens, in the order that matching wants them.
///
/// Made once per model; takes about 40 bytes a token.
///
/// Thread safety: immutable.
package final class GrammarVocabulary: Sendable {
    /// Token ids are `0 ..< size`.
    package let size: Int
    /// Tokens inside a text.
    let inside: TokenTrie
    /// Tokens as the first of a text; the same as `inside` where the tokenizer makes no difference.
    let first: TokenTrie

    /// - Parameters:
    ///   - size: number of token ids.
    ///   - bytes: what a token adds to a text; empty for a token that no grammar may use (control tokens, end tokens).
    ///   - firstBytes: what it adds as the first token of a text, where that may differ.
    /// - Complexity: O(n log n) in the tokens.
    package init(size: Int, bytes: (Int32) -> [UInt8], firstBytes: ((Int32) -> [UInt8])? = nil) {
        self.size = size
        inside = TokenTrie(size: size, bytes: bytes)
        first = firstBytes.map { TokenTrie(size: size, bytes: $0) } ?? inside
    }

    /// Memory of the tables.
    package var byteCount: Int { inside.byteCount + (first === inside ? 0 : first.byteCount) }
}

/// A trie over the bytes of tokens, laid out depth first.
final class TokenTrie: Sendable {
    struct Node {
        /// The first node that is not below this one.
        var end: Int32
        /// A token that ends here, or −1.
        var token: Int32
        /// Bytes on the way here, this one included.
        var depth: UInt16
        var byte: UInt8
    }

    /// A parent comes before its children; they follow in the order of their bytes.
    let nodes: [Node]
    /// For every token the next one with the same bytes, or −1.
    let twins: [Int32]
    let longest: Int
    /// Only the tokens of more bytes than this; the trie has them too.
    static let shortBytes = 16
    let long: TokenTrie?
    private let offsets: [Int32]
    private let text: [UInt8]

    convenience init(size: Int, bytes: (Int32) -> [UInt8]) {
        let long = TokenTrie(size: size, long: nil) { id in
            let token = bytes(id)
            return token.count > Self.shortBytes ? token : []
        }
        self.init(size: size, long: long, bytes: bytes)
    }

    private init(size: Int, long: TokenTrie?, bytes: (Int32) -> [UInt8]) {
        self.long = long
        var offsets: [Int32] = [0]
        var text: [UInt8] = []
        offsets.reserveCapacity(size + 1)
        var order: [(prefix: UInt64, id: Int32)] = []
        for id in 0..<Int32(clamping: size) {
            let token = bytes(id)
            if !token.isEmpty && token.count <= Int(UInt16.max) {
                var prefix: UInt64 = 0
                for place in 0..<8 { prefix = prefix << 8 | UInt64(place < token.count ? token[place] : 0) }
                order.append((prefix, id))
                text.append(contentsOf: token)
            }
            offsets.append(Int32(clamping: text.count))
        }
        order.sort { first, second in
            if first.prefix != second.prefix { return first.prefix < second.prefix }
            let a = text[Int(offsets[Int(first.id)])..<Int(offsets[Int(first.id) + 1])]
            let b = text[Int(offsets[Int(second.id)])..<Int(offsets[Int(second.id) + 1])]
            if a.elementsEqual(b) { return first.id < second.id }
            return a.lexicographicallyPrecedes(b)
        }
        self.offsets = offsets
        self.text = text
        (nodes, twins, longest) = Self.build(order.map(\.id), size: size, offsets, text)
    }

    private static func build(_ order: [Int32], size: Int, _ offsets: [Int32], _ text: [UInt8])
        -> ([Node], [Int32], Int)
    {
        var nodes: [Node] = []
        var twins = [Int32](repeating: -1, count: size)
        /// Nodes from the root to the newest one.
        var path: [Int] = []
        var longest = 0
        var before: ArraySlice<UInt8> = []
        var last: Int32 = -1
        for id in order {
            let token = text[Int(offsets[Int(id)])..<Int(offsets[Int(id) + 1])]
            var shared = 0
            while shared < min(before.count, token.count),
                before[before.startIndex + shared] == token[token.startIndex + shared]
            { shared += 1 }
            if shared == token.count && shared == before.count {
                twins[Int(last)] = id
            } else {
                while path.count > shared { nodes[path.removeLast()].end = Int32(nodes.count) }
                for place in shared..<token.count {
                    path.append(nodes.count)
                    nodes.append(
                        Node(
                            end: 0, token: -1, depth: UInt16(place + 1), byte: token[token.startIndex + place]
                        ))
                }
                nodes[nodes.count - 1].token = id
                longest = max(longest, token.count)
            }
            before = token
            last = id
        }
        while let node = path.popLast() { nodes[node].end = Int32(nodes.count) }
        return (nodes, twins, longest)
    }

    /// The bytes of a token; empty when it has none or does not exist.
    func bytes(of id: Int32) -> ArraySlice<UInt8> {
        guard id >= 0, Int(id) + 1 < offsets.count else { return [] }
        return text[Int(offsets[Int(id)])..<Int(offsets[Int(id) + 1])]
    }

    var byteCount: Int {
        nodes.count * MemoryLayout<Node>.stride + text.count + (twins.count + offsets.count) * 4
            + (long?.byteCount ?? 0)
    }
}
