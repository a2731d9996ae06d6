// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The text of a file.
/// - Throws: ``SettingsError/unreadable(path:reason:)`` when it cannot be read, is longer than `limit` bytes, or no UTF-8.
func readTextFile(_ path: String, limit: Int) throws(SettingsError) -> String {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .unreadable(path: path, reason: systemErrorText(errno)) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 16_384)
    while true {
        let count = unsafe block.withUnsafeMutableBytes { buffer in
            unsafe read(descriptor, buffer.baseAddress, buffer.count)
        }
        if count < 0 {
            if errno == EINTR { continue }
            throw .unreadable(path: path, reason: systemErrorText(errno))
        }
        guard count > 0 else { break }
        bytes.append(contentsOf: block[..<count])
        guard bytes.count <= limit else {
            throw .unreadable(path: path, reason: "the file is longer than \(limit) bytes")
        }
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
        throw .unreadable(path: path, reason: "the file is not UTF-8 text")
    }
    return text
}

/// What the system calls an error number.
func systemErrorText(_ number: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    let status = unsafe buffer.withUnsafeMutableBufferPointer { (buffer) -> Int32 in
        guard let base = buffer.baseAddress else { return EINVAL }
        return unsafe strerror_r(number, base, buffer.count)
    }
    guard status == 0 else { return "error \(number)" }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
