// SPDX-License-Identifier: Apache-2.0

import Glibc
import TandemFormat
import TandemJSON

/// A model in Hugging Face layout: `config.json` and safetensors weights, checked against each other.
struct HuggingFaceModel: Sendable {
    let directory: String
    let architecture: String
    let family: ModelFamily
    let settings: JSONFile
    let configuration: ModelConfiguration
    let weights: SafetensorsCheckpoint

    /// The directory's own name.
    var name: String { Paths.lastComponent(directory) }

    init(directory: String) throws(PackError) {
        guard try PathKind(directory) == .directory else {
            guard try PathKind(directory) != .missing else {
                throw .fileSystem(operation: "open", path: directory, code: ENOENT)
            }
            throw .notADirectory(path: directory)
        }
        let settings = try JSONFile(path: Paths.join(directory, "config.json"))
        let (family, architecture) = try HuggingFaceModel.family(of: settings)
        for rule in family.rules { try rule.check(settings) }
        self.directory = directory
        self.architecture = architecture
        self.family = family
        self.settings = settings
        configuration = try ConfigurationMapping(settings: settings, family: family).configuration()
        weights = try SafetensorsCheckpoint(directory: directory)
        try checkTensors()
    }

    private static func family(of settings: JSONFile) throws(PackError) -> (ModelFamily, String) {
        guard let names = settings["architectures"]?.arrayValue, let name = names.first?.stringValue else {
            throw settings.invalid("architectures", "does not name the architecture")
        }
        guard let family = ModelFamily.all.first(where: { $0.architectures.contains(name) }) else {
            throw .unsupportedArchitecture(
                path: settings.path, name: name, supported: ModelFamily.supportedArchitectures)
        }
        let type = try settings.string("model_type", default: family.modelType)
        guard type == family.modelType else {
            throw settings.invalid("model_type", "is '\(type)', which contradicts the architecture \(name)")
        }
        return (family, name)
    }

    /// The checkpoint's tensor for each tensor of the container, in execution order.
    func sources(
        _ role: ModelRole
    ) throws(PackError) -> [(requirement: TensorRequirement, source: SourceTensor)] {
        var result: [(requirement: TensorRequirement, source: SourceTensor)] = []
        for (requirement, name) in zip(configuration.requiredTensors(role), tensorNames) {
            guard let source = weights.tensors[name] else {
                throw .missingTensors(path: weights.path, names: [name])
            }
            result.append((requirement, source))
        }
        return result
    }

    /// The checkpoint's names in the order of `requiredTensors`.
    private var tensorNames: [String] {
        var names = [family.names.embed]
        for layer in 0..<configuration.layerCount {
            for part in configuration.architecture.layerParts { names.append(family.names.layer(layer, part)) }
        }
        names.append(family.names.norm)
        if !configuration.tiedEmbeddings { names.append(family.names.head) }
        return names
    }

    private func checkTensors() throws(PackError) {
        let names = tensorNames
        let missing = names.filter { weights.tensors[$0] == nil }
        guard missing.isEmpty else { throw .missingTensors(path: weights.path, names: missing) }

        let known = Set(names)
        let unexpected = weights.tensors.keys.filter { name in
            !known.contains(name) && !family.names.isIgnored(name)
                && !(configuration.tiedEmbeddings && name == family.names.head)
        }
        guard unexpected.isEmpty else {
            throw .unexpectedTensors(path: weights.path, names: unexpected.sorted())
        }
        for (requirement, source) in try sources(.primary) {
            try source.check(
                shape: requirement.isVector ? [requirement.columns] : [requirement.rows, requirement.columns])
        }
        try checkTiedHead()
    }

    /// A tied checkpoint may repeat the embeddings as the output head; other values there would be lost silently.
    private func checkTiedHead() throws(PackError) {
        guard configuration.tiedEmbeddings, let head = weights.tensors[family.names.head],
            let embed = weights.tensors[family.names.embed]
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
