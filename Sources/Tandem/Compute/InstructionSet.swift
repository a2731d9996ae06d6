// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels
import Glibc

/// The instruction sets this build can use on this machine, slowest first. The first is always `scalar`.
///
/// All of them give the same bits; they differ in speed only.
public func availableInstructionSets() -> [String] {
    var names: [String] = []
    for index in 0..<tk_isa_count() {
        guard let table = unsafe tk_isa_at(index) else { continue }
        names.append(unsafe String(cString: table.pointee.name))
    }
    return names
}

/// A table of kernels, chosen once per model.
///
/// Thread safety: tables are immutable static storage of the C target.
@safe
struct KernelTable: @unchecked Sendable {
    let pointer: UnsafePointer<tk_kernels>
    let name: String

    /// The table named `name`; with `nil`, the one the environment variable `TANDEM_ISA` names, else the fastest.
    /// - Throws: ``TandemError/unknownInstructionSet(name:available:)``.
    init(named name: String?) throws(TandemError) {
        var wanted = name
        if wanted == nil, let value = unsafe getenv("TANDEM_ISA") {
            let text = unsafe String(cString: value)
            if !text.isEmpty { wanted = text }
        }
        let found: UnsafePointer<tk_kernels>?
        if let wanted {
            unsafe found = tk_isa_named(wanted)
        } else {
            unsafe found = tk_isa_at(tk_isa_count() &- 1)
        }
        guard let table = unsafe found else {
            throw .unknownInstructionSet(name: wanted ?? "default", available: availableInstructionSets())
        }
        unsafe pointer = table
        self.name = unsafe String(cString: table.pointee.name)
    }

    var table: tk_kernels { unsafe pointer.pointee }
}
