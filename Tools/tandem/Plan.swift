// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Tandem
import TandemJSON

/// `tandem plan`: where memory goes, and how fast it would be.
struct Plan: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show how a memory budget would be divided, and the speed to expect.",
        discussion: """
            Prints what stays in memory, what is streamed from storage in every pass of the primary, and every buffer. The \
            speed is predicted from the storage's and the processor's, which are measured here in a moment.
            """)

    @Argument(help: "The .tandem file.")
    var file: String

    @OptionGroup var memory: MemoryFlags

    @Option(
        name: [.customShort("c"), .long],
        help: "Context size in tokens; 0 = what fits, the model's own at most.")
    var ctxSize = 0

    @Option(name: .shortAndLong, help: "Threads; 0 = the processors this process may use.")
    var threads = 0

    @Option(help: "Tokens drafted before each pass of the primary, at most; it sizes buffers.")
    var draftMax: Int?

    @Option(help: "Nodes of a tree of drafts, at most; it sizes buffers (default: what there is room for).")
    var draftTree: Int?

    @OptionGroup var cache: CacheFlags

    @Option(help: "Speed of the storage, as '90MB/s', instead of measuring it.")
    var storage: StorageSpeed?

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        if ctxSize < 0 || threads < 0 { throw ValidationError("-c and -t must be 0 or greater") }
    }

    func run() throws {
        try reportingErrors(file: file) {
            let options = try LoadOptions(
                threadCount: threads == 0 ? nil : threads, memory: memory.memory,
                session: SessionOptions(
                    contextSize: ctxSize == 0 ? nil : ctxSize,
                    maxDraft: draftMax ?? SessionOptions.default.maxDraft, maxTree: draftTree,
                    keyValueType: try cache.type()))
            let plan = try TandemModel.memoryPlan(forFile: file, options: options)
            let speed = try MachineSpeed.measure(
                file: file, options: options, storageBytesPerSecond: storage?.bytesPerSecond)
            if json {
                StandardOutput.write(
                    plan.json(speed: speed).serialized(pretty: true, sortedKeys: false) + "\n")
            } else {
                StandardOutput.write(plan.table + plan.outlook(speed))
            }
        }
    }
}
