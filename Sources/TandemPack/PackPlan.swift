// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemJSON

/// The chunks of the file to be written, in file order, with the source of every tensor.
struct PackPlan: Sendable {
    struct Tensor: Sendable {
        let name: String
        let source: SourceTensor
        let layout: TensorLayout
        /// nil for vectors, which stay plain 32-bit floats.
        let format: WeightFormat?
    }

    struct Chunk: Sendable {
        let name: String
        var tensors: [Tensor]
    }

    private(set) var chunks: [Chunk] = []
    /// Bytes of all source tensors.
    private(set) var sourceSize = 0
    private let options: PackOptions

    init(source: PackSource, options: PackOptions) throws(PackError) {
        self.options = options
        if let secondary = source.secondary { try add(secondary, role: .secondary) }
        for (index, tensor) in source.projections.enumerated() {
            try add(
                tensor, name: TensorName.projection(index), rows: tensor.rows, columns: tensor.columns,
                format: options.projections, chunk: "tandem.projections")
        }
        try add(source.primary, role: .primary)
    }

    /// One chunk for the embeddings, one for computed frequencies, one for each layer, one for what follows the layers.
    private mutating func add(_ model: ModelSource, role: ModelRole) throws(PackError) {
        let vocabularyTensors = [TensorName.embed(role), TensorName.head(role)]
        let format = role == .primary ? options.primary : options.secondary
        for (requirement, source) in model.sources(role) {
            let name = requirement.name
            let isVocabulary = vocabularyTensors.contains(name)
            try add(
                source, name: name, rows: requirement.rows, columns: requirement.columns,
                format: requirement.isVector ? nil : isVocabulary ? options.embeddings ?? format : format,
                chunk: PackPlan.chunkName(of: name, role: role))
        }
    }

    private static func chunkName(of tensor: String, role: ModelRole) -> String {
        if tensor == TensorName.embed(role) { return tensor }
        let parts = tensor.split(separator: ".")
        switch parts[1] {
        case "layers": return parts[0..<3].joined(separator: ".")
        case "ropes": return "\(role.rawValue).ropes"
        default: return "\(role.rawValue).output"
        }
    }

    private mutating func add(
        _ source: SourceTensor, name: String, rows: Int, columns: Int, format: WeightFormat?, chunk: String
    ) throws(PackError) {
        let layout: TensorLayout
        do throws(FormatError) {
            if let format {
                layout = try format.layout(rows: rows, columns: columns)
            } else {
                layout = try TensorLayout(encoding: .f32, rows: rows, columns: columns)
            }
        } catch {
            throw .format(error)
        }
        if chunks.last?.name != chunk { chunks.append(Chunk(name: chunk, tensors: [])) }
        chunks[chunks.count - 1].tensors.append(
            Tensor(name: name, source: source, layout: layout, format: format))
        sourceSize += source.length
    }
}

extension PackOptions {
    /// The manifest's record of how the weights were quantised.
    func quantization(for source: PackSource) -> JSONObject {
        func describe(_ format: WeightFormat) -> JSONValue {
            var object: JSONObject = ["format": .string(format.name)]
            if let quantizer = format.quantizer { object["quantizer"] = .string(quantizer) }
            return .object(object)
        }
        var object: JSONObject = ["primary": describe(primary)]
        if source.secondary != nil { object["secondary"] = describe(secondary) }
        if source.tandem != nil { object["projections"] = describe(projections) }
        if let embeddings { object["embeddings"] = describe(embeddings) }
        return object
    }
}
