// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import TandemFormat

/// The `tandem` command: a list of subcommands.
@main
struct TandemCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tandem",
        abstract: "Pack, inspect and run Tandem Transformers.",
        discussion: """
            A .tandem file holds one model, or a large one and a small one that drafts for it, with the tokenizer and \
            quantised weights that are used in place.
            """,
        version: LibraryVersion.current,
        subcommands: [
            Pack.self,
            Inspect.self,
            Verify.self,
            Generate.self,
            Plan.self,
            ChatCommand.self,
            ChatTemplateCommand.self,
            Eval.self,
            Tokenize.self,
            Embed.self,
            Bench.self,
        ])
}
