// SPDX-License-Identifier: Apache-2.0

extension Recipe {
    /// Every built-in recipe, by name.
    public static let builtIn: [Recipe] = [f32, int8, int4, int4Small, int4Fast]

    /// The built-in recipe of that name.
    public init?(builtIn name: String) {
        guard let match = Recipe.builtIn.first(where: { $0.name == name }) else { return nil }
        self = match
    }

    /// Unchanged weights, to compare with.
    public static let f32 = Recipe(name: "f32", standard: .init(unchecked: .f32))

    /// 8 bits everywhere, 8.25 bits a weight: as good as the floats for every purpose we measured.
    public static let int8 = Recipe(name: "int8", standard: .init(unchecked: .int8(.columns64)))

    /// 4.5 bits a weight in the layers, 8.25 in embeddings and output head.
    ///
    /// The head is where 4 bits cost most for what they save: its errors reach the logits directly.
    public static let int4 = Recipe(
        name: "int4", standard: .init(unchecked: .int4z(.columns32)), rules: [vocabularyInInt8])

    /// 4.5 bits a weight everywhere: for models whose vocabulary is much of their size.
    public static let int4Small = Recipe(name: "int4-small", standard: .init(unchecked: .int4z(.columns32)))

    /// 4.25 bits a weight in the layers, symmetric: somewhat faster and somewhat worse than ``int4``.
    public static let int4Fast = Recipe(
        name: "int4-fast", standard: .init(unchecked: .int4(.columns64)), rules: [vocabularyInInt8])

    private static let vocabularyInInt8 = Rule(
        classes: [.embed, .head], treatment: .init(unchecked: .int8(.columns64)))
}

extension WeightTreatment {
    /// 8 bits with a scale for every 64 columns.
    public static let int8 = WeightTreatment(unchecked: .int8(.columns64))
}
