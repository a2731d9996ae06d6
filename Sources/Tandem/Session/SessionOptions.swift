// SPDX-License-Identifier: Apache-2.0

/// Sizes fixed when a session is made.
public struct SessionOptions: Sendable, Equatable {
    /// Positions of the context; `nil` = the smallest maximum of the models in the file, or what the model's memory plan has
    /// room for.
    public let contextSize: Int?
    /// Prompt tokens that pass through the model in one block; `nil` = 64, or what the memory plan of a model with streamed
    /// weights has room for.
    public let batchSize: Int?
    /// Largest block length γ that ``GenerateParameters/draftMax`` may ask for.
    public let maxDraft: Int
    /// Most tokens of a tree of drafts that ``GenerateParameters/draftTree`` may ask for, 0 ... 512; 0 = drafts are chains,
    /// `nil` = as many as `maxDraft`, and where weights are streamed as many as the memory plan has room for.
    public let maxTree: Int?
    /// Element type of the key/value caches.
    public let keyValueType: KeyValueType

    /// Checks and keeps the options.
    /// - Throws: ``TandemError/invalidParameter(name:value:allowed:)``.
    public init(
        contextSize: Int? = nil, batchSize: Int? = nil, maxDraft: Int = 16, maxTree: Int? = nil,
        keyValueType: KeyValueType = .f16
    ) throws(TandemError) {
        if let contextSize, contextSize < 2 {
            throw .invalidParameter(name: "ctx-size", value: "\(contextSize)", allowed: "at least 2")
        }
        if let batchSize, !(1...4096).contains(batchSize) {
            throw .invalidParameter(name: "batch-size", value: "\(batchSize)", allowed: "in 1 ... 4096")
        }
        guard (0...64).contains(maxDraft) else {
            throw .invalidParameter(name: "draft-max", value: "\(maxDraft)", allowed: "in 0 ... 64")
        }
        if let maxTree, !Self.treeSizes.contains(maxTree) {
            throw .invalidParameter(
                name: "draft-tree", value: "\(maxTree)", allowed: "in 0 ... \(Self.treeSizes.upperBound)")
        }
        self.contextSize = contextSize
        self.batchSize = batchSize
        self.maxDraft = maxDraft
        self.maxTree = maxTree
        self.keyValueType = keyValueType
    }

    /// Most drafts of a pass where no number is asked for. The newest token is a row too, and beyond 16 rows the kernels are
    /// far from as fast as with one, where reading the weights is what takes the time.
    var usualDrafts: Int { maxDraft == Self.default.maxDraft ? maxDraft - 1 : maxDraft }

    private init() {
        contextSize = nil
        batchSize = nil
        maxDraft = 16
        maxTree = nil
        keyValueType = .f16
    }

    /// What ``maxTree`` may be.
    public static let treeSizes = 0...512

    /// The models' own context, f16 caches.
    public static let `default` = SessionOptions()
}
