// SPDX-License-Identifier: Apache-2.0

public import TandemFormat

/// Classes of matrices that a recipe tells apart.
public enum MatrixClass: String, Sendable, Hashable, CaseIterable {
    case embed, head, q, k, v, o, gate, up, down, projections
}

/// What every matrix of a file becomes: mixed precision by class, layer and role.
///
/// A matrix gets the treatment of the last rule that matches it, or the recipe's default. Vectors stay 32-bit floats.
///
/// Usage:
///
///     var recipe = Recipe.int4
///     recipe.rules.append(Recipe.Rule(classes: [.v, .down], layers: [.init(0), .init(-1)], treatment: .int8))
///
/// As a JSON file (``init(path:)``), where only "default" must be there:
///
///     {
///       "name": "mine",
///       "default": "int4z/32",
///       "rules": [
///         { "classes": ["embed", "head"], "format": "int8/64" },
///         { "classes": ["v", "down"], "layers": [0, [2, 5], -1], "role": "primary", "format": "int8/64" }
///       ]
///     }
///
/// A format is written as ``WeightTreatment/init(name:)`` reads it. Layers count from 0, from -1 backwards from the last
/// one; a pair is a range with both ends. A rule without "classes", "layers" or "role" matches all of them; one with
/// "layers" never matches embeddings, heads and projections (whose role is "secondary"). Embeddings that are also the
/// output head match both classes.
public struct Recipe: Sendable, Equatable {
    /// Layers from `first` to `last`; negative numbers count backwards from the last layer.
    public struct Layers: Sendable, Equatable {
        public var first: Int
        public var last: Int

        public init(_ first: Int, _ last: Int? = nil) {
            self.first = first
            self.last = last ?? first
        }

        func contains(_ layer: Int, of count: Int) -> Bool {
            let low = first < 0 ? first + count : first
            let high = last < 0 ? last + count : last
            return low <= layer && layer <= high
        }
    }

    /// A treatment for some matrices.
    public struct Rule: Sendable, Equatable {
        /// nil matches every class.
        public var classes: Set<MatrixClass>?
        /// nil matches every matrix, in a layer or not.
        public var layers: [Layers]?
        /// nil matches both models.
        public var role: ModelRole?
        public var treatment: WeightTreatment

        public init(
            classes: Set<MatrixClass>? = nil, layers: [Layers]? = nil, role: ModelRole? = nil,
            treatment: WeightTreatment
        ) {
            self.classes = classes
            self.layers = layers
            self.role = role
            self.treatment = treatment
        }
    }

    /// The name recorded in the manifest.
    public var name: String
    /// For matrices that no rule matches.
    public var standard: WeightTreatment
    /// The last one that matches decides.
    public var rules: [Rule]

    public init(name: String, standard: WeightTreatment, rules: [Rule] = []) {
        self.name = name
        self.standard = standard
        self.rules = rules
    }

    /// The same format for every matrix.
    public init(_ format: WeightFormat) {
        self.init(name: format.name, standard: WeightTreatment(unchecked: format))
    }

    /// Adds the rules of another recipe, its default included, for the matrices of one model. Projections are left as
    /// they were.
    public mutating func append(_ other: Recipe, role: ModelRole) {
        let classes = Set(MatrixClass.allCases).subtracting([.projections])
        rules.append(Rule(classes: classes, role: role, treatment: other.standard))
        for var rule in other.rules where rule.role == nil || rule.role == role {
            rule.role = role
            rule.classes = rule.classes?.intersection(classes) ?? classes
            rules.append(rule)
        }
    }

    /// Replaces the group size of every quantised treatment.
    public mutating func setGroup(_ group: GroupSize) {
        standard.format.group = group
        for index in rules.indices { rules[index].treatment.format.group = group }
    }
}

/// Where a matrix stands in its model.
struct MatrixPlace: Sendable, Equatable {
    let classes: Set<MatrixClass>
    let role: ModelRole
    /// nil outside the layers.
    let layer: Int?
    let layerCount: Int
}

extension Recipe {
    /// What a matrix becomes.
    func treatment(of place: MatrixPlace) -> WeightTreatment {
        rules.last { $0.matches(place) }?.treatment ?? standard
    }
}

extension Recipe.Rule {
    func matches(_ place: MatrixPlace) -> Bool {
        if let classes, classes.isDisjoint(with: place.classes) { return false }
        if let role, role != place.role { return false }
        guard let layers else { return true }
        guard let layer = place.layer else { return false }
        return layers.contains { $0.contains(layer, of: place.layerCount) }
    }
}

extension MatrixPlace {
    /// The place of a container's matrix; nil when no matrix has that name.
    init?(tensor name: String, role: ModelRole, configuration: ModelConfiguration) {
        let parts = name.split(separator: ".")
        guard let last = parts.last else { return nil }
        layerCount = configuration.layerCount
        self.role = role
        if parts[0] == "tandem" {
            classes = [.projections]
            layer = nil
            return
        }
        guard let matrix = MatrixClass(rawValue: String(last)) else { return nil }
        layer = parts.count == 4 ? Int(parts[2]) : nil
        classes = matrix == .embed && configuration.tiedEmbeddings ? [.embed, .head] : [matrix]
    }
}
