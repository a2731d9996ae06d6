// SPDX-License-Identifier: Apache-2.0

import TandemJSON

/// Everything a tokenizer is made of, read and validated.
struct TokenizerDescription {
    var vocabulary: ByteStringTable
    var addedTokens: [AddedToken] = []
    var normalizer: Normalizer?
    var preTokenizer = PreTokenizer.none
    var model: TokenModel
    var postProcessor = PostProcessor()
    var decoder = TokenDecoder()

    init(json: [UInt8]) throws(TokenizerError) {
        try self.init(Self.parse(json))
    }

    init(json: UnsafeRawBufferPointer) throws(TokenizerError) {
        let value: JSONValue
        do {
            value = try unsafe JSONValue(parsing: json)
        } catch {
            throw .malformedJSON(reason: error.description)
        }
        try self.init(value)
    }

    /// A byte-level model with the GPT-2 pattern and nothing around it.
    init(vocab: [UInt8], merges: [UInt8]) throws(TokenizerError) {
        let entries = Field(try Self.parse(vocab), path: "vocab.json")
        preTokenizer = PreTokenizer(
            steps: [.split(.words(.gpt2), .isolated, invert: false)], isByteLevel: true)
        decoder.steps = [.byteLevel]
        vocabulary = try VocabularyReader.read(entries, added: [])
        let options = MergeReader.Options(isByteLevel: true)
        model = .bytePairs(try MergeReader.encoder(MergeReader.merges(text: merges), vocabulary, options))
    }

    private init(_ value: JSONValue) throws(TokenizerError) {
        let root = Field(value, path: "")
        _ = try root.object()
        let model = try root.required("model")
        normalizer = try root.optional("normalizer").map(ComponentReader.normalizer)
        if let field = root.optional("pre_tokenizer") {
            preTokenizer = try ComponentReader.preTokenizer(field)
        }
        decoder = try ComponentReader.decoder(root.optional("decoder"))
        addedTokens = try VocabularyReader.addedTokens(root.optional("added_tokens"))

        // Old files leave out the type; unigram models have a list where others have a map.
        let isList = model.optional("vocab")?.value.arrayValue != nil
        switch try model.type(default: isList ? "Unigram" : "BPE") {
        case "BPE":
            vocabulary = try VocabularyReader.read(model.required("vocab"), added: addedTokens)
            self.model = .bytePairs(
                try MergeReader.encoder(
                    MergeReader.merges(model.required("merges")), vocabulary,
                    MergeReader.options(model, vocabulary, isByteLevel: preTokenizer.isByteLevel)))
        case "Unigram":
            (vocabulary, self.model) = try UnigramReader.read(
                model, added: addedTokens, isByteLevel: preTokenizer.isByteLevel)
        default:
            throw try model.required("type").unsupported("BPE, Unigram")
        }
        if let field = root.optional("post_processor") {
            postProcessor = try ComponentReader.postProcessor(field, vocabulary)
        }
    }

    private static func parse(_ bytes: [UInt8]) throws(TokenizerError) -> JSONValue {
        do {
            return try JSONValue(parsing: bytes)
        } catch {
            throw .malformedJSON(reason: error.description)
        }
    }
}

extension Field {
    /// The declared kind; old files leave out that a model is `BPE`.
    func type(default fallback: String) throws(TokenizerError) -> String {
        try optional("type")?.string() ?? fallback
    }
}
