# SPDX-License-Identifier: Apache-2.0
"""``draft-vocab``: the tokens that drafts come from."""

from __future__ import annotations

import argparse
from pathlib import Path

from .. import bundle
from ..config import read_config
from ..data import Corpus
from ..draft_vocab import DraftVocabulary, count_frequencies, size_for
from ..errors import TrainError
from .options import add_mix, parse_mix


def register(commands: argparse._SubParsersAction) -> None:
    """Adds the subcommand."""
    one = commands.add_parser(
        "draft-vocab", help="let drafts come from the most frequent tokens",
        description="Counts the tokens of the training texts and writes their frequencies, and how many tokens to draft from, into a "
        "tandem checkpoint; everything else in it stays as it is. `tandem pack` follows it: the secondary's head is then read for these "
        "tokens alone, and the text does not change.",
    )
    one.add_argument("--checkpoint", type=Path, required=True, help="tandem checkpoint directory")
    add_mix(one)
    size = one.add_mutually_exclusive_group()
    size.add_argument("--size", type=int, help="tokens to draft from")
    size.add_argument("--coverage", type=float, default=0.95, help="as many tokens as make up this share of the texts (default 0.95)")
    one.set_defaults(run=_draft_vocab)


def _draft_vocab(options: argparse.Namespace) -> None:
    manifest, corpus = bundle.read_manifest(options.checkpoint), Corpus(options.data)
    vocab_size = read_config(options.checkpoint / manifest["primary"]).vocab_size
    frequencies = count_frequencies(corpus, parse_mix(options.mix), vocab_size)
    size = size_for(frequencies, options.coverage) if options.size is None else options.size
    if not 1 <= size <= vocab_size:
        raise TrainError(f"--size must be from 1 to {vocab_size}, not {size}")
    vocabulary = DraftVocabulary(frequencies, size)
    bundle.attach_draft_vocabulary(options.checkpoint, vocabulary)
    print(f"{options.checkpoint}: drafts come from {size} of {vocab_size} tokens, {vocabulary.coverage:.1%} of the texts")
