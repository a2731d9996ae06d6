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

    @Test("threads that look at the same time see the same tables")
    func concurrentLookups() async {
        let counts = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<32 { group.addTask { tk_isa_count() } }
            return await group.reduce(into: Set<Int>()) { $0.insert($1) }
        }
        #expect(counts == [Table.all.count])
    }

    @Test("tables of one processor line: a faster one implies those before it")
    func implied() {
        let names = Table.all.map(\.name)
        let chains = [
            ["avx2", "avxvnni"], ["avx2", "avx512vnni", "amx"], ["neon", "neon-dotprod", "neon-i8mm"],
        ]
        for chain in chains {
            guard let last = chain.lastIndex(where: names.contains) else { continue }
            for name in chain[..<last] { #expect(names.contains(name), "\(chain[last]) without \(name)") }
        }
    }

    @Test("this architecture has more than the scalar table where it must")
    func expected() {
        #if arch(arm64)
            #expect(Table.all.contains { $0.name == "neon" })
        #endif
    }
}
