// SPDX-License-Identifier: Apache-2.0

import CTandemKernels
import Testing

@Suite("Instruction set tables")
struct DispatchTests {
    @Test("scalar is first, names are distinct, lookups agree")
    func tables() {
        let names = Table.all.map(\.name)
        #expect(names.first == "scalar")
        #expect(Set(names).count == names.count)
        for (index, name) in names.enumerated() { #expect(unsafe tk_isa_named(name) == tk_isa_at(index)) }
        #expect(unsafe tk_isa_at(names.count) == nil)
        #expect(unsafe tk_isa_at(.max) == nil)
        #expect(unsafe tk_isa_named("no such set") == nil)
        #expect(unsafe tk_isa_named(nil) == nil)
    }

    @Test("this architecture has more than the scalar table where it must")
    func expected() {
        #if arch(arm64)
            #expect(Table.all.contains { $0.name == "neon" })
        #endif
    }
}
