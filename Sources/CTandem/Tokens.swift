// SPDX-License-Identifier: Apache-2.0
// swift-format-ignore-file: AlwaysUseLowerCamelCase

internal import CTandemHeader
internal import Tandem

@c @implementation
public func tandem_tokenize(
    _ model: OpaquePointer?, _ text: UnsafePointer<CChar>?, _ length: Int,
    _ tokens: UnsafeMutablePointer<Int32>?,
    _ capacity: Int, _ count: UnsafeMutablePointer<Int>?
) -> Int32 {
    unsafe count?.pointee = 0
    return unsafe ModelHandle.call(model) { model throws(CallError) in
        guard let count = unsafe count else { throw .invalidArgument("count is NULL") }
        guard unsafe tokens != nil || capacity == 0 else {
            throw .invalidArgument("tokens is NULL, but capacity is not 0")
        }
        let text = try unsafe checkedText(at: text, length: length, name: "text")
        let ids: [Int32]
        do throws(TandemError) {
            ids = try model.tokenize(text)
        } catch {
            throw CallError(error)
        }
        unsafe count.pointee = ids.count
        guard UInt(bitPattern: capacity) >= UInt(ids.count) else {
            throw CallError(
                TANDEM_ERROR_BUFFER_TOO_SMALL, "the text has \(ids.count) tokens, but capacity is \(capacity)"
            )
        }
        unsafe tokens?.update(from: ids, count: ids.count)
    }
}

@c @implementation
public func tandem_detokenize(
    _ model: OpaquePointer?, _ tokens: UnsafePointer<Int32>?, _ count: Int,
    _ text: UnsafeMutablePointer<CChar>?,
    _ capacity: Int, _ length: UnsafeMutablePointer<Int>?
) -> Int32 {
    unsafe length?.pointee = 0
    return unsafe ModelHandle.call(model) { model throws(CallError) in
        guard let length = unsafe length else { throw .invalidArgument("length is NULL") }
        guard unsafe text != nil || capacity == 0 else {
            throw .invalidArgument("text is NULL, but capacity is not 0")
        }
        let ids = try unsafe checkedTokens(at: tokens, count: count, name: "tokens")
        let decoded: String
        do throws(TandemError) {
            decoded = try model.detokenize(ids)
        } catch {
            throw CallError(error)
        }
        let needed = decoded.utf8.count
        unsafe length.pointee = needed
        guard UInt(bitPattern: capacity) > UInt(needed) else {
            throw CallError(
                TANDEM_ERROR_BUFFER_TOO_SMALL,
                "the text has \(needed) bytes and needs one more for the NUL, but capacity is \(capacity)")
        }
        unsafe copyText(decoded, to: text, capacity: capacity)
    }
}
