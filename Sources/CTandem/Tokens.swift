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
    return unsafe ModelHandle.call(model) { target throws(CallError) in
        let count = try unsafe checkedPlace(
            tokens, capacity: capacity, name: "tokens", count, countName: "count")
        let text = try unsafe checkedText(at: text, length: length, name: "text")
        let ids: [Int32]
        do throws(TandemError) {
            ids = try target.model.tokenize(text)
        } catch {
            throw CallError(error)
        }
        try unsafe store(ids, at: tokens, capacity: capacity, count: count)
    }
}

@c @implementation
public func tandem_detokenize(
    _ model: OpaquePointer?, _ tokens: UnsafePointer<Int32>?, _ count: Int,
    _ text: UnsafeMutablePointer<CChar>?,
    _ capacity: Int, _ length: UnsafeMutablePointer<Int>?
) -> Int32 {
    unsafe length?.pointee = 0
    return unsafe ModelHandle.call(model) { target throws(CallError) in
        let length = try unsafe checkedPlace(
            text, capacity: capacity, name: "text", length, countName: "length")
        let ids = try unsafe checkedTokens(at: tokens, count: count, name: "tokens")
        let decoded: String
        do throws(TandemError) {
            decoded = try target.model.detokenize(ids)
        } catch {
            throw CallError(error)
        }
        try unsafe store(decoded, at: text, capacity: capacity, length: length)
    }
}
