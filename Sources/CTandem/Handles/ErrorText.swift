// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat

/// The text of the last failure on one handle. Any thread may use it.
final class ErrorText: Sendable {
    private let text = Guarded("")

    func set(_ newText: String) {
        text.withLock { $0 = newText }
    }

    /// Copies the text; returns its length.
    func copy(to buffer: UnsafeMutablePointer<CChar>?, capacity: Int) -> Int {
        unsafe copyText(text.withLock { $0 }, to: buffer, capacity: capacity)
    }
}

/// Copies as many whole characters of `text` as fit into `capacity` bytes, and a NUL; returns the length of all.
@discardableResult
func copyText(_ text: String, to buffer: UnsafeMutablePointer<CChar>?, capacity: Int) -> Int {
    // A capacity beyond Int.max arrives as a negative number, and is large enough.
    guard let buffer = unsafe buffer, capacity != 0 else { return text.utf8.count }
    let bytes = text.utf8
    var count = capacity < 0 ? bytes.count : min(bytes.count, capacity - 1)
    if count < bytes.count {
        while count > 0, UTF8.isContinuation(bytes[bytes.index(bytes.startIndex, offsetBy: count)]) {
            count -= 1
        }
    }
    var position = 0
    for byte in bytes.prefix(count) {
        unsafe buffer[position] = CChar(truncatingIfNeeded: byte)
        position += 1
    }
    unsafe buffer[position] = 0
    return bytes.count
}
