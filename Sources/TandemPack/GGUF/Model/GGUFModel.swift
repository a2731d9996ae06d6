// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemJSON

/// A model in a GGUF file, or in all parts of a split one: metadata and tensors, checked against each other.
struct GGUFModel: Sendable {
    let settings: GGUFSettings
    let family: GGUFFamily
    let configuration: ModelConfiguration
    private let weights: GGUFWeights
    private let ropes: [RopeFrequencies]

    var path: String { weights.path }

    /// - Parameter path: the file, or any part of a split one.
    init(path: String) throws(PackError) {
        let weights = try GGUFWeights(path: path)
        let settings = try GGUFSettings(weights.head)
        let family = try GGUFFamily.named(settings)
        self.weights = weights
        self.settings = settings
        self.family = family
        (configuration, ropes) = try GGUFConfiguration(settings: settings, family: family, weights: weights)
            .configuration()
        try checkNames()
    }

    /// The model as the packer takes it.
    ///
    /// - Parameter tokenizer: the tokenizer that belongs to it.
    func source(tokenizer: any TokenizerProvider) throws(PackError) -> ModelSource {
        var source = try ModelSource(
            path: path, name: name, architecture: "gguf \(family.name)", configuration: configuration,
            ropes: ropes, tokenizer: tokenizer
        ) { (slot) throws(PackError) in try self.source(of: slot) }
        source.details["types"] = .object(typeCounts)
        return source
    }

    /// The model's name in the metadata, else the file's.
    private var name: String {
        get throws(PackError) {
            if let name = try GGUFSettings.text(settings.file, "general.name"), !name.isEmpty { return name }
            return Paths.lastComponent(path)
        }
    }

    // MARK: Tensors

    /// Where a tensor of the container is: a stored tensor, and the rows of it that count.
    private struct Place {
        let name: String
        var rows: Range<Int>?
        var storedRows: Int
        let columns: Int
    }

    private func place(_ slot: ModelSource.Slot) -> Place {
        let (vocabulary, width) = (configuration.vocabularySize, configuration.hiddenSize)
        return switch slot {
        case .embed: Place(name: GGUFFamily.embedName, storedRows: vocabulary, columns: width)
        case .head: Place(name: GGUFFamily.headName, storedRows: vocabulary, columns: width)
        case .norm: Place(name: GGUFFamily.normName, storedRows: width, columns: 1)
        case .layer(let layer, let part): fused(layer, part) ?? plain(layer, part)
        }
    }

    private func plain(_ layer: Int, _ part: LayerPart) -> Place {
        Place(
            name: GGUFFamily.layerName(layer, part), storedRows: configuration.rows(of: part),
            columns: configuration.columns(of: part))
    }

    /// Parts that stand one above the other in one tensor: queries, keys and values; gate and up.
    private func fused(_ layer: Int, _ part: LayerPart) -> Place? {
        let name: String
        let parts: [LayerPart]
        switch part {
        case .query, .key, .value:
            name = GGUFFamily.fusedName(layer, isBias: false)
            parts = [.query, .key, .value]
        case .queryBias, .keyBias, .valueBias:
            name = GGUFFamily.fusedName(layer, isBias: true)
            parts = [.queryBias, .keyBias, .valueBias]
        case .gate, .up:
            guard weights.tensors[GGUFFamily.layerName(layer, .gate)] == nil else { return nil }
            name = GGUFFamily.layerName(layer, .up)
            parts = [.gate, .up]
        default: return nil
        }
        guard weights.tensors[name] != nil else { return nil }
        var place = Place(name: name, storedRows: 0, columns: configuration.columns(of: part))
        for other in parts {
            let end = place.storedRows + configuration.rows(of: other)
            if other == part { place.rows = place.storedRows..<end }
            place.storedRows = end
        }
        return place
    }

    private func source(of slot: ModelSource.Slot) throws(PackError) -> SourceTensor {
        let place = place(slot)
        guard let stored = weights.tensors[place.name] else {
            throw .missingTensors(path: path, names: [place.name])
        }
        try stored.checkType()
        guard stored.rows == place.storedRows, stored.columns == place.columns else {
            throw .wrongShape(
                path: stored.path, tensor: stored.name, found: stored.tensor.shape,
                expected: place.columns == 1 ? [place.storedRows] : [place.storedRows, place.columns])
        }
        return SourceTensor(stored, rows: place.rows, order: order(slot))
    }

    /// llama's own order of queries and keys, where the file has it.
    private func order(_ slot: ModelSource.Slot) -> RowOrder {
        guard family.isInterleaved, case .layer(_, let part) = slot else { return .stored }
        switch part {
        case .query, .queryBias, .key, .keyBias: return .interleaved(headSize: configuration.headSize)
        default: return .stored
        }
    }

    // MARK: Checks

    private func checkNames() throws(PackError) {
        var slots = [ModelSource.Slot.embed, .norm]
        if !configuration.tiedEmbeddings { slots.append(.head) }
        for layer in 0..<configuration.layerCount {
            for part in configuration.architecture.layerParts { slots.append(.layer(layer, part)) }
        }
        var known: Set<String> = [GGUFFamily.ropeName, GGUFFamily.shortRopeName, GGUFFamily.longRopeName]
        var missing: [String] = []
        for slot in slots {
            let name = place(slot).name
            if known.insert(name).inserted, weights.tensors[name] == nil { missing.append(name) }
        }
        guard missing.isEmpty else { throw .missingTensors(path: path, names: missing) }
        let unexpected = weights.tensors.keys.filter { !known.contains($0) }
        guard unexpected.isEmpty else { throw .unexpectedTensors(path: path, names: unexpected.sorted()) }
    }
}

extension GGUFModel {
    /// How many tensors there are of each element type.
    private var typeCounts: JSONObject {
        var counts: [String: Int] = [:]
        for tensor in weights.tensors.values { counts[tensor.typeName, default: 0] += 1 }
        var object = JSONObject()
        for (name, count) in counts.sorted(by: { $0.key < $1.key }) { object[name] = .integer(Int64(count)) }
        return object
    }
}
