// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemJSON
import TandemPack

extension TandemFile {
    /// Models, quantisation, tokenizer, classes of tensors, chunks.
    var overview: String {
        [headline + modelLines, classTable, chunkTable].joined(separator: "\n")
    }

    private var headline: String {
        let version = "\(FormatVersion.major).\(minorVersion)"
        return "\(path): \(manifest.kind.rawValue), \(byteText(fileSize)), format \(version)\n"
    }

    private var modelLines: String {
        var table = Table([])
        table.add(["primary", manifest.primary.summary])
        if let secondary = manifest.secondary { table.add(["secondary", secondary.summary]) }
        if let tandem = manifest.tandem {
            let map = tandem.layerMap.map(String.init).joined(separator: " ")
            table.add(["tandem", "layer map \(map), block length \(tandem.blockLength)"])
        }
        if let line = draftingLine { table.add(["drafting", line]) }
        if let tokenizer = manifest.tokenizer { table.add(["tokenizer", tokenizerLine(tokenizer)]) }
        for (title, object) in [
            ("quantised", manifest.quantization), ("generation", manifest.generation),
        ] where !object.isEmpty {
            table.add([title, object.line])
        }
        if let tool = manifest.provenance["tool"]?.stringValue {
            let source = manifest.provenance["source"]?.stringValue.map { " from '\($0)'" } ?? ""
            table.add(["made by", tool + source])
        }
        for role in ModelRole.allCases {
            if let line = originLine(role) { table.add(["\(role.rawValue) from", line]) }
        }
        return table.text
    }

    /// The source's architecture, the model's own name and, for GGUF, its element types.
    private func originLine(_ role: ModelRole) -> String? {
        guard let origin = manifest.provenance[role.rawValue]?.objectValue,
            let architecture = origin["architecture"]?.stringValue
        else { return nil }
        var line = architecture
        if let name = origin["name"]?.stringValue { line += " '\(name)'" }
        if let types = origin["types"]?.objectValue {
            let counts = types.members.map { (name: $0.key, count: $0.value.intValue ?? 0) }
                .sorted { ($1.count, $0.name) < ($0.count, $1.name) }
            line += " (" + counts.map { "\($0.name) \($0.count)" }.joined(separator: ", ") + ")"
        }
        return line
    }

    private var draftingLine: String? {
        guard let drafting = manifest.drafting, let secondary = manifest.secondary else { return nil }
        var parts: [String] = []
        if let router = drafting.router {
            parts.append("router of \(router.hiddenSize) units over the \(router.topCount) likeliest tokens")
        }
        if let count = drafting.vocabularySize {
            parts.append("drafts from \(count) of \(secondary.vocabularySize) tokens")
        }
        return parts.isEmpty ? nil : parts.joined(separator: ", ")
    }

    private func tokenizerLine(_ tokenizer: TokenizerReference) -> String {
        var line = "\(byteText(chunks[tokenizer.chunk].rawLength))"
        if let bos = tokenizer.bos { line += ", bos \(bos)\(tokenizer.addBOS ? " (added to prompts)" : "")" }
        if !tokenizer.eos.isEmpty {
            line += ", eos \(tokenizer.eos.map(String.init).joined(separator: " "))"
        }
        if let template = tokenizer.chatTemplate {
            line += ", chat template of \(byteText(template.utf8.count))"
        }
        return line
    }

    private var classTable: String {
        var table = Table(["class", "tensors", "encoding", "group", "size", "bits/weight"])
        table.rightAligned = [1, 3, 4, 5]
        for group in TensorClass.group(tensors, name: \.name, encoding: \.encoding) {
            let bytes = group.members.reduce(0) { $0 + $1.dataLength + $1.scalesLength }
            let weights = group.members.reduce(0) { $0 + $1.rows * $1.columns }
            table.add([
                group.name, "\(group.members.count)", group.encoding.name, groupText(group.members),
                byteText(bytes), fixed(Double(bytes) * 8 / Double(max(weights, 1)), 2),
            ])
        }
        return table.text
    }

    private func groupText(_ members: [TensorDescriptor]) -> String {
        let sizes = Set(members.map(\.groupSize)).sorted()
        return sizes == [0] ? "-" : sizes.map(String.init).joined(separator: " ")
    }

    private var chunkTable: String {
        var table = Table(["chunk", "codec", "stored", "raw", "tensors", "why"])
        table.rightAligned = [2, 3, 4]
        for chunk in chunks {
            table.add([
                chunk.name, chunk.codec.name, byteText(chunk.storedLength), byteText(chunk.rawLength),
                "\(chunk.tensors.count)", chunk.codecReason,
            ])
        }
        return table.text
    }

    /// Every tensor.
    var tensorList: String {
        var table = Table(["tensor", "shape", "encoding", "group", "bytes", "chunk"])
        table.rightAligned = [3, 4]
        for tensor in tensors {
            table.add([
                tensor.name, shapeText(rows: tensor.rows, columns: tensor.columns), tensor.encoding.name,
                tensor.groupSize == 0 ? "-" : "\(tensor.groupSize)",
                "\(tensor.dataLength + tensor.scalesLength)", chunks[tensor.chunk].name,
            ])
        }
        return table.text
    }
}

extension ModelConfiguration {
    /// One line with the model's shape.
    fileprivate var summary: String {
        let weights = requiredTensors(.primary).reduce(0) { $0 + $1.rows * $1.columns }
        return
            "\(family), \(fixed(Double(weights) / 1e6, 1)) M weights, \(layerCount) layers of \(hiddenSize), "
            + "\(headCount) heads of \(headSize) (\(keyValueHeadCount) key/value), MLP \(intermediateSize), "
            + "vocabulary \(vocabularySize)\(tiedEmbeddings ? " (tied)" : ""), \(maxPositions) positions"
    }
}

extension JSONObject {
    /// The members in one line: `primary int8/64 rtn-absmax, secondary f32`.
    fileprivate var line: String {
        members.map { member in
            "\(member.key) \(JSONObject.words(member.value))"
        }.joined(separator: ", ")
    }

    private static func words(_ value: JSONValue) -> String {
        switch value {
        case .string(let text): text
        case .object(let object): object.members.map { words($0.value) }.joined(separator: " ")
        default: value.serialized()
        }
    }
}
