// SPDX-License-Identifier: Apache-2.0

import Tandem
import TandemJSON

extension MemoryPlan {
    /// What takes how much, in columns, and the sum against the budget.
    var table: String {
        var table = Table(["memory", "MiB", ""])
        table.rightAligned = [1]
        for item in items { table.add([item.name, mebibytes(item.bytes), item.detail]) }
        table.add(["total", mebibytes(totalBytes), totalDetail])
        return table.text + streamLine
    }

    private var totalDetail: String {
        guard let budgetBytes else { return "no budget; \(residency.rawValue)" }
        return
            "of \(mebibytes(budgetBytes)) (\(budgetSource)); at least \(mebibytes(leastBytes)); \(residency.rawValue)"
    }

    private var streamLine: String {
        guard residency == .streamed else { return "" }
        let layers =
            pinnedLayers.isEmpty
            ? "no layer" : "layers \(pinnedLayers.map(String.init).joined(separator: " "))"
        return "streamed \(byteText(streamedBytes)) of the primary's \(byteText(primaryBytes)) in every pass "
            + "(\(byteText(passBytes)) in whole blocks); \(layers) of \(layerCount) in memory; "
            + "prompts in blocks of \(promptRows); less is read while caches and activations are not in use: "
            + "up to \(byteText(sparseBytes))\n"
    }

    /// The lines of predicted speed.
    func outlook(_ speed: MachineSpeed) -> String {
        var text = "storage \(byteText(Int(speed.storageBytesPerSecond)))/s"
        text += speed.isStorageMeasured ? " measured" : " given"
        text += ", weights multiplied at \(byteText(Int(speed.computeBytesPerSecond)))/s measured\n"
        text += "a pass of the primary \(significant(passSeconds(speed))) s; "
        text += "primary alone \(significant(tokensPerSecond(speed, draft: 0, acceptance: 0))) tok/s"
        if draftLength > 0 {
            for acceptance in [0.5, 0.7, 0.9] {
                text += "; \(draftLength) drafts accepted at \(fixed(100 * acceptance, 0)) % "
                text += significant(tokensPerSecond(speed, draft: draftLength, acceptance: acceptance))
            }
        }
        return text + "\n"
    }

    /// The object `tandem plan --json` prints.
    func json(speed: MachineSpeed) -> JSONValue {
        var predicted: [JSONValue] = []
        for acceptance in [0.0, 0.5, 0.7, 0.9] where acceptance == 0 || draftLength > 0 {
            let draft = acceptance == 0 ? 0 : draftLength
            predicted.append([
                "draft": .integer(Int64(draft)), "acceptance": .number(acceptance),
                "tokens_per_second": .number(tokensPerSecond(speed, draft: draft, acceptance: acceptance)),
            ])
        }
        return [
            "residency": .string(residency.rawValue),
            "budget_bytes": budgetBytes.map { .integer(Int64($0)) } ?? .null,
            "budget_source": .string(budgetSource),
            "least_bytes": .integer(Int64(leastBytes)),
            "total_bytes": .integer(Int64(totalBytes)),
            "items": .array(
                items.map {
                    [
                        "name": .string($0.name), "bytes": .integer(Int64($0.bytes)),
                        "detail": .string($0.detail),
                    ]
                }),
            "file_bytes": .integer(Int64(fileBytes)),
            "primary_bytes": .integer(Int64(primaryBytes)),
            "layers": .integer(Int64(layerCount)),
            "pinned_layers": .array(pinnedLayers.map { .integer(Int64($0)) }),
            "streamed_bytes": .integer(Int64(streamedBytes)),
            "pass_bytes": .integer(Int64(passBytes)),
            "ring_bytes": .integer(Int64(ringBytes)),
            "held_bytes": .integer(Int64(heldBytes)),
            "sparse_bytes": .integer(Int64(sparseBytes)),
            "context_size": .integer(Int64(contextSize)),
            "prompt_rows": .integer(Int64(promptRows)),
            "storage_bytes_per_second": .number(speed.storageBytesPerSecond),
            "compute_bytes_per_second": .number(speed.computeBytesPerSecond),
            "pass_seconds": .number(passSeconds(speed)),
            "predicted": .array(predicted),
        ]
    }
}

/// Bytes in MiB with one decimal.
private func mebibytes(_ count: Int) -> String { fixed(Double(count) / 1_048_576, 1) }
