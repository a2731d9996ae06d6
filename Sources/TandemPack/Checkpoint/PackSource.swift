// SPDX-License-Identifier: Apache-2.0

import Glibc
import TandemFormat
import TandemJSON

/// Everything that goes into one file, checked: the models, the projections and the tokenizer.
struct PackSource: Sendable {
    let primary: HuggingFaceModel
    let secondary: HuggingFaceModel?
    /// The projections in the order of the secondary's layers; empty unless the source is a tandem.
    let projections: [SourceTensor]
    let tandem: TandemConfiguration?
    let tokenizer: TokenizerSource
    let provenance: JSONObject

    /// - Parameters:
    ///   - path: a tandem checkpoint, or a model in Hugging Face layout.
    ///   - override: a model in Hugging Face layout that becomes the secondary, without projections.
    init(path: String, secondary override: String?) throws(PackError) {
        switch try PathKind(path) {
        case .missing: throw .fileSystem(operation: "open", path: path, code: ENOENT)
        case .file, .other: throw .notADirectory(path: path)
        case .directory: break
        }
        if try PathKind(Paths.join(path, TandemCheckpoint.fileName)) != .missing {
            try self.init(checkpoint: TandemCheckpoint(directory: path), secondary: override)
        } else if try PathKind(Paths.join(path, "config.json")) != .missing {
            let primary = try HuggingFaceModel(directory: path)
            let secondary = try PackSource.model(override)
            try self.init(
                name: Paths.lastComponent(path), primary: primary, secondary: secondary, checkpoint: nil,
                isTandem: false)
        } else {
            throw .notACheckpoint(
                path: path,
                reason: "it has neither tandem.json nor config.json; give the directory that has one")
        }
    }

    private init(checkpoint: TandemCheckpoint, secondary override: String?) throws(PackError) {
        let secondary = try HuggingFaceModel(directory: override ?? checkpoint.secondary)
        try self.init(
            name: Paths.lastComponent(checkpoint.directory),
            primary: HuggingFaceModel(directory: checkpoint.primary), secondary: secondary,
            checkpoint: checkpoint,
            isTandem: override == nil && checkpoint.kind == .tandem)
    }

    private init(
        name: String, primary: HuggingFaceModel, secondary: HuggingFaceModel?, checkpoint: TandemCheckpoint?,
        isTandem: Bool
    ) throws(PackError) {
        self.primary = primary
        self.secondary = secondary
        if let checkpoint, let secondary, isTandem {
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
        let tokenizerPath: String
        if let checkpoint {
            tokenizerPath = checkpoint.tokenizer
        } else {
            tokenizerPath = try TokenizerSource.path(forModel: primary.directory)
        }
        tokenizer = try TokenizerSource(
            path: tokenizerPath,
            modelDirectory: primary.directory, vocabularySize: primary.configuration.vocabularySize)
        if let secondary {
            let sizes = (primary.configuration.vocabularySize, secondary.configuration.vocabularySize)
            guard sizes.0 == sizes.1 else {
                throw .vocabularySizesDiffer(primary: sizes.0, secondary: sizes.1)
            }
            let isOwn = secondary.directory == checkpoint?.secondary
            try tokenizer.checkSameVocabulary(asModel: secondary.directory, mayLackTokenizer: isOwn)
        }
        provenance = PackSource.provenance(
            name: name, primary: primary, secondary: secondary, checkpoint: checkpoint)
    }

    private static func model(_ directory: String?) throws(PackError) -> HuggingFaceModel? {
        guard let directory else { return nil }
        return try HuggingFaceModel(directory: directory)
    }

    private static func projections(
        _ checkpoint: TandemCheckpoint, primary: HuggingFaceModel, secondary: HuggingFaceModel
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
        return tensors
    }

    private static func provenance(
        name: String, primary: HuggingFaceModel, secondary: HuggingFaceModel?, checkpoint: TandemCheckpoint?
    ) -> JSONObject {
        func describe(_ model: HuggingFaceModel) -> JSONValue {
            ["name": .string(model.name), "architecture": .string(model.architecture)]
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

extension SourceTensor {
    /// Checks shape and element type.
    func check(shape expected: [Int]) throws(PackError) {
        guard shape == expected else {
            throw .wrongShape(path: file.path, tensor: name, found: shape, expected: expected)
        }
        guard type.isWeightSource else {
            throw .unsupportedElementType(path: file.path, tensor: name, type: type.rawValue)
        }
    }
}
