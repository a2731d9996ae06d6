// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import TandemPack

/// The flags of what makes drafting cheaper.
struct DraftingFlags: ParsableArguments {
    @Option(
        name: .customLong("draft-vocab"),
        help: ArgumentHelp(
            """
            Draft only the N most frequent tokens: the secondary's head is read for these alone, and the text does not \
            change. Frequency is that in --draft-vocab-text, or the order of the ids.
            """, valueName: "n"))
    var vocabulary: Int?

    @Option(
        name: .customLong("draft-vocab-text"),
        help: ArgumentHelp("A text that tells how frequent tokens are.", valueName: "file"),
        completion: .file())
    var text: String?

    func validate() throws {
        if text != nil && vocabulary == nil {
            throw ValidationError("--draft-vocab-text needs --draft-vocab")
        }
    }

    /// nil when drafts come from the whole vocabulary.
    func draftVocabulary() throws -> DraftVocabulary? {
        try vocabulary.map { try DraftVocabulary(size: $0, text: text) }
    }
}
