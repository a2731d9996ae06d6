// SPDX-License-Identifier: Apache-2.0

import TandemJSON

/// Reads merges and makes the word encoder of a byte-pair model.
enum MergeReader {
    /// The options of a byte-pair model.
    struct Options {
        var isByteLevel: Bool
        var ignoresMerges = false
        /// How many merges in a row have the same rank; empty when all ranks differ.
        var equalCounts: [Int] = []
        var unknown = SymbolTable.Unknown()
    }

    static func options(
        _ field: Field, _ vocabulary: ByteStringTable, isByteLevel: Bool
    ) throws(TokenizerError) -> Options {
        if let dropout = field.optional("dropout"), dropout.value.doubleValue != 0 {
            throw dropout.unsupported("no dropout")
        }
        for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
            if let affix = field.optional(key), try !affix.string().isEmpty {
                throw affix.unsupported("none")
            }
        }
        var model = Options(isByteLevel: isByteLevel)
        model.ignoresMerges = try field.flag("ignore_merges", default: false)
        if let equals = field.optional("equal_merges") {
            for count in try equals.elements() {
                let number = try count.int()
                guard number > 0 && number <= 1 << 24 else { throw count.unsupported("1 … \(1 << 24)") }
                model.equalCounts.append(number)
            }
        }
        model.unknown.fuses = try field.flag("fuse_unk", default: false)
        if let unknown = field.optional("unk_token") {
            let token = try unknown.string()
            guard let id = vocabulary.find(token) else {
                throw .unknownToken(path: unknown.path, token: token)
            }
            model.unknown.token = id
        }
        if try field.flag("byte_fallback", default: false) {
            model.unknown.byteTokens = VocabularyReader.byteTokens(vocabulary)
        }
        return model
    }

    /// Merges of `tokenizer.json`: `"a b"` in older files, `["a", "b"]` in newer ones.
    static func merges(_ field: Field) throws(TokenizerError) -> MergeList {
        guard let elements = field.value.arrayValue else {
            throw .wrongType(path: field.path, expected: "an array")
        }
        var merges = MergeList(place: ("\(field.path)[", "]"), capacity: elements.count)
        for (index, element) in elements.enumerated() {
            if let line = element.stringValue, merges.append(line: line.utf8, place: index) {
                continue
            } else if let parts = element.arrayValue, parts.count == 2, let left = parts[0].stringValue,
                let right = parts[1].stringValue
            {
                merges.append(left: left, right: right, place: index)
            } else {
                throw .malformedMerge(path: "\(field.path)[\(index)]")
            }
        }
        return merges
    }

    /// The lines of `merges.txt`, but for a `#version` line.
    static func merges(text: [UInt8]) throws(TokenizerError) -> MergeList {
        var merges = MergeList(place: ("merges.txt line ", ""), capacity: text.count / 8)
        for (index, line) in text.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
            let line = line.last == 0x0D ? line.dropLast() : line
            if line.isEmpty || (index == 0 && line.starts(with: "#version".utf8)) { continue }
            guard merges.append(line: line, place: index + 1) else {
                throw .malformedMerge(path: "merges.txt line \(index + 1)")
            }
        }
        return merges
    }

    static func encoder(
        _ merges: MergeList, _ vocabulary: ByteStringTable, _ model: Options
    ) throws(TokenizerError) -> WordEncoder {
        var table = MergeTable(count: merges.entries.count)
        let mark = Array("\u{2581}".utf8)
        var marksLeadOnly = !model.isByteLevel && vocabulary.find(mark.span) != nil
        // Merges of a group share the rank of its first.
        var (group, rank, groupEnd) = (0, 0, model.equalCounts.first ?? 1)
        for (index, entry) in merges.entries.enumerated() {
            if index == groupEnd {
                rank = index
                group += 1
                groupEnd += model.equalCounts.indices.contains(group) ? model.equalCounts[group] : 1
            }
            let left = try id(entry.start..<entry.middle, entry, merges, vocabulary)
            let right = try id(entry.middle..<entry.end, entry, merges, vocabulary)
            let merged = try id(entry.start..<entry.end, entry, merges, vocabulary)
            // As in the reference, the last of equal merges counts.
            table.insert(left, right, rank: UInt32(truncatingIfNeeded: rank), id: merged)
            if marksLeadOnly && !leadsOnly(mark, in: merges.storage[entry.start..<entry.end]) {
                marksLeadOnly = false
            }
        }
        return WordEncoder(
            symbols: SymbolTable(vocabulary, isByteLevel: model.isByteLevel, unknown: model.unknown),
            merger: BytePairMerger(table: table),
            wholeWords: model.ignoresMerges ? wholeWords(vocabulary, isByteLevel: model.isByteLevel) : nil,
            boundary: marksLeadOnly ? mark : [])
    }

    private static func id(
        _ range: Range<Int>, _ entry: MergeList.Entry, _ merges: MergeList, _ vocabulary: ByteStringTable
    ) throws(TokenizerError) -> TokenID {
        guard let id = vocabulary.find(merges.storage.span.extracting(range)) else {
            throw .unknownToken(path: merges.path(of: entry), token: merges.text(range))
        }
        return id
    }

    /// Whether `mark` stands only at the start of `token`, once or several times in a row.
    private static func leadsOnly(_ mark: [UInt8], in token: ArraySlice<UInt8>) -> Bool {
        var rest = token
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
