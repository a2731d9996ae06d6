# SPDX-License-Identifier: Apache-2.0
"""``router``: the MLP that decides how long a block becomes."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

from .. import bundle, checkpoint, export
from ..bundle import Bundle, attach_router
from ..data import Corpus
from ..errors import TrainError
from ..loop import Loop, write_history
from ..measure import windows
from ..plot import plot_losses
from ..router_task import Observations, RouterTraining, calibrate, describe, evaluate
from .options import add_plan, add_runtime, make_plan, start_runtime


def register(commands: argparse._SubParsersAction) -> None:
    """Adds the subcommand."""
    one = commands.add_parser(
        "router", help="train the block-length router of a tandem",
        description="Trains the small MLP that tells, after each step of the secondary, how likely its draft is to be kept. "
        "Both models stay as they are. Calibrates it on validation texts, compares it with estimates from the secondary's "
        "largest probability alone, and writes OUT/checkpoint (the given one with router.safetensors), OUT/router.json.",
    )
    given = one.add_mutually_exclusive_group(required=True)
    given.add_argument("--checkpoint", type=Path, help="tandem checkpoint directory")
    given.add_argument("--training", type=Path, help="working folder of `train`")
    one.add_argument("--top-k", type=int, default=4, help="most probable tokens that the router looks at (default 4)")
    one.add_argument("--hidden", type=int, default=32, help="hidden units (default 32)")
    one.add_argument("--gamma-max", type=int, default=16, help="largest block length drawn (default 16)")
    one.add_argument("--gamma-power", type=float, default=0.5, help="block length g is drawn with weight g^-POWER (default 0.5)")
    one.add_argument("--valid", nargs="+", required=True, metavar="NAME", help="sources to calibrate and evaluate on")
    one.add_argument("--valid-tokens", type=int, default=100_000, help="at most this many tokens of each (default 100000)")
    add_plan(one, 300)
    add_runtime(one)
    one.set_defaults(run=_router)


def _bundle(options: argparse.Namespace) -> Bundle:
    if options.training:
        return export.training_bundle(checkpoint.read(options.training / "training.pt"))
    return bundle.read_bundle(options.checkpoint)


def _router(options: argparse.Namespace) -> None:
    runtime, plan, corpus = start_runtime(options), make_plan(options), Corpus(options.data)
    loaded = _bundle(options)
    longest = min(loaded.primary.config.max_positions, loaded.secondary.config.max_positions)
    if max(plan.length, plan.final_length) > longest:
        raise TrainError(f"windows of {max(plan.length, plan.final_length)} tokens exceed the models' context of {longest}")
    corpus.check_fits(loaded.primary.config.vocab_size)
    for source in options.valid:
        corpus.tokens(source)
    task = RouterTraining(
        loaded, runtime, top_k=options.top_k, hidden=options.hidden, gamma_max=options.gamma_max,
        gamma_power=options.gamma_power, seed=options.seed,
    )
    meta = {
        "kind": "router", "given": str(options.checkpoint or options.training), "top_k": options.top_k, "hidden": options.hidden,
        "gamma_max": options.gamma_max, "gamma_power": options.gamma_power,
    }
    loop = Loop(task, plan, corpus, options.out, runtime, meta)
    if loop.resume() and runtime.leads:
        print(f"continuing from step {loop.step} in {options.out}", file=sys.stderr)
    runtime.barrier()
    loop.run()
    if runtime.leads:
        _finish(options, task, corpus, loop)
    runtime.barrier()


def _finish(options: argparse.Namespace, task: RouterTraining, corpus: Corpus, loop: Loop) -> None:
    seen = [task.observe(windows(corpus, name, loop.plan.length, options.valid_tokens)) for name in options.valid]
    parts = [part.halves() for part in seen]
    fit, test = (Observations.joined([pair[side] for pair in parts]) for side in (0, 1))
    calibrate(task.router, fit, test)
    result = evaluate(fit, test)
    write_history(options.out, list(task.branches), loop.history)
    plot_losses(options.out / "loss.png", list(task.branches), loop.history, "Block-length router")
    product = options.out / "checkpoint"
    if options.training:
        export.export(options.training, product)
    else:
        shutil.copytree(options.checkpoint, product, dirs_exist_ok=True)
    attach_router(product, task.router)
    (options.out / "router.json").write_text(json.dumps(result, indent=2) + "\n")
    print(describe(result), file=sys.stderr)
    print(product)
