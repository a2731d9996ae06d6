// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import TandemPack

/// The flags that choose what matrices become.
struct RecipeFlags: ParsableArguments {
    /// An element format by its name.
    enum Element: String, CaseIterable, ExpressibleByArgument {
        case f32, int8, int4

        var recipe: Recipe {
            switch self {
            case .f32: .f32
            case .int8: .int8
            case .int4: .int4
            }
        }
    }

    /// A group size by its name.
    enum Group: String, CaseIterable, ExpressibleByArgument {
        case columns32 = "32"
        case columns64 = "64"
        case columns128 = "128"
        case row

        var size: GroupSize {
            switch self {
            case .columns32: .columns32
            case .columns64: .columns64
            case .columns128: .columns128
            case .row: .row
            }
        }
    }

    @Option(help: "What matrices become, by the default recipe of that name. (default: int8)")
    var quantize: Element?

    @Option(
        help: ArgumentHelp(
            "A recipe: \(Recipe.builtIn.map(\.name).joined(separator: ", ")); a format for every matrix; or a file.",
            discussion: """
                A format is f32, or int8, int4 (symmetric) or int4z (with offsets), then '/' and the columns that share a \
                scale (32, 64, 128, row), then perhaps ':' and a quantiser (rtn, mse, hqq, gptq): int4z/32:hqq. A file \
                ends in .json and names a "default" format and "rules" for classes of matrices, layers and roles.
                """))
    var recipe: String?

    @Option(name: .customLong("quantize-primary"), help: "As --quantize, for the primary only.")
    var primaryElement: Element?

    @Option(name: .customLong("quantize-secondary"), help: "As --quantize, for the secondary only.")
    var secondaryElement: Element?

    @Option(name: .customLong("quantize-projections"), help: "The format of the tandem projections.")
    var projectionElement: Element?

    @Option(
        name: .customLong("quantize-embeddings"),
        help: "The format of embeddings and output heads of both models.")
    var embeddingElement: Element?

    @Option(help: "Columns that share a scale, in every quantised matrix. (default: the recipe's)")
    var groupSize: Group?

    func validate() throws {
        guard recipe != nil else { return }
        let others: [Element?] = [
            quantize, primaryElement, secondaryElement, projectionElement, embeddingElement,
        ]
        if others.contains(where: { $0 != nil }) {
            throw ValidationError("--recipe cannot be combined with --quantize and its variants")
        }
    }

    /// - Throws: ``PackError`` for a recipe that cannot be read.
    func resolved() throws -> Recipe {
        var result = try recipe.map(Recipe.named) ?? (quantize ?? .int8).recipe
        let before = result
        if let primaryElement { result.append(primaryElement.recipe, role: .primary) }
        if let secondaryElement { result.append(secondaryElement.recipe, role: .secondary) }
        if let projectionElement {
            result.rules.append(
                Recipe.Rule(classes: [.projections], treatment: projectionElement.recipe.standard))
        }
        if let embeddingElement {
            result.rules.append(
                Recipe.Rule(classes: [.embed, .head], treatment: embeddingElement.recipe.standard))
        }
        if let groupSize { result.setGroup(groupSize.size) }
        if result != before { result.name = "custom" }
        return result
    }
}

extension Recipe {
    /// A built-in recipe, one format for every matrix, or a file.
    static func named(_ name: String) throws -> Recipe {
        if let recipe = Recipe(builtIn: name) { return recipe }
        if name.hasSuffix(".json") { return try Recipe(path: name) }
        guard let format = name.split(separator: ":").first, WeightFormat(name: String(format)) != nil else {
            let names = Recipe.builtIn.map(\.name).joined(separator: ", ")
            throw PackError.invalidOption(
                name: "--recipe", value: "'\(name)'",
                allowed: "one of \(names); a format such as int4z/32 or int8/64; or a file that ends in .json"
            )
        }
        return Recipe(name: name, standard: try WeightTreatment(name: name))
    }
}
