// SPDX-License-Identifier: Apache-2.0

import TandemJSON

/// Reads merges and makes the word encoder of a byte-pair model.
enum MergeReader {
    /// The options of a byte-pair model.
    struct Model {
        var isByteLevel: Bool
        var ignoresMerges = false
        var unknown = SymbolTable.Unknown()
    }

    /// Two tokens that merge, and where that is written.
    struct Pair {
        var left: String
        var right: String
        var path: String
    }

    static func model(
        _ field: Field, _ vocabulary: ByteStringTable, isByteLevel: Bool
    ) throws(TokenizerError) -> Model {
        if let dropout = field.optional("dropout"), dropout.value.doubleValue != 0 {
            throw dropout.unsupported("no dropout")
        }
        for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
            if let affix = field.optional(key), try !affix.string().isEmpty {
                throw affix.unsupported("none")
            }
        }
        var model = Model(isByteLevel: isByteLevel)
        model.ignoresMerges = try field.flag("ignore_merges", default: false)
        model.unknown.fuses = try field.flag("fuse_unk", default: false)
        if let unknown = field.optional("unk_token") {
            let token = try unknown.string()
            guard let id = vocabulary.find(token) else {
                throw .unknownToken(path: unknown.path, token: token)
            }
            model.unknown.token = id
        }
        if try field.flag("byte_fallback", default: false) {
            let digits = Array("0123456789ABCDEF")
            model.unknown.byteTokens = (0..<256).map { byte in
                vocabulary.find("<0x\(digits[byte >> 4])\(digits[byte & 15])>") ?? -1
            }
        }
        return model
    }

    /// Merges of `tokenizer.json`: `"a b"` in older files, `["a", "b"]` in newer ones.
    static func pairs(_ field: Field) throws(TokenizerError) -> [Pair] {
        guard let elements = field.value.arrayValue else {
            throw .wrongType(path: field.path, expected: "an array")
        }
        var pairs: [Pair] = []
        pairs.reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() {
            if let line = element.stringValue, let (left, right) = halves(of: line) {
                pairs.append(Pair(left: left, right: right, index: index, path: field.path))
            } else if let parts = element.arrayValue, parts.count == 2, let left = parts[0].stringValue,
                let right = parts[1].stringValue
            {
                pairs.append(Pair(left: left, right: right, index: index, path: field.path))
            } else {
                throw .malformedMerge(path: "\(field.path)[\(index)]")
            }
        }
        return pairs
    }

    /// The lines of `merges.txt`, but for a `#version` line.
    static func pairs(mergesText: [UInt8]) throws(TokenizerError) -> [Pair] {
        var pairs: [Pair] = []
        for (index, line) in mergesText.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
            let line = line.last == 0x0D ? line.dropLast() : line
            if line.isEmpty || (index == 0 && line.starts(with: "#version".utf8)) { continue }
            guard let text = String(validating: line, as: UTF8.self), let (left, right) = halves(of: text) else {
                throw .malformedMerge(path: "merges.txt line \(index + 1)")
            }
            pairs.append(Pair(left: left, right: right, path: "merges.txt line \(index + 1)"))
        }
        return pairs
    }

    static func encoder(
        _ pairs: [Pair], _ vocabulary: ByteStringTable, _ model: Model
    ) throws(TokenizerError) -> WordEncoder {
        var table = MergeTable(count: pairs.count)
        let mark = Array("\u{2581}".utf8)
        var marksLeadOnly = !model.isByteLevel && vocabulary.find(mark.span) != nil
        for (rank, pair) in pairs.enumerated() {
            guard let left = vocabulary.find(pair.left) else {
                throw .unknownToken(path: pair.path, token: pair.left)
            }
            guard let right = vocabulary.find(pair.right) else {
                throw .unknownToken(path: pair.path, token: pair.right)
            }
            let whole = pair.left + pair.right
            guard let merged = vocabulary.find(whole) else {
                throw .unknownToken(path: pair.path, token: whole)
            }
            guard table.insert(left, right, rank: UInt32(truncatingIfNeeded: rank), id: merged) else {
                throw .duplicateMerge(path: pair.path, first: first(pairs, equalTo: pair))
            }
            if marksLeadOnly && !leadsOnly(mark, in: whole) { marksLeadOnly = false }
        }
        return WordEncoder(
            symbols: SymbolTable(vocabulary, isByteLevel: model.isByteLevel, unknown: model.unknown),
            merger: BytePairMerger(table: table),
            wholeWords: model.ignoresMerges ? wholeWords(vocabulary, isByteLevel: model.isByteLevel) : nil,
            boundary: marksLeadOnly ? mark : [])
    }

    private static func halves(of line: String) -> (String, String)? {
        let parts = line.utf8.split(separator: 0x20, omittingEmptySubsequences: false)
        guard parts.count == 2, let left = String(parts[0]), let right = String(parts[1]) else { return nil }
        return (left, right)
    }

    private static func first(_ pairs: [Pair], equalTo pair: Pair) -> Int {
        pairs.firstIndex {
            $0.left.utf8.elementsEqual(pair.left.utf8) && $0.right.utf8.elementsEqual(pair.right.utf8)
        } ?? 0
    }

    /// Whether `mark` stands only at the start of `token`, once or several times in a row.
    private static func leadsOnly(_ mark: [UInt8], in token: String) -> Bool {
        var rest = Array(token.utf8)[...]
        while rest.starts(with: mark) { rest = rest.dropFirst(mark.count) }
        return !rest.indices.contains { rest[$0] == mark[0] && rest[$0...].starts(with: mark) }
    }

    private static func wholeWords(_ vocabulary: ByteStringTable, isByteLevel: Bool) -> ByteStringTable {
        guard isByteLevel else { return vocabulary }
        var table = ByteStringTable(idLimit: vocabulary.idLimit, count: vocabulary.count)
        for id in 0..<TokenID(vocabulary.idLimit) where vocabulary.contains(id) {
            if let bytes = ByteAlphabet.bytes(of: vocabulary.bytes(of: id)) { table.insert(bytes, id: id) }
        }
        return table
    }
}

extension MergeReader.Pair {
    fileprivate init(left: String, right: String, index: Int, path: String) {
        self.init(left: left, right: right, path: "\(path)[\(index)]")
    }
}
