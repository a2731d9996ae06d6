// SPDX-License-Identifier: Apache-2.0

import Glibc

extension PackError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .fileSystem(let operation, let path, let code):
            "cannot \(operation) '\(path)': \(systemMessage(code))"
        case .notADirectory(let path):
            "'\(path)' is not a directory; give the checkpoint's directory"
        case .notAFile(let path):
            "'\(path)' is not a regular file"
        case .fileTooLarge(let path, let size, let limit):
            "'\(path)' has \(size) bytes; at most \(limit) are read"
        case .shrunkWhileReading(let path, let offset):
            "'\(path)' became shorter while it was read (nothing left at byte \(offset))"
        case .unsafePath(let path, let field, let value):
            "'\(path)': \(field) is '\(value)', which leaves the checkpoint's directory; use a plain relative name"
        case .notACheckpoint(let path, let reason): "'\(path)' is not a checkpoint: \(reason)"
        case .json(let path, let error): "'\(path)': \(error)"
        case .invalidField(let path, let field, let reason): "'\(path)': \(field) \(reason)"
        case .safetensors(let path, let issue): "'\(path)' is not a valid safetensors file: \(issue)"
        case .gguf(let path, let issue): "'\(path)' cannot be read as GGUF: \(issue)"
        case .noWeights(let directory, let reason): "'\(directory)' holds no weights: \(reason)"
        case .missingShard(let index, let shard):
            "'\(index)' names the shard '\(shard)', which is not there; download the checkpoint again"
        case .misplacedTensor(let index, let tensor, let listed, let found?):
            "'\(index)' places tensor '\(tensor)' in '\(listed)', but it is in '\(found)'"
        case .misplacedTensor(let index, let tensor, let listed, nil):
            "'\(index)' places tensor '\(tensor)' in '\(listed)', which does not hold it"
        case .unsupportedArchitecture(let path, let name, let supported):
            "'\(path)': the architecture '\(name)' is not supported; supported: "
                + supported.joined(separator: ", ")
        case .unsupportedSetting(let path, let key, let value, let reason):
            "'\(path)': \(key) is \(value), which is not supported: \(reason)"
        case .missingTensors(let path, let names):
            "'\(path)' lacks \(Self.list(names)), which the configuration needs"
        case .unexpectedTensors(let path, let names):
            "'\(path)' holds \(Self.list(names)), for which the configuration has no place"
        case .wrongShape(let path, let tensor, let found, let expected):
            "'\(path)': tensor '\(tensor)' has the shape \(found), the configuration needs \(expected)"
        case .unsupportedElementType(let path, let tensor, let type):
            "'\(path)': tensor '\(tensor)' has elements of type \(type); supported: F32, F16, BF16"
        case .tiedHeadDiffers(let path, let tensor):
            "'\(path)': tie_word_embeddings is true, but '\(tensor)' differs from the embeddings; "
                + "set it to false in config.json, or remove the tensor"
        case .nonFiniteWeight(let path, let tensor, let row, let column, let value):
            "'\(path)': tensor '\(tensor)' has the value \(value) at [\(row), \(column)]"
        case .weightTooLarge(let path, let tensor, let row, let column, let value, let format):
            "'\(path)': tensor '\(tensor)' has \(value) at [\(row), \(column)], too large for \(format); pack it as f32"
        case .weightsTooSmall(let path, let tensor, let largest, let format):
            "'\(path)': the largest magnitude in tensor '\(tensor)' is \(largest), too small for \(format); "
                + "pack it as f32"
        case .noTokenizer(let path): "'\(path)': no such file; a packed model needs its tokenizer"
        case .tokenizer(let path, let error): "'\(path)': \(error)"
        case .tokenizerTooLarge(let path, let tokens, let vocabularySize):
            "'\(path)' has \(tokens) tokens, but the model's vocabulary has only \(vocabularySize)"
        case .vocabulariesDiffer(let id, let primary, let secondary):
            "the tokenizers differ: token \(id) is \(Self.quoted(primary)) in the primary's and "
                + "\(Self.quoted(secondary)) in the secondary's; both models need the same tokenizer"
        case .chatTemplate(let path, let error):
            "'\(path)': \(error); pack without its chat template (--no-chat-template) and give one to tandem chat"
        case .destinationExists(let path):
            "'\(path)' exists; allow overwriting (--force) or choose another name"
        case .destinationIsDirectory(let path):
            "'\(path)' is a directory; name the file to write"
        case .invalidOption(let name, let value, let allowed): "\(name) is \(value), but must be \(allowed)"
        case .format(let error): error.description
        case .cancelled: "cancelled"
        }
    }

    private static func list(_ names: [String]) -> String {
        let shown = names.prefix(3).map { "'\($0)'" }.joined(separator: ", ")
        let more = names.count > 3 ? " and \(names.count - 3) more" : ""
        return "the tensor\(names.count == 1 ? "" : "s") \(shown)\(more)"
    }

    private static func quoted(_ token: String?) -> String {
        token.map { JSONText.quote($0) } ?? "absent"
    }
}

/// The C library's words for an error number.
func systemMessage(_ code: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard unsafe strerror_r(code, &buffer, buffer.count) == 0 else { return "error \(code)" }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
