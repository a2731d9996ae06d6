// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import Tandem
import TandemFormat

/// Standard output, unbuffered, so that text appears as it is made.
enum StandardOutput {
    static func write(_ text: String) { writeAll(text, to: STDOUT_FILENO) }
}

/// Standard error.
enum StandardError {
    static func write(_ text: String) { writeAll(text, to: STDERR_FILENO) }
    static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }
}

private func writeAll(_ text: String, to descriptor: Int32) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
        let count = unsafe bytes.withUnsafeBytes { buffer in
            unsafe write(descriptor, buffer.baseAddress, buffer.count)
        }
        if count > 0 {
            bytes = bytes.dropFirst(count)
        } else if errno != EINTR && errno != EAGAIN {
            return
        }
    }
}

/// Runs a command's body; any error becomes one line `error: …` on standard error and exit code 1.
///
/// What is wrong inside a `.tandem` file is reported with the file's name, `file`, in front.
func reportingErrors(file: String? = nil, _ body: () throws -> Void) throws {
    do {
        try body()
    } catch let error as ValidationError {
        throw error
    } catch let error as ExitCode {
        throw error
    } catch {
        var message = "\(error)"
        if let file, concernsFile(error), !message.contains("'\(file)'") { message = "'\(file)': \(message)" }
        StandardError.write("error: \(oneLine(message))\n")
        throw ExitCode.failure
    }
}

private func concernsFile(_ error: any Error) -> Bool {
    switch error {
    case is FormatError, TandemError.format, TandemError.tokenizer: true
    default: false
    }
}

/// Text with its control characters escaped: names inside damaged files must not break or colour the message.
func oneLine(_ text: String) -> String {
    text.unicodeScalars.reduce(into: "") { result, scalar in
        let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
        result += isControl ? scalar.escaped(asASCII: true) : String(scalar)
    }
}

/// A whole file as text; `-` is standard input.
/// - Throws: ``PromptError``.
func readPrompt(_ path: String) throws -> String {
    let descriptor = path == "-" ? STDIN_FILENO : unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw PromptError.unreadable(path: path, reason: currentSystemError()) }
    defer { if path != "-" { close(descriptor) } }
    var bytes: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = unsafe block.withUnsafeMutableBytes { buffer in
            unsafe read(descriptor, buffer.baseAddress, buffer.count)
        }
        if count == 0 { break }
        if count < 0 {
            if errno == EINTR { continue }
            throw PromptError.unreadable(path: path, reason: currentSystemError())
        }
        bytes.append(contentsOf: block[..<count])
        if bytes.count > PromptError.limit { throw PromptError.tooLarge(path: path) }
    }
    guard let text = String(validating: bytes, as: UTF8.self) else { throw PromptError.notUTF8(path: path) }
    return text
}

/// What can be wrong with a prompt file.
enum PromptError: Error, CustomStringConvertible {
    static let limit = 64 << 20
    case unreadable(path: String, reason: String)
    case tooLarge(path: String)
    case notUTF8(path: String)

    var description: String {
        switch self {
        case .unreadable(let path, let reason): "cannot read the prompt file '\(path)': \(reason)"
        case .tooLarge(let path): "the prompt file '\(path)' is larger than \(Self.limit >> 20) MiB"
        case .notUTF8(let path): "the prompt file '\(path)' is not UTF-8 text"
        }
    }
}

/// The message of `errno`.
func currentSystemError() -> String {
    unsafe String(cString: strerror(errno))
}
