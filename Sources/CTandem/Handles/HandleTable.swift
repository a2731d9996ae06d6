// SPDX-License-Identifier: Apache-2.0

internal import CTandemHeader
internal import Glibc
internal import Synchronization
internal import TandemFormat

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
/// A forked child gets a table of its own with its first handle. The parent's is never touched there: a thread that the
/// child does not have may have held its lock.
///
/// Thread safety: all functions may be called from any thread. Objects are never released under the lock.
enum HandleTable {
    private final class Table: Sendable {
        let process = getpid()
        /// Handles below this number belong to a process that this one was forked from.
        let firstNumber: UInt
        let targets = Guarded<[UInt: HandleTarget]>([:])

        init(firstNumber: UInt) { self.firstNumber = firstNumber }
    }

    /// The bits of a reference to the table in use, which is never released; 0 before the first handle.
    private static let current = Atomic<UInt>(0)
    private static let nextNumber = Atomic<UInt>(1)

    /// Numbers are shifted by this, so that handles are spread and look unlike small integers that slipped in.
    private static let shift: UInt = 4
    private static let tag: UInt = 0b1011

    /// - Throws: status `TANDEM_ERROR_OUT_OF_MEMORY` when all numbers are used up.
    static func insert(_ target: HandleTarget) throws(CallError) -> OpaquePointer {
        let table = ownTable()
        let number = nextNumber.wrappingAdd(1, ordering: .relaxed).oldValue
        let value = number << shift | tag
        guard number <= UInt.max >> shift, let handle = unsafe OpaquePointer(bitPattern: value) else {
            nextNumber.store(number, ordering: .relaxed)
            throw CallError(TANDEM_ERROR_OUT_OF_MEMORY, "the process has used up all handles; restart it")
        }
        table.targets.withLock { $0[value] = target }
        return unsafe handle
    }

    /// - Throws: status `TANDEM_ERROR_INVALID_HANDLE` or `TANDEM_ERROR_FORKED`.
    static func model(_ handle: OpaquePointer?) throws(CallError) -> ModelHandle {
        guard case .model(let model) = try unsafe target(handle) else { throw .invalidHandle }
        return model
    }

    /// - Throws: status `TANDEM_ERROR_INVALID_HANDLE` or `TANDEM_ERROR_FORKED`.
    static func session(_ handle: OpaquePointer?) throws(CallError) -> SessionHandle {
        guard case .session(let session) = try unsafe target(handle) else { throw .invalidHandle }
        return session
    }

    /// - Throws: as ``model(_:)``.
    static func removeModel(_ handle: OpaquePointer?) throws(CallError) -> ModelHandle {
        let value = UInt(bitPattern: handle)
        let removed = try table(of: value).targets.withLock { targets -> ModelHandle? in
            guard case .model(let model) = targets[value] else { return nil }
            targets[value] = nil
            return model
        }
        guard let removed else { throw .invalidHandle }
        return removed
    }

    /// - Throws: as ``session(_:)``.
    static func removeSession(_ handle: OpaquePointer?) throws(CallError) -> SessionHandle {
        let value = UInt(bitPattern: handle)
        let removed = try table(of: value).targets.withLock { targets -> SessionHandle? in
            guard case .session(let session) = targets[value] else { return nil }
            targets[value] = nil
            return session
        }
        guard let removed else { throw .invalidHandle }
        return removed
    }

    private static func target(_ handle: OpaquePointer?) throws(CallError) -> HandleTarget {
        let value = UInt(bitPattern: handle)
        guard let target = try table(of: value).targets.withLock({ $0[value] }) else { throw .invalidHandle }
        return target
    }

    // MARK: Tables

    /// The table that may hold the handle; nothing of another process is touched.
    private static func table(of value: UInt) throws(CallError) -> Table {
        guard let table = table(at: current.load(ordering: .acquiring)) else { throw .invalidHandle }
        let isOwn = table.process == getpid()
        let firstOwn = isOwn ? table.firstNumber : nextNumber.load(ordering: .relaxed)
        let number = value >> shift
        if value & (1 << shift - 1) == tag, number > 0, number < firstOwn { throw .forked }
        guard isOwn else { throw .invalidHandle }
        return table
    }

    /// The process's own table, made when there is none.
    private static func ownTable() -> Table {
        while true {
            let bits = current.load(ordering: .acquiring)
            if let table = table(at: bits), table.process == getpid() { return table }
            let made = Table(firstNumber: nextNumber.load(ordering: .relaxed))
            let reference = unsafe Unmanaged.passRetained(made)
            let new = unsafe UInt(bitPattern: reference.toOpaque())
            if current.compareExchange(
                expected: bits, desired: new, successOrdering: .acquiringAndReleasing,
                failureOrdering: .acquiring
            ).exchanged {
                return made
            }
            unsafe reference.release()
        }
    }

    private static func table(at bits: UInt) -> Table? {
        guard let address = unsafe UnsafeRawPointer(bitPattern: bits) else { return nil }
        return unsafe Unmanaged<Table>.fromOpaque(address).takeUnretainedValue()
    }
}
