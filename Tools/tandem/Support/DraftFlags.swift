// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// The flags of speculative decoding, named as llama.cpp names them.
struct DraftFlags: ParsableArguments {
    @Option(
        help:
            "Most tokens drafted before a pass of the primary, 0...64; as many of them as pay (default: 15).")
    var draftMax: Int?

    @Option(help: "Fewest tokens drafted before a pass; equal to --draft-max, every pass drafts that many.")
    var draftMin: Int?

    @Option(
        help:
            """
            Most tokens drafted before a pass where several may stand in one place, 0...512: paths of a tree of at most \
            --draft-max tokens each, as many of them as pay; 0 = one chain (default: as many as --draft-max, up to 256 where \
            weights are streamed).
            """)
    var draftTree: Int?

    @Flag(help: "Draft nothing: the same as --draft-max 0.")
    var noDraft = false

    @Flag(
        inversion: .prefixedNo,
        help:
            "Draft also what followed the newest tokens when they occurred before (default: unless the length is fixed)."
    )
    var lookup: Bool?

    /// Most drafts of a pass; nil = the default.
    var most: Int? { noDraft ? 0 : draftMax }

    /// The most a session has to allow.
    var limit: Int { max(draftMax ?? 0, draftMin ?? 0, 16) }

    func validate() throws {
        if noDraft && (draftMax ?? 0) > 0 { throw ValidationError("--no-draft contradicts --draft-max") }
        if noDraft && (draftTree ?? 0) > 0 { throw ValidationError("--no-draft contradicts --draft-tree") }
    }
}
