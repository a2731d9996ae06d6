// SPDX-License-Identifier: Apache-2.0
// swift-format-ignore-file: AlwaysUseLowerCamelCase

internal import CTandemHeader
internal import Tandem

@c @implementation
public func tandem_session_tokens(
    _ session: OpaquePointer?, _ tokens: UnsafeMutablePointer<Int32>?, _ capacity: Int,
    _ count: UnsafeMutablePointer<Int>?
) -> Int32 {
    unsafe count?.pointee = 0
    return unsafe SessionHandle.call(session) { target throws(CallError) in
        let count = try unsafe checkedPlace(
            tokens, capacity: capacity, name: "tokens", count, countName: "count")
        try unsafe store(target.session.tokens, at: tokens, capacity: capacity, count: count)
    }
}

@c @implementation
public func tandem_session_fork(
    _ session: OpaquePointer?, _ copy: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    unsafe copy?.pointee = nil
    return unsafe SessionHandle.call(session) { target throws(CallError) in
        guard let copy = unsafe copy else { throw .invalidArgument("copy is NULL") }
        let forked = try CallError.passing { () throws(TandemError) in try target.session.fork() }
        unsafe copy.pointee = try HandleTable.insert(
            .session(SessionHandle(session: forked, log: target.log)))
        target.log.write(TANDEM_LOG_DEBUG, "session forked: \(forked.tokens.count) tokens")
    }
}

@c @implementation
public func tandem_session_save(_ session: OpaquePointer?, _ path: UnsafePointer<CChar>?) -> Int32 {
    unsafe SessionHandle.call(session) { target throws(CallError) in
        let path = try unsafe checkedPath(path)
        try CallError.passing { () throws(TandemError) in try target.session.save(to: path) }
        target.log.write(TANDEM_LOG_DEBUG, "session saved to '\(path)'")
    }
}

@c @implementation
public func tandem_session_restore(_ session: OpaquePointer?, _ path: UnsafePointer<CChar>?) -> Int32 {
    unsafe SessionHandle.call(session) { target throws(CallError) in
        let path = try unsafe checkedPath(path)
        try CallError.passing { () throws(TandemError) in try target.session.restore(from: path) }
        target.log.write(
            TANDEM_LOG_DEBUG, "session restored from '\(path)': \(target.session.tokens.count) tokens")
    }
}
