// SPDX-License-Identifier: Apache-2.0

import Glibc
import TandemFormat
import TandemJSON

/// Everything that goes into one file, checked: the models, the projections and the tokenizer.
struct PackSource: Sendable {
    let primary: ModelSource
    let secondary: ModelSource?
    /// The projections in the order of the secondary's layers; empty unless the source is a tandem.
    let projections: [SourceTensor]
    let tandem: TandemConfiguration?
    /// The checkpoint's block-length router, when its own secondary is packed.
    let router: RouterSource?
    /// The checkpoint's: of its tokens, whatever secondary is packed.
    let frequencies: TokenFrequencies?
    let tokenizer: TokenizerSource
    let provenance: JSONObject

    init(
        primary: ModelSource, secondary: ModelSource?, projections: [SourceTensor],
        tandem: TandemConfiguration?, router: RouterSource? = nil, frequencies: TokenFrequencies? = nil,
        tokenizer: TokenizerSource, provenance: JSONObject
    ) {
        self.primary = primary
        self.secondary = secondary
        self.projections = projections
        self.tandem = tandem
        self.router = router
        self.frequencies = frequencies
        self.tokenizer = tokenizer
        self.provenance = provenance
    }

    /// - Parameters:
    ///   - path: a tandem checkpoint, or a model.
    ///   - override: a model that becomes the secondary, without projections.
    init(path: String, secondary override: String?) throws(PackError) {
        if try PathKind(Paths.join(path, TandemCheckpoint.fileName)) != .missing {
            try self.init(checkpoint: TandemCheckpoint(directory: path), secondary: override)
        } else {
            let primary = try ModelSource(path: path)
            let secondary = try override.map { (path) throws(PackError) in try ModelSource(path: path) }
            try self.init(
                name: Paths.lastComponent(path), primary: primary, secondary: secondary, checkpoint: nil,
                isOwnPair: false)
        }
    }

    private init(checkpoint: TandemCheckpoint, secondary override: String?) throws(PackError) {
        let primary = try HuggingFaceModel(directory: checkpoint.primary)
            .source(
                tokenizer: HuggingFaceTokenizer(
                    checkpoint: checkpoint, modelDirectory: checkpoint.primary))
        let secondary: ModelSource
        if let override {
            secondary = try ModelSource(path: override)
        } else {
            secondary = try HuggingFaceModel(directory: checkpoint.secondary)
                .source(tokenizer: HuggingFaceTokenizer(modelDirectory: checkpoint.secondary))
        }
        try self.init(
            name: Paths.lastComponent(checkpoint.directory), primary: primary, secondary: secondary,
            checkpoint: checkpoint, isOwnPair: override == nil)
    }

    /// - Parameter isOwnPair: whether the secondary is the checkpoint's, to which projections and router belong.
    private init(
        name: String, primary: ModelSource, secondary: ModelSource?, checkpoint: TandemCheckpoint?,
        isOwnPair: Bool
    ) throws(PackError) {
        self.primary = primary
        self.secondary = secondary
        if let checkpoint, let secondary, isOwnPair, checkpoint.kind == .tandem {
            let primaryLayers = primary.configuration.layerCount
            try checkpoint.check(
                primaryLayers: primaryLayers, secondaryLayers: secondary.configuration.layerCount)
            projections = try PackSource.projections(checkpoint, primary: primary, secondary: secondary)
            do throws(FormatError) {
                tandem = try TandemConfiguration(
                    layerMap: checkpoint.layerMap, blockLength: checkpoint.blockLength)
            } catch {
                throw .format(error)
            }
        } else {
            projections = []
            tandem = nil
        }
        if let entry = checkpoint?.router, let secondary, isOwnPair {
            router = try RouterSource(entry, width: secondary.configuration.hiddenSize)
        } else {
            router = nil
        }
        frequencies = try checkpoint?.draftVocabulary.map { (entry) throws(PackError) in
            try TokenFrequencies(entry, vocabularySize: primary.configuration.vocabularySize)
        }
        tokenizer = try primary.tokenizer.load(vocabularySize: primary.configuration.vocabularySize)
        if let secondary {
            let isOwn = secondary.path == checkpoint?.secondary
            try PackSource.checkVocabularies(primary, secondary, mayLackTokenizer: isOwn)
        }
        provenance = PackSource.provenance(
            name: name, primary: primary, secondary: secondary, checkpoint: checkpoint)
    }

