// SPDX-License-Identifier: Apache-2.0

/// Guesses what a file is when it is not ours, so that the error can say so.
enum FileKind {
    static func guess(_ prefix: [UInt8]) -> String? {
        func starts(_ text: String) -> Bool { prefix.starts(with: Array(text.utf8)) }
        if prefix.allSatisfy({ $0 == 0 }) { return "an unfinished write (it starts with zeros)" }
        if starts("GGUF") { return "a GGUF file" }
        if starts("PK\u{3}\u{4}") { return "a zip archive, as PyTorch checkpoints are" }
        if starts("\u{1F}") && prefix.count > 1 && prefix[1] == 0x8B { return "a gzip file" }
        if prefix.count > 9, prefix[8] == UInt8(ascii: "{"), prefix[5...7].allSatisfy({ $0 == 0 }) {
            return "a safetensors file; pack its checkpoint directory first"
        }
        if prefix.count > 1, prefix[0] == 0x80, (2...5).contains(prefix[1]) { return "a Python pickle" }
        if starts("version https://git-lfs") { return "a Git LFS pointer; fetch the real file first" }
        if starts("{") || starts("[") { return "JSON text" }
        if starts("<") { return "an HTML or XML page" }
        if String(validating: prefix.prefix(64), as: UTF8.self) != nil, !prefix.contains(0) {
            return "plain text"
        }
        return nil
    }
}
