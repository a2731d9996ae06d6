// SPDX-License-Identifier: Apache-2.0

import Glibc
import Tandem
import TandemJSON

/// Largest resident memory of this process so far, in bytes.
func peakMemoryBytes() -> Int {
    var usage = rusage()
    guard unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return 0 }
    return usage.ru_maxrss * 1024
}

extension GenerationResult {
    /// The object `tandem generate --json` prints.
    func json(plan: MemoryPlan) -> JSONValue {
        [
            "text": .string(text),
            "tokens": .array(tokens.map { .integer(Int64($0)) }),
            "finish_reason": .string(finishReason.rawValue),
            "usage": [
                "prompt_tokens": .integer(Int64(usage.promptTokens)),
                "cached_prompt_tokens": .integer(Int64(usage.cachedPromptTokens)),
                "completion_tokens": .integer(Int64(usage.completionTokens)),
                "context_shifts": .integer(Int64(usage.contextShifts)),
                "total_tokens": .integer(Int64(usage.totalTokens)),
            ],
            "timings": [
                "prompt_per_second": .number(timings.promptPerSecond),
                "predicted_per_second": .number(timings.predictedPerSecond),
                "prompt_seconds": .number(timings.promptSeconds),
                "predicted_seconds": .number(timings.predictedSeconds),
            ],
            "speculative": [
                "primary_passes": .integer(Int64(speculative.primaryPasses)),
                "drafted": .integer(Int64(speculative.drafted)),
                "draft_depth": .integer(Int64(speculative.draftedDepth)),
                "accepted": .integer(Int64(speculative.accepted)),
                "looked_up": .integer(Int64(speculative.lookedUp)),
                "draft_cost": .number(speculative.draftCost),
                "row_cost": .number(speculative.rowCost),
            ],
            "memory": [
                "peak_bytes": .integer(Int64(peakMemoryBytes())),
                "budget_bytes": plan.budgetBytes.map { .integer(Int64($0)) } ?? .null,
                "planned_bytes": .integer(Int64(plan.totalBytes)),
                "residency": .string(plan.residency.rawValue),
                "pinned_layers": .integer(Int64(plan.pinnedLayers.count)),
                "streamed_bytes_per_pass": .integer(Int64(plan.streamedBytes)),
                "prompt_rows": .integer(Int64(plan.promptRows)),
                "bytes_streamed": .integer(Int64(streaming.bytesStreamed)),
                "storage_seconds": .number(streaming.storageSeconds),
                "wait_seconds": .number(streaming.waitSeconds),
            ],
        ]
    }

    /// The lines of figures `tandem generate` ends with.
    func figures(model: TandemModel, seed: UInt64?) -> String {
        var line = "\nprompt \(usage.promptTokens) tokens, \(fixed(timings.promptPerSecond, 1)) tok/s"
        line += " · generated \(usage.completionTokens) tokens, \(fixed(timings.predictedPerSecond, 1)) tok/s"
        if speculative.primaryPasses > 0 { line += " · \(speculative.primaryPasses) primary passes" }
        if speculative.drafted > 0 {
            line += " · accepted \(fixed(speculative.acceptedPerPass, 2)) per pass"
            line += " (\(fixed(100 * speculative.acceptanceRate, 0)) % of \(speculative.drafted) drafted"
            if speculative.draftedDepth < speculative.drafted {
                line += " in trees \(fixed(speculative.depthPerPass, 1)) deep"
            }
            if speculative.lookedUp > 0 { line += ", \(speculative.lookedUp) of them looked up" }
            line += ")"
        }
        line += " · peak memory \(fixed(Double(peakMemoryBytes()) / 1_048_576, 1)) MiB"
        if streaming.bytesStreamed > 0 { line += " · \(byteText(streaming.bytesStreamed)) streamed" }
        line += " · \(finishReason.rawValue) · \(model.threadCount) threads, \(model.instructionSet)"
        if let seed { line += " · seed \(seed)" }
        return line + "\n"
    }
}

/// A number with a fixed count of decimals.
func fixed(_ value: Double, _ decimals: Int) -> String {
    guard value.isFinite, value.magnitude < 1e15 else { return "\(value)" }
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    let scaled = Int64((value.magnitude * scale).rounded())
    var digits = String(scaled)
    while digits.count <= decimals { digits = "0" + digits }
    let sign = value < 0 && scaled != 0 ? "-" : ""
    return decimals == 0 ? sign + digits : sign + digits.dropLast(decimals) + "." + digits.suffix(decimals)
}
