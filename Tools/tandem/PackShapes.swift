// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import TandemPack

/// The flags of models for benchmarks: grown ones, and ones without a checkpoint.
struct ShapeFlags: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Grow the primary to the cost of this shape without changing what it computes: a stand-in for a big model "
                + "with real text. One of \(TargetShape.named.map(\.name).joined(separator: ", ")).",
            valueName: "shape"))
    var expand: String?

    @Option(help: ArgumentHelp("Grow the secondary too.", valueName: "shape"))
    var expandSecondary: String?

    @Option(
        help: ArgumentHelp(
            "Make a model of this shape with seeded weights instead of packing a checkpoint.",
            valueName: "shape"))
    var synthetic: String?

    @Option(help: "Seed of weights that come from no checkpoint.")
    var weightSeed: UInt64 = 1

    /// What to grow to; nil when that is not asked for.
    func expansion() throws -> Expansion? {
        guard let expand else { return nil }
        return Expansion(
            primary: try TargetShape(named: expand),
            secondary: try expandSecondary.map(TargetShape.init(named:)),
            seed: weightSeed)
    }

    func validate() throws {
        if expandSecondary != nil && expand == nil {
            throw ValidationError("--expand-secondary needs --expand")
        }
        if synthetic != nil && expand != nil {
            throw ValidationError("--synthetic makes a model of any shape: leave --expand out")
        }
    }
}
