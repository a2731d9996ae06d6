// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemJSON

extension ModelSource {
    /// A Llama model of the given shape with seeded weights: as fast and as large as a trained one, for benchmarks.
    static func synthetic(_ shape: TargetShape, seed: UInt64) throws(PackError) -> ModelSource {
        let configuration: ModelConfiguration
        do throws(FormatError) {
            configuration = try ModelConfiguration(
                vocabularySize: shape.vocabularySize, hiddenSize: shape.hiddenSize,
                layerCount: shape.layerCount,
                headCount: shape.headCount, keyValueHeadCount: shape.keyValueHeadCount,
                headSize: shape.headSize,
                intermediateSize: shape.intermediateSize, maxPositions: shape.maxPositions, normEpsilon: 1e-5,
                ropeBase: 10000, tiedEmbeddings: shape.tiedEmbeddings)
        } catch {
            throw .format(error)
        }
        var requirements = configuration.requiredTensors(.primary)[...]
        return try ModelSource(
            path: shape.name, name: shape.name, architecture: "synthetic", configuration: configuration,
            ropes: [],
            tokenizer: SyntheticTokenizer(name: shape.name)
        ) { (slot) throws(PackError) in
            // Slots are asked for in the order of the requirements.
            guard let requirement = requirements.popFirst() else {
                throw .notACheckpoint(path: shape.name, reason: "it has no tensor for \(slot)")
            }
            let tensor =
                requirement.isVector
                ? FilledTensor(
                    path: shape.name, name: requirement.name, rows: requirement.columns, columns: 1,
                    filler: .constant(1))
                : FilledTensor(
                    path: shape.name, name: requirement.name, rows: requirement.rows,
                    columns: requirement.columns,
                    filler: .noise(
                        seed: Filler.seed(seed, tensor: requirement.name),
                        deviation: 1 / Float(requirement.columns).squareRoot()))
            return SourceTensor(tensor)
        }
    }
}

/// The tokenizer of a model without text: every byte is a token.
struct SyntheticTokenizer: TokenizerProvider {
    let name: String

    func vocabulary() throws(PackError) -> VocabularyTable? {
        try VocabularyTable(path: name, bytes: bytes)
    }

    func load(vocabularySize: Int) throws(PackError) -> TokenizerSource {
        TokenizerSource(
            path: name, bytes: bytes, bos: nil, eos: [], addBOS: false, chatTemplate: nil,
            generation: JSONObject())
    }

    private var bytes: [UInt8] {
        var vocabulary = JSONObject()
        for byte in 0..<256 { vocabulary[SyntheticTokenizer.symbol(UInt8(byte))] = .integer(Int64(byte)) }
        let json: JSONValue = [
            "version": "1.0", "added_tokens": [],
            "pre_tokenizer": [
                "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true,
            ],
            "decoder": ["type": "ByteLevel"],
            "model": ["type": "BPE", "vocab": .object(vocabulary), "merges": []],
        ]
        return Array(json.serialized().utf8)
    }

    /// A byte's character in byte-level vocabularies: itself where it prints, else the next one from U+0100.
    private static func symbol(_ byte: UInt8) -> String {
        func prints(_ byte: UInt8) -> Bool {
            (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || byte >= 0xAE
        }
        if prints(byte) { return String(Unicode.Scalar(byte)) }
        let before = (0..<byte).count { !prints($0) }
        return Unicode.Scalar(UInt32(0x100 + before)).map { String($0) } ?? ""
    }
}
