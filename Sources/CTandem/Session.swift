// SPDX-License-Identifier: Apache-2.0
// swift-format-ignore-file: AlwaysUseLowerCamelCase

public import CTandemHeader
internal import Tandem

@c @implementation
public func tandem_session_create(
    _ model: OpaquePointer?, _ options: UnsafePointer<tandem_session_options>?,
    _ session: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    unsafe session?.pointee = nil
    return unsafe ModelHandle.call(model) { target throws(CallError) in
        guard let session = unsafe session else { throw .invalidArgument("session is NULL") }
        let options = try unsafe sessionOptions(options, name: "options")
        let created: Session
        do throws(TandemError) {
            created = try target.model.makeSession(options: options)
        } catch {
            throw CallError(error)
        }
        unsafe session.pointee = try HandleTable.insert(
            .session(SessionHandle(session: created, log: target.log)))
        target.log.write(TANDEM_LOG_DEBUG, "session made: context of \(created.contextSize) tokens")
    }
}

@c @implementation
public func tandem_session_free(_ session: OpaquePointer?) -> Int32 {
    if unsafe session == nil { return TANDEM_OK }
    do throws(CallError) {
        let target = try unsafe HandleTable.removeSession(session)
        target.markFreed()
        target.log.write(TANDEM_LOG_DEBUG, "session freed")
        return TANDEM_OK
    } catch {
        return error.statusOfFree
    }
}

@c @implementation
public func tandem_session_reset(_ session: OpaquePointer?) -> Int32 {
    unsafe SessionHandle.call(session) { target throws(CallError) in
        do throws(TandemError) {
            try target.session.reset()
        } catch {
            throw CallError(error)
        }
    }
}

@c @implementation
public func tandem_session_cancel(_ session: OpaquePointer?) -> Int32 {
    unsafe SessionHandle.call(session) { target throws(CallError) in
        guard target.cancel() else {
            throw CallError(TANDEM_ERROR_NOT_RUNNING, "there is no generation to cancel")
        }
    }
}

@c @implementation
public func tandem_session_last_error(
    _ session: OpaquePointer?, _ buffer: UnsafeMutablePointer<CChar>?, _ capacity: Int
) -> Int {
    do throws(CallError) {
        return try unsafe HandleTable.session(session).lastError.copy(to: buffer, capacity: capacity)
    } catch {
        return unsafe copyText(error.lastErrorText, to: buffer, capacity: capacity)
    }
}

/// The engine's options for those of the caller; the defaults for NULL.
func sessionOptions(
    _ pointer: UnsafePointer<tandem_session_options>?, name: String
) throws(CallError) -> SessionOptions {
    let given = try unsafe readOptions(
        at: pointer, default: tandem_session_options(), first: FirstSize.sessionOptions, name: name)
    let cache: KeyValueType
    switch given.cache_type {
    case TANDEM_CACHE_DEFAULT, TANDEM_CACHE_F16: cache = .f16
    case TANDEM_CACHE_F32: cache = .f32
    case TANDEM_CACHE_INT8: cache = .int8
    case let other:
        throw CallError(TANDEM_ERROR_UNSUPPORTED, "cache_type is \(other), which is no TANDEM_CACHE_ value")
    }
    let standard = SessionOptions.default
    let draftLimit = given.draft_limit == 0 ? standard.maxDraft : Int(given.draft_limit)
    guard (1...64).contains(draftLimit) else {
        throw .invalidArgument("draft_limit is \(draftLimit), but must be in 1 ... 64")
    }
    guard given.reserved == 0 else {
        throw CallError(TANDEM_ERROR_UNSUPPORTED, "reserved is \(given.reserved), but must be 0")
    }
    let treeLimit = try treeSize(given.tree_limit, name: "tree_limit")
    do throws(TandemError) {
        return try SessionOptions(
            contextSize: given.context_size == 0 ? nil : Int(given.context_size),
            batchSize: given.batch_size == 0 ? standard.batchSize : Int(given.batch_size),
            maxDraft: draftLimit, maxTree: treeLimit, keyValueType: cache)
    } catch {
        throw CallError(error)
    }
}
