# SPDX-License-Identifier: Apache-2.0
"""Options that the training commands share."""

from __future__ import annotations

import argparse
from pathlib import Path

from .. import runtime
from ..errors import TrainError
from ..loop import Plan
from ..runtime import Runtime


def add_runtime(parser: argparse.ArgumentParser) -> None:
    """Device, number type, threads."""
    group = parser.add_argument_group("machine")
    group.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default auto)")
    group.add_argument("--dtype", choices=("auto", "bf16", "fp32"), default="auto", help="compute type; auto: bf16 where the device has it")
    group.add_argument("-t", "--threads", type=int, help="CPU threads (default: PyTorch's choice)")


def start_runtime(options: argparse.Namespace) -> Runtime:
    """The ``Runtime`` that the options ask for."""
    return runtime.start(options.device, options.dtype, options.threads)


def add_mix(parser: argparse._ActionsContainer) -> None:
    """The prepared folder, and what is taken of it: ``data`` and ``mix``, for ``parse_mix``."""
    parser.add_argument("--data", type=Path, required=True, help="prepared folder")
    parser.add_argument("--mix", nargs="+", required=True, metavar="NAME=WEIGHT", help="sources and their share of the tokens")


def add_plan(parser: argparse.ArgumentParser, steps: int, save_every: int = 100) -> None:
    """Data, length and optimisation."""
    data = parser.add_argument_group("data")
    add_mix(data)
    data.add_argument("--length", type=int, default=256, help="tokens per window (default 256)")
    data.add_argument("--final-length", type=int, default=0, help="tokens per window in the last steps (default: no change)")
    data.add_argument("--final-fraction", type=float, default=0.0, help="share of the steps with --final-length (default 0)")
    data.add_argument("--batch-tokens", type=int, default=8192, help="tokens per step over all processes (default 8192)")
    fit = parser.add_argument_group("optimisation")
    fit.add_argument("--steps", type=int, default=steps, help=f"steps in all (default {steps}); may change when resuming")
    fit.add_argument("--warmup", type=int, default=50, help="steps of linear warm-up (default 50)")
    fit.add_argument("--decay", type=float, default=0.6, help="last share of the steps, with linear decay to zero (default 0.6)")
    fit.add_argument("--muon-lr", type=float, default=0.012, help="peak for hidden matrices (default 0.012)")
    fit.add_argument("--adam-lr", type=float, default=0.003, help="peak for embeddings, head and norms (default 0.003)")
    fit.add_argument("--weight-decay", type=float, default=0.02, help="of the hidden matrices (default 0.02)")
    fit.add_argument("-s", "--seed", type=int, default=0)
    fit.add_argument("--compile", action="store_true", help="compile the passes with torch.compile (needs a C++ compiler on CPU)")
    parser.add_argument("--save-every", type=int, default=save_every, help=f"steps between checkpoints (default {save_every})")
    parser.add_argument("--out", type=Path, required=True, help="working folder; the same command continues after a kill")


def parse_mix(items: list[str]) -> dict[str, float]:
    """``NAME=WEIGHT`` items to a mapping. Raises ``TrainError`` for a weight that is no number."""
    mix = {}
    for item in items:
        name, _, weight = item.partition("=")
        try:
            mix[name] = float(weight or 1)
        except ValueError:
            raise TrainError(f"--mix {item}: the weight must be a number, as in NAME=0.5") from None
    return mix


def make_plan(options: argparse.Namespace) -> Plan:
    """The ``Plan`` that the options ask for. Raises ``TrainError`` for a malformed mix or numbers out of range."""
    return Plan(
        steps=options.steps, batch_tokens=options.batch_tokens, length=options.length, mix=parse_mix(options.mix), seed=options.seed,
        final_length=options.final_length, final_fraction=options.final_fraction, warmup=options.warmup,
        decay=options.decay, muon_lr=options.muon_lr, adam_lr=options.adam_lr, weight_decay=options.weight_decay,
        save_every=options.save_every,
    )


def add_numbers(parser: argparse.ArgumentParser, table: dict[str, tuple[type, object, str]]) -> None:
    """Adds plain ``--name`` options from ``name: (type, default, help)``."""
    for name, (kind, default, text) in table.items():
        parser.add_argument(f"--{name}", type=kind, default=default, help=f"{text} (default {default})")
