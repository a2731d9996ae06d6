// SPDX-License-Identifier: Apache-2.0

/// How frequent tokens are in what a checkpoint's models were trained for, and how many of them drafts are to come from
/// (`Formats/tandem-checkpoint.md`, "Draft vocabulary").
struct TokenFrequencies: Sendable {
    /// By id: shares of all tokens, not negative.
    let values: [Float]
    /// How many tokens the checkpoint recommends.
    let recommended: Int

    private static let tensor = "token_frequencies"

    /// - Parameter vocabularySize: of the primary.
    init(_ entry: TandemCheckpoint.DraftVocabulary, vocabularySize: Int) throws(PackError) {
        guard (1...vocabularySize).contains(entry.size) else {
            throw .invalidField(
                path: entry.manifest, field: "draft_vocabulary.size",
                reason: "is \(entry.size), but must be in 1...\(vocabularySize)")
        }
        let weights = try SafetensorsCheckpoint(file: entry.path)
        guard let tensor = weights.tensors[TokenFrequencies.tensor] else {
            throw .missingTensors(path: entry.path, names: [TokenFrequencies.tensor])
        }
        try tensor.check(shape: [vocabularySize])
        let floats = try VectorReader.read(SourceTensor(tensor), count: vocabularySize)
        values = unsafe Array(UnsafeBufferPointer(start: floats.floats, count: vocabularySize))
        if let id = values.firstIndex(where: { $0 < 0 }) {
            throw .invalidField(
                path: entry.path, field: "\(TokenFrequencies.tensor)[\(id)]",
                reason: "is \(values[id]), but a frequency is not negative")
        }
        recommended = entry.size
    }
}
