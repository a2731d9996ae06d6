// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Tandem

/// `tandem bench`: how fast a file's primary runs on this machine.
struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure speed: prompts, generation, verification, memory bandwidth.",
        discussion: """
            Rows are named as in llama-bench: pp512 reads a prompt of 512 tokens, tg128 generates 128 tokens one by one, \
            both with the primary alone. verify8 is the time of a pass over 8 rows in units of a pass over one: what \
            speculative decoding pays to check 7 drafts. With -d, rows are measured after so many tokens of text, \
            as pp512 @ d4096. Memory bandwidth is measured in the same run, with the access \
            pattern that reads fastest; generation is shown as a share of it (more than all of it where the \
            weights fit the processor's caches). tg128 x 8 is 8 sessions that generate at the same time: tokens per second \
            of all of them together, and the time that passes between two pieces of text of one session.
            """)

    @Option(name: [.customShort("m"), .long], help: "The .tandem file.")
    var model: String?

    @Option(name: .shortAndLong, help: "Threads; 0 = the processors this process may use.")
    var threads = 0

    @Option(name: [.customShort("r"), .customLong("repetitions")], help: "Samples of every row.")
    var repetitions = 5

    @Option(
        name: [.customShort("p"), .customLong("n-prompt")],
        help: "Prompt lengths, separated by commas; 0 = none.")
    var prompts = "512,128,16,8,4"

    @Option(
        name: [.customShort("n"), .customLong("n-gen")],
        help: "Lengths to generate, separated by commas; 0 = none.")
    var generations = "128"

    @Option(name: .long, help: "Rows of verification passes, separated by commas; 0 = none.")
    var verify = "4,8,16"

    @Option(
        name: [.customShort("d"), .customLong("n-depth")],
        help: """
            Tokens in the context before each row, separated by commas. (default: 0; 64 before a verification pass, \
            which needs 1 at least)
            """)
    var depths: String?

    @Option(
        name: [.customLong("np", withSingleDash: true), .long],
        help: "Numbers of sessions that generate at the same time, separated by commas; 0 = none.")
    var parallel = "0"

    @Option(help: "How those sessions decode: speed, tandem, primary or secondary.")
    var decode = DecodingMode.primary

    @Option(name: .shortAndLong, help: "Texts for those sessions to continue, one in each line of a file.")
    var file: String?

    @OptionGroup var cache: CacheFlags

    @Option(name: .shortAndLong, help: "Output: md, csv or json.")
    var output = BenchFormat.md

    @Flag(name: .customLong("isa-list"), help: "List the instruction sets of this machine and end.")
    var listInstructionSets = false

    func validate() throws {
        guard listInstructionSets || model != nil else { throw ValidationError("give the file with -m") }
        if threads < 0 { throw ValidationError("-t must be 0 or greater") }
        if !(1...1000).contains(repetitions) { throw ValidationError("-r must be in 1...1000") }
        for (name, text) in [
            ("-p", prompts), ("-n", generations), ("--verify", verify), ("--parallel", parallel),
            ("-d", depths ?? "0"),
        ] {
            guard lengths(text) != nil else {
                throw ValidationError(
                    "\(name) \(text): give numbers from 0 to 1000000 separated by commas, as in 4,8,512")
            }
        }
        guard (lengths(verify) ?? []).allSatisfy({ $0 <= 65 }) else {
            throw ValidationError("--verify takes at most 65 rows")
        }
        guard (lengths(parallel) ?? []).allSatisfy({ $0 <= 1024 }) else {
            throw ValidationError("--parallel takes at most 1024 sessions")
        }
    }

    func run() throws {
        if listInstructionSets {
            StandardOutput.write(availableInstructionSets().joined(separator: "\n") + "\n")
            return
        }
        guard let path = model else { return }
        try reportingErrors(file: path) {
            catchInterrupt()
            var run = try BenchRun(
                path: path, threads: threads, repetitions: repetitions, keyValueType: try cache.type())
            let texts = try file.map { try readPrompt($0).split(separator: "\n").map(String.init) }
            run.parallel = BenchRun.Parallel(
                sessionCounts: lengths(parallel) ?? [], mode: decode, texts: texts ?? ParallelRun.texts)
            let report = try run.execute(
                prompts: lengths(prompts) ?? [], generations: lengths(generations) ?? [],
                verify: lengths(verify) ?? [], depths: depths.map { numbers($0) ?? [] })
            StandardOutput.write(report.text(output))
        }
    }

    /// Numbers of a list without its zeros; nil when it is no list of numbers.
    private func lengths(_ text: String) -> [Int]? { numbers(text)?.filter { $0 > 0 } }

    /// Numbers of a list; nil when it is none.
    private func numbers(_ text: String) -> [Int]? {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.allSatisfy({ $0.map { (0...1_000_000).contains($0) } ?? false }) else { return nil }
        return parts.compactMap(\.self)
    }
}

/// Forms of a benchmark's report.
enum BenchFormat: String, ExpressibleByArgument, CaseIterable {
    case md, csv, json
}
