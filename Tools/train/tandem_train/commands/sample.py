# SPDX-License-Identifier: Apache-2.0
"""``sample``: texts that the primary writes, as one more source to train and measure on."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..data import Corpus
from ..errors import TrainError
from ..hf import load_model
from ..sampling import SamplePlan, Sampling, Writer
from ..tokenizer import load_tokenizer
from .options import add_runtime, parse_mix, start_runtime


def register(commands: argparse._SubParsersAction) -> None:
    """Adds the subcommand."""
    one = commands.add_parser(
        "sample", help="let the primary write a source of its own",
        description="Continues prompts of prepared sources with a model and adds the texts to the prepared folder as one more "
        "source, for `train --mix` and `evaluate --sources`: drafts are verified on the primary's own text. A finished source of "
        "that name is replaced; the same command continues after a kill.",
    )
    one.add_argument("--model", type=Path, required=True, help="Hugging Face model directory (Llama family), the primary")
    one.add_argument("--data", type=Path, required=True, help="prepared folder: prompts come from it, the texts go to it")
    one.add_argument("--name", required=True, help="the new source")
    one.add_argument("--prompts", nargs="+", required=True, metavar="NAME=WEIGHT", help="sources of the prompts and their share")
    one.add_argument("--tokenizer", type=Path, help="folder with tokenizer.json (default: the model's)")
    one.add_argument("--tokens", type=int, default=1_000_000, help="tokens to write, prompts included (default 1000000)")
    one.add_argument("--length", type=int, default=256, help="tokens of a prompt with its continuation and its end (default 256)")
    one.add_argument("--prompt-tokens", default="16,64", metavar="MIN,MAX", help="length of the prompts (default 16,64)")
    one.add_argument("--opening", type=float, default=0.5, help="share of the prompts that begin where a document does (default 0.5)")
    one.add_argument("--temperatures", default="0,0.7,1", metavar="T,T,…", help="the texts take turns in them; 0 is greedy (default 0,0.7,1)")
    one.add_argument("--batch", type=int, default=256, help="texts written at a time (default 256)")
    one.add_argument("-s", "--seed", type=int, default=0)
    add_runtime(one)
    one.set_defaults(run=_sample)


def _numbers(option: str, text: str, kind: type) -> list:
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError:
        raise TrainError(f"{option} {text}: give numbers separated by commas") from None


def _sample(options: argparse.Namespace) -> None:
    runtime, corpus = start_runtime(options), Corpus(options.data)
    span = _numbers("--prompt-tokens", options.prompt_tokens, int)
    if len(span) != 2:
        raise TrainError(f"--prompt-tokens {options.prompt_tokens}: give the shortest and the longest, as in 16,64")
    plan = SamplePlan(
        sources=parse_mix(options.prompts), rows=options.tokens // max(1, options.length), length=options.length,
        shortest=span[0], longest=span[1], opening=options.opening,
        temperatures=tuple(_numbers("--temperatures", options.temperatures, float)), batch=options.batch, seed=options.seed,
    )
    if options.name in plan.sources or not options.name.replace("_", "").replace("-", "").isalnum():
        raise TrainError(f"--name {options.name}: give a new source a name of its own, of letters, digits, - and _")
    corpus.check_vocabulary(load_tokenizer(options.tokenizer or options.model))
    Sampling(corpus, options.name, plan, Writer(load_model(options.model), runtime), options.model.name).run()
    print(corpus.folder / f"{options.name}.bin")
