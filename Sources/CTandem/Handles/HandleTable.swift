// SPDX-License-Identifier: Apache-2.0

internal import CTandemHeader
internal import Synchronization

/// What a C handle stands for.
enum HandleTarget: Sendable {
    case model(ModelHandle)
    case session(SessionHandle)
}

/// The live handles of the process.
///
/// A handle is a number in the guise of a pointer, never an address: a freed, foreign or invented one is looked up and
/// not found, where an address would have to be read to be judged. Numbers are not reused, so a freed handle never
/// means a newer object. This table is the module's only global state.
///
/// Thread safety: all functions may be called from any thread. Objects are never released under the lock.
enum HandleTable {
    private struct State {
        var targets: [UInt: HandleTarget] = [:]
        var next: UInt = 1
    }

    private static let state = Mutex(State())

    /// Numbers are shifted by this, so that handles are spread and look unlike small integers that slipped in.
    private static let shift: UInt = 4
    private static let tag: UInt = 0b1011

    static func insert(_ target: HandleTarget) throws(CallError) -> OpaquePointer {
        let value = state.withLock { state -> UInt? in
            guard state.next <= UInt.max >> shift else { return nil }
            let value = state.next << shift | tag
            state.next += 1
            state.targets[value] = target
            return value
        }
        guard let value, let handle = unsafe OpaquePointer(bitPattern: value) else {
            throw CallError(TANDEM_ERROR_OUT_OF_MEMORY, "the process has used up all handles; restart it")
        }
        return unsafe handle
    }

    static func model(_ handle: OpaquePointer?) -> ModelHandle? {
        guard case .model(let model) = unsafe target(handle) else { return nil }
        return model
    }

    static func session(_ handle: OpaquePointer?) -> SessionHandle? {
        guard case .session(let session) = unsafe target(handle) else { return nil }
        return session
    }

    static func removeModel(_ handle: OpaquePointer?) -> ModelHandle? {
        let value = UInt(bitPattern: handle)
        return state.withLock { state in
            guard case .model(let model) = state.targets[value] else { return nil }
            state.targets[value] = nil
            return model
        }
    }

    static func removeSession(_ handle: OpaquePointer?) -> SessionHandle? {
        let value = UInt(bitPattern: handle)
        return state.withLock { state in
            guard case .session(let session) = state.targets[value] else { return nil }
            state.targets[value] = nil
            return session
        }
    }

    private static func target(_ handle: OpaquePointer?) -> HandleTarget? {
        let value = UInt(bitPattern: handle)
        return state.withLock { $0.targets[value] }
    }
}
