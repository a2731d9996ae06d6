# SPDX-License-Identifier: Apache-2.0
"""``slice``: a secondary cut out of the primary."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..bundle import save_projections
from ..data import Corpus, Sampler
from ..errors import TrainError
from ..export import copy_tokenizer
from ..hf import load_model, save_model
from ..slicing import slice_secondary
from .options import add_mix, add_runtime, parse_mix, start_runtime

PROJECTIONS = "tandem.safetensors"


def register(commands: argparse._SubParsersAction) -> None:
    """Adds the subcommand."""
    one = commands.add_parser(
        "slice", help="cut a secondary out of the primary",
        description="Keeps some of the primary's layers in fewer dimensions and writes them as a model, with matching "
        "projections, to start `train` from (--secondary OUT --projection-start OUT/tandem.safetensors).",
    )
    one.add_argument("--primary", type=Path, required=True, help="Hugging Face model directory (Llama family)")
    one.add_argument("--keep", required=True, metavar="LAYERS", help="primary layers to keep, counted from 0, as in 4,5")
    one.add_argument("--width", type=int, required=True, help="the secondary's residual width")
    one.add_argument("--ff", type=int, required=True, help="the secondary's feed-forward width")
    one.add_argument("--heads", type=int, help="query heads to keep, the most active of each group (default: all)")
    add_mix(one)
    one.add_argument("--tokens", type=int, default=500_000, help="tokens to average over (default 500000)")
    one.add_argument("--length", type=int, default=256, help="tokens per window (default 256)")
    one.add_argument("-s", "--seed", type=int, default=0)
    one.add_argument("--out", type=Path, required=True)
    add_runtime(one)
    one.set_defaults(run=_slice)


def _slice(options: argparse.Namespace) -> None:
    runtime, primary = start_runtime(options), load_model(options.primary)
    primary.to(runtime.device)
    sampler = Sampler(Corpus(options.data), parse_mix(options.mix), options.length, options.seed)
    try:
        layers = [int(part) for part in options.keep.split(",")]
    except ValueError:
        raise TrainError(f"--keep {options.keep}: give integers separated by commas, as in 4,5") from None
    rows = max(1, 4096 // options.length)
    count = max(1, options.tokens // (rows * options.length))
    batches = (sampler.batch(rows)[:, :-1].to(runtime.device) for _ in range(count))
    secondary, projections = slice_secondary(primary, layers, options.width, options.ff, batches, options.heads)
    save_model(secondary, options.out)
    save_projections(projections, options.out / PROJECTIONS)
    copy_tokenizer(options.primary, options.out)
    share = secondary.config.macs_per_token() / primary.config.macs_per_token()
    print(f"{options.out}: layer map {','.join(map(str, layers))}, 1/{1 / share:.1f} of the primary's multiply-adds")
