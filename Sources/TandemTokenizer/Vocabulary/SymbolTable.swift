// SPDX-License-Identifier: Apache-2.0

/// The first symbols of a word, before any merge: its bytes, or its scalars.
struct SymbolTable: Sendable {
    /// What becomes of a symbol that the vocabulary lacks.
    struct Unknown: Sendable {
        /// Stands for the symbol; without it the symbol is dropped.
        var token: TokenID?
        /// One token for a run of unknown symbols.
        var fuses = false
        /// The tokens `<0x00>` … `<0xFF>`, -1 where there is none; empty when bytes are not fallen back to.
        var byteTokens: [TokenID] = []
    }

    private let isByteLevel: Bool
    /// By byte when byte-level, else by scalar below `directLimit`; -1 where there is none.
    private let direct: [TokenID]
    private let unknown: Unknown

    /// Past U+2581, the mark that stands for a space in SentencePiece vocabularies.
    private static let directLimit: UInt32 = 0x2600

    init(_ vocabulary: ByteStringTable, isByteLevel: Bool, unknown: Unknown) {
        self.isByteLevel = isByteLevel
        self.unknown = unknown
        let scalars = isByteLevel ? ByteAlphabet.scalars : Array(0..<Self.directLimit)
        direct = scalars.map { value in
            guard let scalar = Unicode.Scalar(value) else { return -1 }
            return vocabulary.find(String(Character(scalar))) ?? -1
        }
    }

    /// Replaces the contents of `symbols` by those of `word`, which is valid UTF-8.
    func symbols(of word: Span<UInt8>, _ vocabulary: ByteStringTable, into symbols: inout [TokenID]) {
        symbols.removeAll(keepingCapacity: true)
        var pendingUnknown: TokenID?
        var offset = 0
        while offset < word.count {
            var length = 1
            var id: TokenID
            if isByteLevel {
                id = direct[Int(word[offset])]
            } else {
                let scalar = ScalarReader.scalar(word, at: offset)
                length = scalar.length
                if scalar.value < Self.directLimit {
                    id = direct[Int(scalar.value)]
                } else {
                    id = vocabulary.find(word.extracting(offset..<offset &+ length)) ?? -1
                }
            }
            if id >= 0 {
                if let token = pendingUnknown {
                    symbols.append(token)
                    pendingUnknown = nil
                }
                symbols.append(id)
            } else {
                appendUnknown(word.extracting(offset..<offset &+ length), &pendingUnknown, to: &symbols)
            }
            offset &+= length
        }
        if let token = pendingUnknown { symbols.append(token) }
    }

    /// Falls back to bytes when all of the symbol's are in the vocabulary, or notes an unknown token. As in
    /// the reference, bytes do not end a run of unknown symbols, which therefore comes after them.
    private func appendUnknown(
        _ symbol: Span<UInt8>, _ pending: inout TokenID?, to symbols: inout [TokenID]
    ) {
        if !unknown.byteTokens.isEmpty {
            var bytes: [UInt8] = []
            for index in 0..<symbol.count { bytes.append(symbol[index]) }
            if isByteLevel { bytes = Array(ByteAlphabet.text(of: bytes[0]).utf8) }
            let tokens = bytes.map { unknown.byteTokens[Int($0)] }
            if tokens.allSatisfy({ $0 >= 0 }) {
                symbols.append(contentsOf: tokens)
                return
            }
        }
        guard let token = unknown.token else { return }
        if pending != nil && !unknown.fuses { symbols.append(token) }
        pending = token
    }
}
