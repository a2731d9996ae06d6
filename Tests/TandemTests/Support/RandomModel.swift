// SPDX-License-Identifier: Apache-2.0

import Foundation
import TandemFormat

/// A seeded random model: the values of its tensors, and a writer of files that hold them.
struct RandomModel {
    let recipe: ModelRecipe
    private(set) var matrices: [String: TestMatrix] = [:]
    private(set) var vectors: [String: [Float]] = [:]
    /// Before quantisation, for secondaries that copy the primary.
    private var originals: [String: [Float]] = [:]

    init(_ recipe: ModelRecipe) throws {
        self.recipe = recipe
        var random = TestRandom(seed: recipe.seed)
        let manifest = try manifest(tokenizerChunk: nil)
        // The primary first: a secondary may be a copy of it.
        let required = manifest.requiredTensors()
        for requirement in required where requirement.name.hasPrefix("primary.") {
            try add(requirement, random: &random)
        }
        for requirement in required where !requirement.name.hasPrefix("primary.") {
            try add(requirement, random: &random)
        }
    }

    func manifest(tokenizerChunk: Int?) throws -> Manifest {
        let tandem = try recipe.layerMap.map {
            try TandemConfiguration(layerMap: $0, blockLength: recipe.blockLength)
        }
        return try Manifest(
            primary: recipe.primary.configuration(),
            secondary: recipe.secondaryShape.map { try $0.configuration() },
            tandem: tandem,
            drafting: recipe.router == nil && recipe.draftTokens == nil
                ? nil
                : DraftingConfiguration(router: recipe.router, vocabularySize: recipe.draftTokens?.count),
            tokenizer: tokenizerChunk.map {
                TokenizerReference(
                    chunk: $0, bos: nil, eos: recipe.endTokens, addBOS: false, chatTemplate: nil)
            })
    }

    /// Writes the model as a `.tandem` file.
    func write(to path: String) throws {
        let writer = try TandemWriter(path: path)
        var tokenizerChunk: Int?
        if recipe.hasTokenizer {
            tokenizerChunk = try writer.addBlob(
                name: "tokenizer", bytes: ByteTokenizer.json, codec: .lz4IfSmaller)
        }
        let manifest = try manifest(tokenizerChunk: tokenizerChunk)
        var open: Substring?
        for tensor in manifest.requiredTensors() {
            let part = tensor.name.prefix { $0 != "." }
            if part != open {
                if open != nil { try writer.endChunk() }
                try writer.beginChunk(name: String(part))
                open = part
            }
            try append(tensor, to: writer)
        }
        try writer.endChunk()
        try writer.finish(manifest: manifest)
    }

    private func append(_ tensor: TensorRequirement, to writer: TandemWriter) throws {
        if let matrix = matrices[tensor.name] {
            let layout = matrix.layout
            try writer.beginTensor(
                name: tensor.name, encoding: layout.encoding, rows: layout.rows, columns: layout.columns,
                groupSize: layout.groupSize)
            try matrix.append(to: writer)
        } else if let vector = vectors[tensor.name] {
            try writer.beginTensor(name: tensor.name, encoding: .f32, rows: 1, columns: vector.count)
            try unsafe vector.withUnsafeBytes { try unsafe writer.appendData($0) }
        }
        try writer.endTensor()
    }

    // MARK: - Values

    private mutating func add(_ tensor: TensorRequirement, random: inout TestRandom) throws {
        let floats = values(of: tensor, random: &random)
        originals[tensor.name] = floats
        if tensor.isVector {
            vectors[tensor.name] = floats
            return
        }
        let format =
            tensor.isFloat
            ? .float
            : tensor.name.hasPrefix("primary.")
                ? recipe.primaryFormat
                : tensor.name.hasPrefix("tandem.") ? recipe.projectionFormat : recipe.secondaryFormat
        matrices[tensor.name] = try TestMatrix(
            rows: tensor.rows, columns: tensor.columns, floats: floats, format: format)
    }

    /// Every term is large enough to matter in a comparison, and logits have about the recipe's deviation.
    private func values(of tensor: TensorRequirement, random: inout TestRandom) -> [Float] {
        let count = tensor.rows * tensor.columns
        if tensor.name.hasPrefix("drafting.") { return draftingValues(of: tensor, random: &random) }
        if let noise = recipe.copyNoise {
            if tensor.name.hasPrefix("tandem.") {
                return (0..<count).map { $0 / tensor.columns == $0 % tensor.columns ? 1 : 0 }
            }
            if tensor.name.hasPrefix("secondary."),
                var source = originals["primary." + tensor.name.dropFirst("secondary.".count)]
            {
                // Vocabularies may differ: rows are left out, or random ones are added.
                source.removeSubrange(min(count, source.count)...)
                source += random.normals(
                    count - source.count, deviation: recipe.sharpness / Double(tensor.columns).squareRoot())
                guard noise > 0, !tensor.name.contains(".ropes.") else { return source }
                let squares = source.reduce(0) { $0 + Double($1 * $1) }
                let deviation = noise * (squares / Double(count)).squareRoot()
                return source.map { $0 + Float(deviation * random.normal()) }
            }
        }
        if tensor.name.contains(".ropes.") {
            return (0..<count).map { index in
                Float(pow(0.02, (Double(index) + 0.6 * random.uniform()) / Double(count)))
            }
        }
        if tensor.isVector {
            let isBias = tensor.name.hasSuffix("_bias")
            return random.normals(count, deviation: isBias ? 0.3 : 0.2, mean: isBias ? 0 : 1)
        }
        let fan = Double(tensor.columns).squareRoot()
        let isVocabulary = tensor.name.hasSuffix(".embed") || tensor.name.hasSuffix(".head")
        return random.normals(count, deviation: (isVocabulary ? recipe.sharpness : 1.3) / fan)
    }

    /// Tokens that are drafted, their rows of the secondary's head, and a router that says all kinds of things.
    private func draftingValues(of tensor: TensorRequirement, random: inout TestRandom) -> [Float] {
        let count = tensor.rows * tensor.columns
        let tokens = recipe.draftTokens ?? []
        switch tensor.name {
        case TensorName.draftTokens: return tokens.map(Float.init)
        case TensorName.draftHead:
            let head = originals[TensorName.head(.secondary)] ?? originals[TensorName.embed(.secondary)] ?? []
            // Tests of files that are wrong have ids without a row.
            return tokens.flatMap { token in
                let row = min(token, head.count / tensor.columns - 1)
                return head[row * tensor.columns..<(row + 1) * tensor.columns]
            }
        default: return random.normals(count, deviation: tensor.isVector ? 0.7 : 1)
        }
    }
}
