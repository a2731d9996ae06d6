// SPDX-License-Identifier: Apache-2.0

package import TandemFormat
package import TandemJSON

/// A model that can be packed, whatever format it comes in: the contract between checkpoint formats and the packer.
///
/// A format reads its metadata into a ``ModelConfiguration``, and says for each tensor of the container where it
/// comes from. Everything else (plans, quantisers, writing, progress) is the packer's. No weights are read here.
package struct ModelSource: Sendable {
    /// The directory or file that messages name.
    package let path: String
    /// The model's own name, for the provenance; no directories.
    package let name: String
    /// The architecture as its format names it, for the provenance: "LlamaForCausalLM", "gguf llama".
    package let architecture: String
    package let configuration: ModelConfiguration
    /// In the order of `configuration.requiredTensors(_:)`.
    package let tensors: [SourceTensor]
    package let tokenizer: any TokenizerProvider
    /// What else the provenance says about the model.
    package var details = JSONObject()

    /// A tensor that a configuration asks for, without the role.
    package enum Slot: Hashable, Sendable {
        case embed
        case norm
        case head
        case layer(Int, LayerPart)
    }

    /// The slots of a configuration's tensors in the order of ``tensors``; RoPE frequencies, which have none, left out.
    static func slots(of configuration: ModelConfiguration) -> [Slot] {
        var slots = [Slot.embed]
        for layer in 0..<configuration.layerCount {
            for part in configuration.architecture.layerParts { slots.append(.layer(layer, part)) }
        }
        slots.append(.norm)
        if !configuration.tiedEmbeddings { slots.append(.head) }
        return slots
    }

    /// Asks for the source of every tensor the configuration needs, and checks its shape.
    ///
    /// - Parameters:
    ///   - ropes: one for each entry of the configuration's `architecture.ropes`.
    ///   - tensor: the source of a tensor. A vector of n elements has n rows and one column.
    /// - Throws: ``PackError``: what `tensor` throws, or ``PackError/wrongShape(path:tensor:found:expected:)``.
    package init(
        path: String, name: String, architecture: String, configuration: ModelConfiguration,
        ropes: [RopeFrequencies], tokenizer: any TokenizerProvider,
        tensor: (Slot) throws(PackError) -> SourceTensor
    ) throws(PackError) {
        self.path = path
        self.name = name
        self.architecture = architecture
        self.configuration = configuration
        self.tokenizer = tokenizer
        var tensors = [try tensor(.embed)]
        for (index, rope) in ropes.enumerated() {
            func computed(_ suffix: String, _ values: [Float]) -> SourceTensor {
                SourceTensor(ComputedVector(path: path, name: "rope \(index)\(suffix)", values: values))
            }
            tensors.append(computed("", rope.frequencies))
            if let long = rope.long { tensors.append(computed(", long", long.frequencies)) }
        }
        for layer in 0..<configuration.layerCount {
            for part in configuration.architecture.layerParts {
                try tensors.append(tensor(.layer(layer, part)))
            }
        }
        try tensors.append(tensor(.norm))
        if !configuration.tiedEmbeddings { try tensors.append(tensor(.head)) }
        self.tensors = tensors
        try checkShapes()
    }

    /// Every tensor of the container with its source, in execution order.
    package func sources(_ role: ModelRole) -> [(requirement: TensorRequirement, source: SourceTensor)] {
        Array(zip(configuration.requiredTensors(role), tensors)).map { (requirement: $0, source: $1) }
    }

    private func checkShapes() throws(PackError) {
        let required = configuration.requiredTensors(.primary)
        guard required.count == tensors.count else {
            throw .notACheckpoint(
                path: path, reason: "it gives \(tensors.count) tensors where \(required.count) are needed")
        }
        for (requirement, tensor) in zip(required, tensors) {
            let expected =
                requirement.isVector ? [requirement.columns, 1] : [requirement.rows, requirement.columns]
            guard [tensor.rows, tensor.columns] == expected else {
                throw .wrongShape(
                    path: tensor.path, tensor: tensor.name, found: [tensor.rows, tensor.columns],
                    expected: expected)
            }
        }
    }
}

/// The tokenizer that belongs to a model.
package protocol TokenizerProvider: Sendable {
    /// The text of every id; nil when the model has no tokenizer of its own.
    func vocabulary() throws(PackError) -> VocabularyTable?

    /// The tokenizer as it goes into the container.
    ///
    /// - Parameter vocabularySize: the model's; all ids are below it.
    func load(vocabularySize: Int) throws(PackError) -> TokenizerSource
}
