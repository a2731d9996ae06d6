// SPDX-License-Identifier: Apache-2.0

import TandemFormat

/// What a file gets to make drafting cheaper.
struct DraftingSource: Sendable {
    let router: RouterSource?
    /// Ids of the tokens that drafts come from, ascending; nil: all.
    let tokens: [Int]?

    /// nil when there is nothing of it.
    init?(router: RouterSource?, tokens: [Int]?) {
        guard router != nil || tokens != nil else { return nil }
        self.router = router
        self.tokens = tokens
    }

    var configuration: DraftingConfiguration {
        DraftingConfiguration(router: router?.configuration, vocabularySize: tokens?.count)
    }

    /// Every tensor with its source, in file order.
    func sources(secondary: ModelSource) -> [(requirement: TensorRequirement, source: SourceTensor)] {
        var tensors = router?.tensors ?? []
        if let tokens {
            tensors.append(
                SourceTensor(
                    ComputedVector(
                        path: secondary.path, name: "tokens that are drafted",
                        values: tokens.map(Float.init))))
            let name =
                secondary.configuration.tiedEmbeddings
                ? TensorName.embed(.secondary) : TensorName.head(.secondary)
            for (requirement, source) in secondary.sources(.secondary) where requirement.name == name {
                tensors.append(SourceTensor(SelectedRows(source: source, selection: tokens)))
            }
        }
        let required = configuration.requiredTensors(secondary: secondary.configuration)
        return Array(zip(required, tensors)).map { (requirement: $0, source: $1) }
    }
}