    /// What makes drafting cheaper: the checkpoint's router, and tokens that drafts are to come from.
    func drafting(_ vocabulary: DraftVocabulary) throws(PackError) -> DraftingSource? {
        let shared = secondary.map {
            min(primary.configuration.vocabularySize, $0.configuration.vocabularySize)
        }
        return try DraftingSource(
            router: router, tokens: vocabulary.tokens(tokenizer, shared: shared, known: frequencies))
    }

    /// Checks that both tokenizers give every id below both vocabularies' sizes the same text. The rest is padding:
    /// ids that the other model does not have are never drafted.
    ///
    /// - Parameter mayLackTokenizer: true for the secondary of a tandem checkpoint, which may have none of its own.
    private static func checkVocabularies(
        _ primary: ModelSource, _ secondary: ModelSource, mayLackTokenizer: Bool
    ) throws(PackError) {
        guard let second = try secondary.tokenizer.vocabulary() else {
            if mayLackTokenizer { return }
            throw .noTokenizer(path: Paths.join(secondary.path, TokenizerSource.fileName))
        }
        guard let first = try primary.tokenizer.vocabulary() else {
            throw .noTokenizer(path: Paths.join(primary.path, TokenizerSource.fileName))
        }
        let limit = min(primary.configuration.vocabularySize, secondary.configuration.vocabularySize)
        if let id = first.firstDifference(from: second, below: limit) {
            throw .vocabulariesDiffer(id: id, primary: first.tokens[id], secondary: second.tokens[id])
        }
    }

    private static func projections(
        _ checkpoint: TandemCheckpoint, primary: ModelSource, secondary: ModelSource
    ) throws(PackError) -> [SourceTensor] {
        guard let path = checkpoint.projections else { return [] }
        let weights = try SafetensorsCheckpoint(file: path)
        let names = checkpoint.layerMap.indices.map { "tandem.projections.\($0).weight" }
        let missing = names.filter { weights.tensors[$0] == nil }
        guard missing.isEmpty else { throw .missingTensors(path: path, names: missing) }
        let unexpected = Set(weights.tensors.keys).subtracting(names)
        guard unexpected.isEmpty else { throw .unexpectedTensors(path: path, names: unexpected.sorted()) }

        let expected = [secondary.configuration.hiddenSize, primary.configuration.hiddenSize]
        let tensors = names.compactMap { weights.tensors[$0] }
        for tensor in tensors {
            try tensor.check(shape: expected)
        }
        return tensors.map { SourceTensor($0) }
    }

    private static func provenance(
        name: String, primary: ModelSource, secondary: ModelSource?, checkpoint: TandemCheckpoint?
    ) -> JSONObject {
        func describe(_ model: ModelSource) -> JSONValue {
            var object = JSONObject()
            object["name"] = .string(model.name)
            object["architecture"] = .string(model.architecture)
            for member in model.details.members { object[member.key] = member.value }
            return .object(object)
        }
        var object = JSONObject()
        object["tool"] = .string("tandem pack \(LibraryVersion.current)")
        object["source"] = .string(name)
        object["primary"] = describe(primary)
        if let secondary { object["secondary"] = describe(secondary) }
        if let checkpoint, !checkpoint.provenance.isEmpty {
            object["checkpoint"] = .object(checkpoint.provenance)
        }
        return object
    }
}

extension ModelSource {
    /// Opens the model at a path, in whatever format it is.
    ///
    /// - Parameter path: a GGUF file, or a directory: in Hugging Face layout, or with one GGUF model.
    init(path: String) throws(PackError) {
        switch try PathKind(path) {
        case .missing: throw .fileSystem(operation: "open", path: path, code: ENOENT)
        case .file where try GGUFSet.isModel(path):
            self = try ModelSource(gguf: path)
            return
        case .file, .other: throw .notADirectory(path: path)
        case .directory: break
        }
        guard try PathKind(Paths.join(path, "config.json")) != .missing else {
            guard let file = try GGUFSet.only(in: path) else {
                throw .notACheckpoint(
                    path: path,
                    reason: "it has neither tandem.json nor config.json, nor a GGUF file; "
                        + "give the directory that has one")
            }
            self = try ModelSource(gguf: file)
            return
        }
        self = try HuggingFaceModel(directory: path)
            .source(tokenizer: HuggingFaceTokenizer(modelDirectory: path))
    }
}
