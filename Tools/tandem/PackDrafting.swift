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
            change. Frequency is that in --draft-vocab-text, or in what the checkpoint was trained on, or the order of \
            the ids. 0: all tokens. (default: as the checkpoint recommends)
            """, valueName: "n"))
    var vocabulary: Int?

    @Option(
        name: .customLong("draft-vocab-text"),
        help: ArgumentHelp("A text that tells how frequent tokens are.", valueName: "file"),
        completion: .file())
    var text: String?

    func validate() throws {
        if text != nil && vocabulary ?? 0 == 0 {
            throw ValidationError("--draft-vocab-text needs --draft-vocab with more than 0 tokens")
        }
    }

    func draftVocabulary() throws -> DraftVocabulary {
        switch vocabulary {
        case nil: .recommended
        case 0: .whole
        case let size?: try DraftVocabulary(size: size, text: text)
        }
    }
}
