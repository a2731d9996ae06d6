// SPDX-License-Identifier: Apache-2.0

import Tandem
import TandemJSON
import TandemPack

/// What one recipe makes of a checkpoint.
struct RecipeResult {
    let recipe: Recipe
    let report: PackReport
    let evaluation: Evaluation

    /// Perplexity over the reference's, less 1.
    var perplexityChange: Double? {
        guard let reference = evaluation.reference, reference.perplexity > 0 else { return nil }
        return evaluation.primary.perplexity / reference.perplexity - 1
    }
}

/// The recipes of one `eval`, against the same floats.
struct RecipeComparison {
    let rows: [RecipeResult]
    let calibrationTokens: Int?
    let blockLength: Int

    /// One line for the floats, one for each recipe.
    var text: String {
        var table = Table([
            "recipe", "bits", "size", "perplexity", "change", "KL", "same top", "draft same top",
        ])
        table.rightAligned = [1, 2, 3, 4, 5, 6, 7]
        if let reference = rows.first?.evaluation.reference {
            table.add(["(floats)", "", "", fixed(reference.perplexity, 3), "", "", "", ""])
        }
        for row in rows {
            let primary = row.evaluation.primary
            let change = row.perplexityChange ?? 0
            table.add([
                row.recipe.name, fixed(row.report.bitsPerWeight, 2), byteText(row.report.fileSize),
                fixed(primary.perplexity, 3), (change < 0 ? "" : "+") + fixed(100 * change, 2) + " %",
                primary.referenceDivergence.map { fixed($0, 5) } ?? "–",
                primary.referenceAccuracy.map { fixed(100 * $0, 2) + " %" } ?? "–",
                row.evaluation.secondary?.referenceAccuracy.map { fixed(100 * $0, 2) + " %" } ?? "–",
            ])
        }
        let tokens = rows.first?.evaluation.primary.count ?? 0
        let calibration = calibrationTokens.map { "; calibrated on \($0) tokens" } ?? ""
        return table.text
            + "(\(tokens) positions; KL in nats; drafts at block length \(blockLength), against the "
            + "recipe's own primary\(calibration))\n"
    }

    var json: JSONValue {
        var object: JSONObject = ["block_length": .integer(Int64(blockLength))]
        if let calibrationTokens { object["calibration_tokens"] = .integer(Int64(calibrationTokens)) }
        if let reference = rows.first?.evaluation.reference { object["reference"] = reference.json }
        object["recipes"] = .array(
            rows.map { row in
                var entry: JSONObject = ["recipe": .object(row.recipe.json)]
                entry["quantization"] = .object(row.report.quantization)
                entry["bits_per_weight"] = .number(row.report.bitsPerWeight)
                entry["file_bytes"] = .integer(Int64(row.report.fileSize))
                entry["primary"] = row.evaluation.primary.json
                if let change = row.perplexityChange { entry["perplexity_change"] = .number(change) }
                if let secondary = row.evaluation.secondary { entry["secondary"] = secondary.json }
                return .object(entry)
            })
        return .object(object)
    }
}
