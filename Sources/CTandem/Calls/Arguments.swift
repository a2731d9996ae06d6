// SPDX-License-Identifier: Apache-2.0

internal import CTandemHeader
internal import Glibc
internal import TandemJSON

/// Largest text or token array that is believed: larger ones are mistakes.
let maximumTextLength = 256 << 20

/// Largest struct that is believed. What it is compared with is the caller's own `size`, which may be garbage.
private let maximumStructSize = 4096

/// The text at `pointer`, checked.
///
/// - Parameter length: as C gave it: -1 is `TANDEM_C_STRING`, and what is above `Int.max` is negative too.
func checkedText(at pointer: UnsafePointer<CChar>?, length: Int, name: String) throws(CallError) -> String {
    guard let pointer = unsafe pointer else {
        guard length == 0 else { throw .invalidArgument("\(name) is NULL") }
        return ""
    }
    var count = length
    if length == -1 {
        count = unsafe strnlen(pointer, maximumTextLength + 1)
    }
    guard (0...maximumTextLength).contains(count) else {
        throw .invalidArgument("\(name) is longer than the \(maximumTextLength) bytes that are allowed")
    }
    let bytes = unsafe UnsafeRawBufferPointer(start: pointer, count: count)
    do {
        let checked = try unsafe UTF8Span(validating: bytes.bindMemory(to: UInt8.self).span)
        return String(copying: checked)
    } catch {
        throw CallError(
            TANDEM_ERROR_INVALID_UTF8,
            "\(name) is not UTF-8: the bytes at \(error.byteOffsets.lowerBound) are wrong")
    }
}

/// The path at `pointer`, checked.
func checkedPath(_ pointer: UnsafePointer<CChar>?) throws(CallError) -> String {
    guard let pointer = unsafe pointer else { throw .invalidArgument("path is NULL") }
    let limit = Int(PATH_MAX)
    let length = unsafe strnlen(pointer, limit)
    guard length > 0 else { throw .invalidArgument("path is empty") }
    guard length < limit else { throw .invalidArgument("path has \(limit) bytes or more") }
    return try unsafe checkedText(at: pointer, length: length, name: "path")
}

/// The token ids at `pointer`.
func checkedTokens(at pointer: UnsafePointer<Int32>?, count: Int, name: String) throws(CallError) -> [Int32] {
    if count == 0 { return [] }
    guard let pointer = unsafe pointer else { throw .invalidArgument("\(name) is NULL") }
    guard (0...maximumTextLength).contains(count) else {
        throw .invalidArgument("\(name) has more than the \(maximumTextLength) ids that are allowed")
    }
    return unsafe Array(UnsafeBufferPointer(start: pointer, count: count))
}

/// The JSON document in a text, as what it has to be; nil for NULL.
func checkedJSON<Value>(
    _ pointer: UnsafePointer<CChar>?, name: String, _ expected: String, as value: (JSONValue) -> Value?
) throws(CallError) -> Value? {
    guard let pointer = unsafe pointer else { return nil }
    let text = try unsafe checkedText(at: pointer, length: -1, name: name)
    let document: JSONValue
    do throws(JSONError) {
        document = try JSONValue(parsing: Array(text.utf8))
    } catch {
        throw .invalidArgument("\(name) is no JSON: \(error)")
    }
    guard let result = value(document) else { throw .invalidArgument("\(name) must be \(expected) in JSON") }
    return result
}

/// A copy of an options struct that may come from a program compiled with an older or a newer header; `empty` when it is
/// NULL.
///
/// `Options` begins with its size, has no padding, and is all zeros by default.
///
/// - Parameter first: the struct's size in version 1.0 of the interface; what came later may be missing.
func readOptions<Options: BitwiseCopyable>(
    at pointer: UnsafePointer<Options>?, default empty: Options, first: Int, name: String
) throws(CallError) -> Options {
    guard let pointer = unsafe UnsafeRawPointer(pointer) else { return empty }
    let size = unsafe pointer.loadUnaligned(as: Int.self)
    let known = MemoryLayout<Options>.size
    try checkSize(size, first: first, known: known, name: name)
    for offset in known..<max(known, size)
    where unsafe pointer.load(fromByteOffset: offset, as: UInt8.self) != 0 {
        throw CallError(
            TANDEM_ERROR_UNSUPPORTED,
            "\(name) sets an option at byte \(offset) that this version of the library does not know; leave it at zero"
        )
    }
    var copy = empty
    unsafe withUnsafeMutableBytes(of: &copy) {
        unsafe $0.copyMemory(from: UnsafeRawBufferPointer(start: pointer, count: min(known, size)))
    }
    return copy
}

/// Fills a struct of the caller, whose `size` was checked: the part that it has room for, and zeros beyond what is known.
func writeResult<Result: BitwiseCopyable>(
    _ value: Result, size: Int, at pointer: UnsafeMutablePointer<Result>
) {
    let target = unsafe UnsafeMutableRawBufferPointer(start: pointer, count: size)
    let sizeField = MemoryLayout<Int>.size
    unsafe withUnsafeBytes(of: value) { source in
        for offset in sizeField..<size {
            unsafe target[offset] = offset < source.count ? source[offset] : 0
        }
    }
}

/// Checks the `size` that a caller wrote into a struct: at least what it was in version 1.0 of the interface.
func checkSize(_ size: Int, first: Int, known: Int, name: String) throws(CallError) {
    guard (first...maximumStructSize).contains(size), size % MemoryLayout<Int>.alignment == 0 else {
        throw CallError(
            TANDEM_ERROR_STRUCT_SIZE,
            "\(name).size is \(UInt(bitPattern: size)), but must be sizeof(*\(name)), which is \(known) in this version;"
                + " set it with the _INIT macro")
    }
}

/// Sizes of the structs of version 1.0, which programs compiled then pass.
enum FirstSize {
    static let loadOptions = 24
    static let sessionOptions = 24
    static let generateOptions = 104
    static let result = 96
}
