// SPDX-License-Identifier: Apache-2.0

import Glibc
import TandemFormat
import TandemJSON

/// A model in Hugging Face layout: `config.json` and safetensors weights, checked against each other.
struct HuggingFaceModel: Sendable {
    let directory: String
    let architecture: String
    let family: ModelFamily
    let configuration: ModelConfiguration
    let ropes: [RopeFrequencies]
    let weights: SafetensorsCheckpoint
    /// What stands before the names in this checkpoint.
    private let prefix: (body: String, head: String)

    init(directory: String) throws(PackError) {
        guard try PathKind(directory) == .directory else {
            guard try PathKind(directory) != .missing else {
                throw .fileSystem(operation: "open", path: directory, code: ENOENT)
            }
            throw .notADirectory(path: directory)
        }
        let settings = try HuggingFaceConfiguration(path: Paths.join(directory, "config.json"))
        self.directory = directory
        architecture = settings.architecture
        family = settings.family
        configuration = settings.configuration
        ropes = settings.ropes
        let weights = try SafetensorsCheckpoint(directory: directory)
        self.weights = weights
        let names = family.names
        prefix =
            names.prefixes.first { weights.tensors["\($0.body)\(names.embed)"] != nil } ?? names.prefixes[0]
        try checkNames()
        try checkTiedHead()
    }

    /// The model as the packer takes it.
    ///
    /// - Parameter tokenizer: the tokenizer that belongs to it.
    func source(tokenizer: any TokenizerProvider) throws(PackError) -> ModelSource {
        try ModelSource(
            path: directory, name: Paths.lastComponent(directory), architecture: architecture,
            configuration: configuration, ropes: ropes, tokenizer: tokenizer
        ) { (slot) throws(PackError) in try source(of: slot) }
    }

    // MARK: Tensors

    private func storedName(_ slot: ModelSource.Slot) -> String {
        let names = family.names
        return switch slot {
        case .embed: prefix.body + names.embed
        case .norm: prefix.body + names.norm
        case .head: prefix.head + names.head
        case .layer(let layer, let part):
            "\(prefix.body)layers.\(layer).\(names.parts[part] ?? part.rawValue)"
        }
    }

    private var slots: [ModelSource.Slot] { ModelSource.slots(of: configuration) }

    private func source(of slot: ModelSource.Slot) throws(PackError) -> SourceTensor {
        let name = storedName(slot)
        guard let stored = weights.tensors[name] else {
            throw .missingTensors(path: weights.path, names: [name])
        }
        switch slot {
        case .embed, .head:
            try stored.check(shape: [configuration.vocabularySize, configuration.hiddenSize])
            return SourceTensor(stored)
        case .norm:
            try stored.check(shape: [configuration.hiddenSize])
            return SourceTensor(stored, offset: family.traits.normOffset)
        case .layer(_, let part):
            let (rows, all) = family.rows(of: part, in: configuration)
            let columns = configuration.columns(of: part)
            try stored.check(shape: columns == 1 ? [all] : [all, columns])
            return SourceTensor(stored, rows: rows, offset: part.isNorm ? family.traits.normOffset : 0)
        }
    }

    // MARK: Checks

    private func checkNames() throws(PackError) {
        let names = slots.map(storedName)
        var missing: [String] = []
        for name in names where weights.tensors[name] == nil && !missing.contains(name) {
            missing.append(name)
        }
        guard missing.isEmpty else { throw .missingTensors(path: weights.path, names: missing) }

        let known = Set(names)
        let unexpected = weights.tensors.keys.filter { name in
            !known.contains(name) && !family.names.isIgnored(name)
                && !(configuration.tiedEmbeddings && name == storedName(.head))
        }
        guard unexpected.isEmpty else {
            throw .unexpectedTensors(path: weights.path, names: unexpected.sorted())
        }
    }

    /// A tied checkpoint may repeat the embeddings as the output head; other values there would be lost silently.
    private func checkTiedHead() throws(PackError) {
        guard configuration.tiedEmbeddings, let head = weights.tensors[storedName(.head)],
            let embed = weights.tensors[storedName(.embed)]
        else { return }
        let differs = PackError.tiedHeadDiffers(path: head.file.path, tensor: head.name)
        guard head.type == embed.type, head.shape == embed.shape else { throw differs }
        var done = 0
        while done < head.tensor.length {
            let count = min(1 << 20, head.tensor.length - done)
            let first = try embed.file.bytes(at: embed.tensor.offset + done, count: count)
            let second = try head.file.bytes(at: head.tensor.offset + done, count: count)
            guard first == second else { throw differs }
            done += count
        }
    }
}

extension StoredTensor {
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
