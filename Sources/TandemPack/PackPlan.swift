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
        let treatment: WeightTreatment?
        /// What is known of a matrix's inputs.
        let statistics: InputStatistics?
    }

    struct Chunk: Sendable {
        let name: String
        var tensors: [Tensor]
        /// Whether a model whose weights do not fit in memory reads the chunk again in every pass: a layer of the primary.
        var isStreamable: Bool { name.hasPrefix("\(ModelRole.primary.rawValue).layers.") }
    }

    private(set) var chunks: [Chunk] = []
    /// Bytes of all source tensors.
    private(set) var sourceSize = 0
    private let options: PackOptions

    init(source: PackSource, drafting: DraftingSource?, options: PackOptions) throws(PackError) {
        self.options = options
        if let secondary = source.secondary {
            try add(secondary, role: .secondary)
            for (index, tensor) in source.projections.enumerated() {
                let name = TensorName.projection(index)
                let place = MatrixPlace(
                    tensor: name, role: .secondary, configuration: secondary.configuration)
                try add(
                    tensor, name: name, rows: tensor.rows, columns: tensor.columns, place: place,
                    chunk: "tandem.projections")
            }
            for (requirement, tensor) in drafting?.sources(secondary: secondary) ?? [] {
                let place = MatrixPlace(
                    tensor: requirement.name, role: .secondary, configuration: secondary.configuration)
                try add(
                    tensor, name: requirement.name, rows: requirement.rows, columns: requirement.columns,
                    place: requirement.isVector || requirement.isFloat ? nil : place,
                    isMatrix: !requirement.isVector, chunk: "drafting")
            }
        }
        try add(source.primary, role: .primary)
    }

    /// One chunk for the embeddings, one for computed frequencies, one for each layer, one for what follows the layers.
    private mutating func add(_ model: ModelSource, role: ModelRole) throws(PackError) {
        for (requirement, source) in model.sources(role) {
            let name = requirement.name
            let place = MatrixPlace(tensor: name, role: role, configuration: model.configuration)
            try add(
                source, name: name, rows: requirement.rows, columns: requirement.columns,
                place: requirement.isVector ? nil : place,
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

    /// - Parameters:
    ///   - place: nil for vectors, and for matrices that no recipe changes.
    ///   - isMatrix: whether what has no place is a matrix of floats.
    private mutating func add(
        _ source: SourceTensor, name: String, rows: Int, columns: Int, place: MatrixPlace?,
        isMatrix: Bool = false, chunk: String
    ) throws(PackError) {
        let treatment =
            place.map(options.recipe.treatment(of:)) ?? (isMatrix ? WeightTreatment(unchecked: .f32) : nil)
        let statistics = place == nil ? nil : options.calibration?.inputs[name]
        if let statistics, statistics.columns != columns {
            throw .invalidOption(
                name: "the calibration of '\(name)'", value: "for \(statistics.columns) columns",
                allowed: "for \(columns)")
        }
        let layout: TensorLayout
        do throws(FormatError) {
            if let treatment {
                layout = try treatment.format.layout(rows: rows, columns: columns)
            } else {
                layout = try TensorLayout(encoding: .f32, rows: rows, columns: columns)
            }
        } catch {
            throw .format(error)
        }
        if chunks.last?.name != chunk { chunks.append(Chunk(name: chunk, tensors: [])) }
        chunks[chunks.count - 1].tensors.append(
            Tensor(
                name: name, source: source, layout: layout, treatment: treatment, statistics: statistics))
        sourceSize += source.length
    }

    /// The manifest's record of how the weights were quantised: the recipe, the calibration, and how many matrices
    /// got which format by which quantiser.
    var quantization: JSONObject {
        var object: JSONObject = ["recipe": .object(options.recipe.json)]
        if let calibration = options.calibration {
            object["calibration"] = ["tokens": .integer(Int64(calibration.tokenCount))]
        }
        var counts = JSONObject()
        for tensor in chunks.flatMap(\.tensors) {
            guard let name = tensor.formatName else { continue }
            counts[name] = .integer(Int64((counts[name]?.intValue ?? 0) + 1))
        }
        object["matrices"] = .object(counts)
        return object
    }
}

extension PackPlan.Tensor {
    /// The quantiser that will find a matrix's integers; nil for vectors and f32.
    var quantizerName: String? {
        guard let treatment, let quantizer = treatment.quantizer(isCalibrated: statistics != nil) else {
            return nil
        }
        return treatment.format.manifestName(quantizer)
    }

    /// A matrix's format and quantiser: "int4z/32 rtn-mse"; nil for vectors.
    var formatName: String? {
        guard let treatment else { return nil }
        return quantizerName.map { "\(treatment.format.name) \($0)" } ?? treatment.format.name
    }
}
