// SPDX-License-Identifier: Apache-2.0

import TandemJSON

/// Reads tokens and their ids.
enum VocabularyReader {
    /// Ids stay below 2²⁴, and near the number of tokens, so that a small file cannot ask for large tables.
    static let idLimit = 1 << 24
    static let maximumTokenBytes = 1 << 16
    static let maximumAddedTokenBytes = 4096

    /// The vocabulary of a model, a map from token to id, together with the tokens added to it.
    static func read(_ field: Field, added: [AddedToken]) throws(TokenizerError) -> ByteStringTable {
        let object = try field.object()
        let count = object.count + added.count
        guard count > 0 else { throw .emptyVocabulary(path: field.path) }
        let limit = min(idLimit, count * 8 + 65_536)

        var largest = -1
        for member in object.members {
            guard let id = member.value.intValue else {
                throw .wrongType(path: "\(field.path)[\"\(member.key.prefix(60))\"]", expected: "an integer")
            }
            guard id >= 0 && id < limit else {
                throw .idOutOfRange(path: field.path, token: member.key, id: id, limit: limit)
            }
            guard member.key.utf8.count <= maximumTokenBytes else {
                throw .tokenTooLong(
                    path: field.path, bytes: member.key.utf8.count, limit: maximumTokenBytes)
            }
            largest = max(largest, id)
        }
        for token in added {
            guard token.id < limit else {
                throw .idOutOfRange(
                    path: "added_tokens", token: token.content, id: Int(token.id), limit: limit)
            }
            largest = max(largest, Int(token.id))
        }

        var table = ByteStringTable(idLimit: largest + 1, count: count)
        for member in object.members {
            let id = TokenID(truncatingIfNeeded: member.value.intValue ?? 0)
            if table.contains(id) {
                throw .duplicateID(
                    path: field.path, id: Int(id), first: table.text(of: id), second: member.key)
            }
            table.insert(member.key.utf8, id: id)
        }
        try insert(added, into: &table)
        return table
    }

    /// Adds tokens that the vocabulary may have already.
    static func insert(_ added: [AddedToken], into table: inout ByteStringTable) throws(TokenizerError) {
        for (index, token) in added.enumerated() {
            let path = "added_tokens[\(index)]"
            if let existing = table.find(token.content) {
                guard existing == token.id else {
                    throw .conflictingID(
                        path: path, token: token.content, id: Int(token.id), vocabularyID: Int(existing))
                }
            } else if table.contains(token.id) {
                throw .duplicateID(
                    path: path, id: Int(token.id), first: table.text(of: token.id), second: token.content)
            } else {
                table.insert(token.content.utf8, id: token.id)
            }
        }
    }

    /// The tokens `<0x00>` … `<0xFF>`, -1 where there is none.
    static func byteTokens(_ vocabulary: ByteStringTable) -> [TokenID] {
        let digits = Array("0123456789ABCDEF")
        return (0..<256).map { byte in
            vocabulary.find("<0x\(digits[byte >> 4])\(digits[byte & 15])>") ?? -1
        }
    }

    static func addedTokens(_ field: Field?) throws(TokenizerError) -> [AddedToken] {
        guard let field else { return [] }
        var tokens: [AddedToken] = []
        for element in try field.elements() {
            let id = try element.required("id").int()
            let content = try element.required("content").string()
            guard id >= 0 && id < idLimit else {
                throw .idOutOfRange(path: element.path, token: content, id: id, limit: idLimit)
            }
            guard content.utf8.count <= maximumAddedTokenBytes else {
                throw .tokenTooLong(
                    path: element.path, bytes: content.utf8.count, limit: maximumAddedTokenBytes)
            }
            tokens.append(
                AddedToken(
                    content: content, id: TokenID(id),
                    isSingleWord: try element.flag("single_word", default: false),
                    stripsLeft: try element.flag("lstrip", default: false),
                    stripsRight: try element.flag("rstrip", default: false),
                    isNormalized: try element.flag("normalized", default: false),
                    isSpecial: try element.flag("special", default: false)))
        }
        return tokens
    }
}
