// SPDX-License-Identifier: Apache-2.0

import Glibc
import Tandem
import TandemJSON
import TandemTokenizer

/// Why a conversation could not be written.
struct ConversationFileError: Error, CustomStringConvertible {
    let path: String
    let reason: String

    var description: String { "cannot write '\(path)': \(reason)" }
}

/// Writes a whole file, or nothing: it takes its name only when it is complete.
func writeFile(_ text: String, path: String) throws {
    let partial = path + ".partial"
    func failure() -> ConversationFileError {
        ConversationFileError(path: path, reason: currentSystemError())
    }
    let descriptor = unsafe open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw failure() }
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
        let count = unsafe bytes.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
        if count > 0 {
            bytes = bytes.dropFirst(count)
        } else if errno != EINTR {
            let error = failure()
            close(descriptor)
            unsafe unlink(partial)
            throw error
        }
    }
    guard close(descriptor) == 0, unsafe rename(partial, path) == 0 else {
        let error = failure()
        unsafe unlink(partial)
        throw error
    }
}

/// White space at the ends of typed text.
enum TextEnds {
    static func trimmed(_ text: String) -> String {
        let rest = text.drop(while: \.isWhitespace)
        guard let last = rest.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(rest[...last])
    }
}
