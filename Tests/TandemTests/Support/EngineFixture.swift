// SPDX-License-Identifier: Apache-2.0

import Tandem

/// A random model on disk, to be loaded as often as a test likes.
final class EngineFixture: Sendable {
    let path: String
    let recipe: ModelRecipe
    private let folder: TemporaryFolder

    init(_ recipe: ModelRecipe) throws {
        folder = try TemporaryFolder()
        path = folder.path("model.tandem")
        self.recipe = recipe
        try RandomModel(recipe).write(to: path)
    }

    func load(threads: Int = 1, instructionSet: String? = nil) throws -> TandemModel {
        try TandemModel.load(
            from: path, options: LoadOptions(threadCount: threads, instructionSet: instructionSet))
    }

    func session(
        threads: Int = 1, instructionSet: String? = nil, context: Int? = nil, batch: Int = 64,
        maxDraft: Int = 16,
        cache: KeyValueType = .f16
    ) throws -> Session {
        try load(threads: threads, instructionSet: instructionSet).makeSession(
            options: SessionOptions(
                contextSize: context, batchSize: batch, maxDraft: maxDraft, keyValueType: cache))
    }

    /// Reproducible token ids inside the vocabulary.
    func tokens(_ count: Int, seed: UInt64 = 1) -> [Int32] {
        var random = TestRandom(seed: seed &+ 1000)
        return (0..<count).map { _ in Int32(random.index(below: recipe.primary.vocabulary)) }
    }
}

extension Session {
    /// Logits of both models for all positions.
    func allLogits(_ tokens: [Int32], blockLength: Int = 2) throws -> (
        primary: [[Float]], secondary: [[Float]]
    ) {
        var primary: [[Float]] = []
        var secondary: [[Float]] = []
        try logits(tokens: tokens, blockLength: blockLength) { position in
            primary.append(position.primary)
            secondary.append(position.secondary)
        }
        return (primary, secondary)
    }
}

/// The greatest difference of two tables of logits; infinite when the shapes differ or a value is not finite.
func largestDifference(_ a: [[Float]], _ b: [[Double]]) -> Double {
    guard a.count == b.count else { return .infinity }
    var largest = 0.0
    for (x, y) in zip(a, b) {
        guard x.count == y.count else { return .infinity }
        for (left, right) in zip(x, y) {
            let difference = abs(Double(left) - right)
            guard difference.isFinite else { return .infinity }
            largest = max(largest, difference)
        }
    }
    return largest
}

/// Root of the mean square of all values.
func deviation(_ values: [[Double]]) -> Double {
    let flat = values.flatMap { $0 }
    return (flat.reduce(0) { $0 + $1 * $1 } / Double(max(1, flat.count))).squareRoot()
}

/// Root of the mean square difference.
func meanDifference(_ a: [[Float]], _ b: [[Double]]) -> Double {
    deviation(zip(a, b).map { pair in zip(pair.0, pair.1).map { Double($0) - $1 } })
}
