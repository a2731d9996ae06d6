// SPDX-License-Identifier: Apache-2.0

/// Reads a file's little-endian fields from front to back, through a window of bounded size.
///
/// Every length is checked against what is left of the file before anything is allocated for it.
struct GGUFCursor {
    let file: InputFile
    /// Where the next field starts.
    private(set) var offset = 0
    private var window: [UInt8] = []
    private var windowStart = 0

    private static let windowSize = 1 << 18

    init(file: InputFile) { self.file = file }

    /// Bytes from here to the end of the file.
    var remaining: Int { file.size - offset }

    func failure(_ issue: GGUFIssue) -> PackError { .gguf(path: file.path, issue: issue) }

    /// The next `count` bytes.
    mutating func bytes(_ count: Int, _ field: @autoclosure () -> String) throws(PackError) -> [UInt8] {
        guard count <= remaining else { throw failure(.truncated(field: field(), offset: offset)) }
        if count > GGUFCursor.windowSize {
            let bytes = try file.bytes(at: offset, count: count)
            offset += count
            return bytes
        }
        try fill(count)
        let start = offset - windowStart
        offset += count
        return Array(window[start..<start + count])
    }

    mutating func integer<T: FixedWidthInteger & UnsignedInteger>(
        _ type: T.Type, _ field: @autoclosure () -> String
    ) throws(PackError) -> T {
        let count = T.bitWidth / 8
        guard count <= remaining else { throw failure(.truncated(field: field(), offset: offset)) }
        try fill(count)
        let start = offset - windowStart
        var value: T = 0
        for index in 0..<count { value |= T(window[start + index]) << T(8 * index) }
        offset += count
        return value
    }

    /// A length in bytes, followed by as many bytes.
    mutating func text(_ field: @autoclosure () -> String) throws(PackError) -> [UInt8] {
        let start = offset
        let length = try integer(UInt64.self, field())
        guard length <= UInt64(remaining) else {
            throw failure(
                .lengthBeyondEnd(field: field(), offset: start, length: length, remaining: remaining))
        }
        return try bytes(Int(length), field())
    }

    /// Makes the window hold the next `count` bytes, which are in the file and no more than the window's size.
    private mutating func fill(_ count: Int) throws(PackError) {
        guard offset + count > windowStart + window.count else { return }
        windowStart = offset
        window = try file.bytes(at: offset, count: min(GGUFCursor.windowSize, remaining))
    }
}
