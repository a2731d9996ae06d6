// SPDX-License-Identifier: Apache-2.0
//
// Generates within a memory budget that the model may be larger than.
//
//     low-memory MODEL BUDGET PROMPT       BUDGET as 64M, 1.5G, or auto
//
// The plan goes to standard error: what is kept in memory, and what is read from the file in every pass. The text is the
// same whatever the budget. A budget that is too small is refused with the least that is enough.

import Glibc
import Tandem

func say(_ line: String) {
    let bytes = Array((line + "\n").utf8)
    _ = unsafe write(STDERR_FILENO, bytes, bytes.count)
}

func mebibytes(_ bytes: Int) -> String { "\(bytes >> 20).\((bytes >> 10 & 1023) * 10 >> 10) MiB" }

/// The most memory the process has had at a time, as the system counts it.
func peakMemory() -> Int {
    var usage = rusage()
    unsafe getrusage(Int32(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss << 10
}

let arguments = CommandLine.arguments
guard arguments.count == 4, let budget = MemoryBudget(arguments[2]) else {
    say("usage: low-memory MODEL BUDGET PROMPT")
    exit(64)
}
do {
    // The plan leaves room for the sessions that are announced here.
    let session = try SessionOptions(contextSize: 128)
    let model = try TandemModel.load(
        from: arguments[1], options: LoadOptions(memory: budget, session: session))
    let plan = model.memoryPlan
    say("weights: \(plan.residency.rawValue)")
    for item in plan.items { say("  \(item.name): \(mebibytes(item.bytes))") }
    say("  total: \(mebibytes(plan.totalBytes)); at least \(mebibytes(plan.leastBytes)) would do")
    if plan.residency == .streamed {
        say("  read from the file in every pass: \(mebibytes(plan.passBytes))")
    }
    let parameters = try GenerateParameters(maxTokens: 48)
    print(arguments[3], terminator: "")
    let result = try model.makeSession(options: session).generate(arguments[3], parameters: parameters) {
        print($0.text, terminator: "")
        fflush(nil)
    }
    print()
    say("\(result.usage.completionTokens) tokens; \(mebibytes(peakMemory())) of memory at most")
} catch {
    say("low-memory: \(error)")
    exit(1)
}
