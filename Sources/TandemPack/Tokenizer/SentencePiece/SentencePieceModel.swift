// SPDX-License-Identifier: Apache-2.0

/// A `tokenizer.model` of SentencePiece: the parts of its `ModelProto` that tokenising needs.
struct SentencePieceModel: Sendable {
    enum Algorithm: UInt64, Sendable {
        case unigram = 1, bytePairs, word, character
    }

    struct Piece: Sendable {
        var text = ""
        var score: Float = 0
        /// Normal 1, unknown 2, control 3, user-defined 4, unused 5, byte 6.
        var type: UInt64 = 1
    }

    static let sizeLimit = 64 << 20
    static let pieceLimit = 1 << 24

    let path: String
    private(set) var pieces: [Piece] = []
    private(set) var algorithm = Algorithm.unigram
    private(set) var byteFallback = false
    private(set) var whitespaceIsSuffix = false
    private(set) var unknown = 0
    private(set) var bos = 1
    private(set) var eos = 2
    private(set) var characterMap: [UInt8] = []
    private(set) var addsDummyPrefix = true
    private(set) var removesExtraSpaces = true
    private(set) var escapesSpaces = true
    private var denormalizerMap: [UInt8] = []

    /// Reads a model.
    /// - Throws: ``PackError/invalidField(path:field:reason:)`` where it is damaged,
    ///   ``PackError/unsupportedSetting(path:key:value:reason:)`` for what is not supported.
    init(path: String, bytes: [UInt8]) throws(PackError) {
        self.path = path
        do throws(ProtobufError) {
            try read(bytes[...])
        } catch {
            throw .invalidField(
                path: path, field: "the model", reason: "is no SentencePiece model (byte \(error.offset))")
        }
        try check()
    }

    private mutating func read(_ bytes: ArraySlice<UInt8>) throws(ProtobufError) {
        var reader = ProtobufReader(bytes)
        while let (number, value) = try reader.next() {
            guard case .bytes(let content) = value else { continue }
            switch number {
            case 1:
                guard pieces.count < Self.pieceLimit else { throw ProtobufError(offset: reader.offset) }
                pieces.append(try Self.piece(content))
            case 2: try readTrainer(content)
            case 3: try readNormalizer(content)
            case 5: denormalizerMap = try Self.characterMap(content)
            default: break
            }
        }
    }

    private static func piece(_ bytes: ArraySlice<UInt8>) throws(ProtobufError) -> Piece {
        var reader = ProtobufReader(bytes)
        var piece = Piece()
        while let (number, value) = try reader.next() {
            switch (number, value) {
            case (1, .bytes(let content)):
                guard let text = String(validating: content, as: UTF8.self) else {
                    throw ProtobufError(offset: content.startIndex)
                }
                piece.text = text
            case (2, .fixed32(let bits)):
                piece.score = Float(bitPattern: bits)
                guard piece.score.isFinite else { throw ProtobufError(offset: bytes.startIndex) }
            case (3, .integer(let type)): piece.type = type
            default: break
            }
        }
        return piece
    }

    private mutating func readTrainer(_ bytes: ArraySlice<UInt8>) throws(ProtobufError) {
        var reader = ProtobufReader(bytes)
        while let (number, value) = try reader.next() {
            guard case .integer(let integer) = value else { continue }
            let id = Int(Int32(truncatingIfNeeded: integer))
            switch number {
            case 3:
                guard let found = Algorithm(rawValue: integer) else {
                    throw ProtobufError(offset: bytes.startIndex)
                }
                algorithm = found
            case 24: whitespaceIsSuffix = integer != 0
            case 35: byteFallback = integer != 0
            case 40: unknown = id
            case 41: bos = id
            case 42: eos = id
            default: break
            }
        }
    }

    private mutating func readNormalizer(_ bytes: ArraySlice<UInt8>) throws(ProtobufError) {
        characterMap = try Self.characterMap(bytes)
        var reader = ProtobufReader(bytes)
        while let (number, value) = try reader.next() {
            guard case .integer(let flag) = value else { continue }
            switch number {
            case 3: addsDummyPrefix = flag != 0
            case 4: removesExtraSpaces = flag != 0
            case 5: escapesSpaces = flag != 0
            default: break
            }
        }
    }

    private static func characterMap(_ bytes: ArraySlice<UInt8>) throws(ProtobufError) -> [UInt8] {
        var reader = ProtobufReader(bytes)
        var map: [UInt8] = []
        while let (number, value) = try reader.next() {
            if number == 2, case .bytes(let content) = value { map = Array(content) }
        }
        return map
    }

    private func check() throws(PackError) {
        guard !pieces.isEmpty else {
            throw .invalidField(
                path: path, field: "pieces", reason: "are missing: it is no SentencePiece model")
        }
        if algorithm == .word || algorithm == .character {
            throw .unsupportedSetting(
                path: path, key: "trainer_spec.model_type", value: "\(algorithm)",
                reason: "BPE and Unigram are supported")
        }
        if whitespaceIsSuffix {
            throw .unsupportedSetting(
                path: path, key: "trainer_spec.treat_whitespace_as_suffix", value: "true",
                reason: "spaces must go before words")
        }
        if !denormalizerMap.isEmpty {
            throw .unsupportedSetting(
                path: path, key: "denormalizer_spec", value: "a character map",
                reason: "text is decoded as the pieces have it")
        }
        guard pieces.indices.contains(unknown), pieces[unknown].type == 2 else {
            throw .invalidField(
                path: path, field: "trainer_spec.unk_id",
                reason: "is \(unknown), which is not the unknown piece")
        }
        for (name, id) in [("bos_id", bos), ("eos_id", eos)] where id >= pieces.count {
            throw .invalidField(
                path: path, field: "trainer_spec.\(name)",
                reason: "is \(id), but there are \(pieces.count) pieces")
        }
    }
}
