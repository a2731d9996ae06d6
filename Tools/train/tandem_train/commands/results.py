# SPDX-License-Identifier: Apache-2.0
"""``evaluate`` and ``export``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from .. import bundle, checkpoint, export
from ..data import Corpus
from ..errors import TrainError
from ..hf import load_model, round_to
from ..measure import Key, Sums, measure, rows, table, windows
from ..model import LlamaLM
from ..tandem import Projections
from .options import add_runtime, start_runtime


def register(commands: argparse._SubParsersAction) -> None:
    """Adds the subcommands."""
    one = commands.add_parser(
        "evaluate", help="print the paper's table-1 rows",
        description="Accuracy against the text, cross-entropy, accuracy against the primary and TV distance, for the "
        "primary, the secondary alone, distilled and in the tandem. Weights are rounded to bf16 as exported.",
    )
    given = one.add_mutually_exclusive_group(required=True)
    given.add_argument("--checkpoint", type=Path, help="tandem checkpoint directory")
    given.add_argument("--training", type=Path, help="working folder of `train` (all its branches)")
    one.add_argument("--with-model", action="append", default=[], metavar="NAME=DIR", help="one more model alone, as a row")
    one.add_argument("--data", type=Path, required=True, help="prepared folder")
    one.add_argument("--sources", nargs="+", required=True, metavar="NAME", help="validation sources")
    one.add_argument("--gammas", default="2", help="block lengths, separated by commas (default 2)")
    one.add_argument("--length", type=int, default=512, help="tokens per window (default 512)")
    one.add_argument("--max-tokens", type=int, help="at most this many tokens of each source")
    one.add_argument("--json", action="store_true", help="print JSON instead of tables")
    add_runtime(one)
    one.set_defaults(run=_evaluate)

    two = commands.add_parser("export", help="write the checkpoint of a training folder, finished or not")
    two.add_argument("--training", type=Path, required=True, help="working folder of `pretrain` or `train`")
    two.add_argument("--out", type=Path, required=True)
    two.add_argument("--dtype", choices=("bf16", "fp32"), default="bf16", help="type of the stored weights (default bf16)")
    two.set_defaults(run=_export)


def _export(options: argparse.Namespace) -> None:
    export.export(options.training, options.out, {"bf16": torch.bfloat16, "fp32": torch.float32}[options.dtype])
    print(options.out)


def _evaluate(options: argparse.Namespace) -> None:
    runtime, corpus = start_runtime(options), Corpus(options.data)
    try:
        gammas = [int(part) for part in options.gammas.split(",")]
    except ValueError:
        raise TrainError(f"--gammas {options.gammas}: give integers separated by commas, as in 1,2,3") from None
    if min(gammas) < 1:
        raise TrainError("--gammas must be at least 1")
    primary, alone, tandems = _models(options)
    for module in [primary, *alone.values(), *(part for pair in tandems.values() for part in pair)]:
        round_to(module, torch.bfloat16)
        module.to(runtime.device)
    corpus.check_fits(primary.config.vocab_size)
    totals: dict[str, dict[Key, Sums]] = {}
    for source in options.sources:
        given = windows(corpus, source, options.length, options.max_tokens)
        totals[source] = measure(primary, alone, tandems, gammas, given, runtime)
    if len(totals) > 1:
        parts = list(totals.values())
        totals["all"] = {key: sum((part[key] for part in parts), Sums()) for key in parts[0]}
    results = {group: rows(sums) for group, sums in totals.items()}
    if options.json:
        print(json.dumps({group: [row.to_dict() for row in found] for group, found in results.items()}, indent=2))
        return
    for group, found in results.items():
        print(f"{group}\n{table(found)}\n")


def _models(options: argparse.Namespace) -> tuple[LlamaLM, dict[str, LlamaLM], dict[str, tuple[LlamaLM, Projections]]]:
    """The primary, the models alone, and the tandems to measure."""
    tandems = {}
    if options.training:
        state = checkpoint.read(options.training / "training.pt")
        loaded = export.training_bundle(state, ["alone", "distilled"])
        if "tandem-ce" in state["modules"]:
            tandems["tandem-ce"] = export.branch(state, "tandem-ce", loaded.primary.config)
    else:
        loaded = bundle.read_bundle(options.checkpoint)
    alone = dict(loaded.baselines)
    if loaded.projections is not None:
        tandems["tandem"] = (loaded.secondary, loaded.projections)
    else:
        alone["secondary"] = loaded.secondary
    for item in options.with_model:
        name, _, path = item.partition("=")
        if not path:
            raise TrainError(f"--with-model {item}: give NAME=DIR")
        alone[name] = load_model(Path(path))
        if alone[name].config.vocab_size != loaded.primary.config.vocab_size:
            raise TrainError(f"--with-model {item}: its vocabulary has another size than the primary's")
    return loaded.primary, alone, tandems
