// SPDX-License-Identifier: Apache-2.0

public import TandemFormat
public import TandemJSON
public import TandemTokenizer

/// Why a checkpoint could not be packed.
///
/// Every case names the file, and the field, tensor or element at fault; the description says what to do about it.
public enum PackError: Error, Sendable, Equatable {
    // MARK: Files

    /// A system call on `path` failed with `code` (errno).
    case fileSystem(operation: String, path: String, code: Int32)
    /// A directory was expected.
    case notADirectory(path: String)
    /// A regular file was expected.
    case notAFile(path: String)
    /// A file that is read whole is larger than anything sensible.
    case fileTooLarge(path: String, size: Int, limit: Int)
    /// The file ended at `offset` although it was longer when it was opened.
    case shrunkWhileReading(path: String, offset: Int)
    /// A file name inside a checkpoint leaves the checkpoint's directory.
    case unsafePath(path: String, field: String, value: String)

    // MARK: Checkpoint structure

    /// The directory is no checkpoint that this version reads.
    case notACheckpoint(path: String, reason: String)
    /// A JSON file is not valid JSON.
    case json(path: String, error: JSONError)
    /// A member of a JSON file is missing or has a value that cannot be.
    case invalidField(path: String, field: String, reason: String)
    /// A safetensors file is malformed.
    case safetensors(path: String, issue: SafetensorsIssue)
    /// A GGUF file is malformed, or holds what cannot be packed.
    case gguf(path: String, issue: GGUFIssue)
    /// The directory holds no safetensors weights.
    case noWeights(directory: String, reason: String)
    /// The index names a shard that is not there.
    case missingShard(index: String, shard: String)
    /// The index places a tensor in `listed`; it is in `found`, or nowhere.
    case misplacedTensor(index: String, tensor: String, listed: String, found: String?)

    // MARK: Models

    /// The architecture in config.json is not one that can be packed.
    case unsupportedArchitecture(path: String, name: String, supported: [String])
    /// The configuration asks for something the engine would compute wrongly.
    case unsupportedSetting(path: String, key: String, value: String, reason: String)
    /// The weights lack tensors the configuration needs.
    case missingTensors(path: String, names: [String])
    /// The weights hold tensors the configuration has no place for.
    case unexpectedTensors(path: String, names: [String])
    /// A tensor's shape contradicts the configuration.
    case wrongShape(path: String, tensor: String, found: [Int], expected: [Int])
    /// A tensor's element type is not F32, F16 or BF16.
    case unsupportedElementType(path: String, tensor: String, type: String)
    /// The embeddings are tied, yet the file has a separate output head with other values.
    case tiedHeadDiffers(path: String, tensor: String)

    // MARK: Weights

    /// A weight is infinite or not a number.
    case nonFiniteWeight(path: String, tensor: String, row: Int, column: Int, value: String)
    /// A weight is so large that its group's scale does not fit a 16-bit float.
    case weightTooLarge(path: String, tensor: String, row: Int, column: Int, value: Float, format: String)
    /// All weights are so small that no 16-bit float scale can express them.
    case weightsTooSmall(path: String, tensor: String, largest: Float, format: String)

    // MARK: Tokenizers

    /// There is no tokenizer.json where it is expected.
    case noTokenizer(path: String)
    /// The tokenizer is not one the engine can use.
    case tokenizer(path: String, error: TokenizerError)
    /// The tokenizer has more tokens than the model's vocabulary.
    case tokenizerTooLarge(path: String, tokens: Int, vocabularySize: Int)
    /// The two tokenizers give a different text to an id below both vocabularies' sizes; `id` is the first such.
    case vocabulariesDiffer(id: Int, primary: String?, secondary: String?)

    /// The checkpoint's chat template cannot be used.
    case chatTemplate(path: String, error: TemplateError)

    // MARK: Output

    /// The destination exists and overwriting was not asked for.
    case destinationExists(path: String)
    /// The destination is a directory.
    case destinationIsDirectory(path: String)
    /// An option is out of its range.
    case invalidOption(name: String, value: String, allowed: String)
    /// The packed file could not be written.
    case format(FormatError)
    /// The cancellation hook asked to stop. No partial file is left.
    case cancelled
}
