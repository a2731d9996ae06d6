// SPDX-License-Identifier: Apache-2.0

internal import CTandemHeader

/// Checks where a result of any length goes; returns where its length does.
func checkedPlace<Element>(
    _ place: UnsafeMutablePointer<Element>?, capacity: Int, name: String, _ count: UnsafeMutablePointer<Int>?,
    countName: String
) throws(CallError) -> UnsafeMutablePointer<Int> {
    guard let count = unsafe count else { throw .invalidArgument("\(countName) is NULL") }
    guard unsafe place != nil || capacity == 0 else {
        throw .invalidArgument("\(name) is NULL, but capacity is not 0")
    }
    return unsafe count
}

/// Copies elements to the caller and tells their number; copies none where they do not fit.
///
/// - Parameter capacity: as C gave it; a capacity beyond `Int.max` is negative, and large enough.
func store<Element: BitwiseCopyable>(
    _ elements: [Element], at place: UnsafeMutablePointer<Element>?, capacity: Int,
    count: UnsafeMutablePointer<Int>, kind: String = "tokens"
) throws(CallError) {
    unsafe count.pointee = elements.count
    guard UInt(bitPattern: capacity) >= UInt(elements.count) else {
        throw CallError(
            TANDEM_ERROR_BUFFER_TOO_SMALL, "there are \(elements.count) \(kind), but capacity is \(capacity)")
    }
    unsafe place?.update(from: elements, count: elements.count)
}

/// Copies a text and a NUL to the caller and tells its length without the NUL; copies nothing where it does not fit.
func store(
    _ text: String, at place: UnsafeMutablePointer<CChar>?, capacity: Int, length: UnsafeMutablePointer<Int>
) throws(CallError) {
    let needed = text.utf8.count
    unsafe length.pointee = needed
    guard UInt(bitPattern: capacity) > UInt(needed) else {
        throw CallError(
            TANDEM_ERROR_BUFFER_TOO_SMALL,
            "the text has \(needed) bytes and needs one more for the NUL, but capacity is \(capacity)")
    }
    unsafe copyText(text, to: place, capacity: capacity)
}
