# SPDX-License-Identifier: Apache-2.0
"""``card``: a model card with measured figures."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from .. import card
from ..bundle import read_bundle
from ..errors import TrainError
from ..tokenizer import load_tokenizer

_PROMPTS = [
    "Once upon a time there was a little girl called Lily. One day", "The old king had three sons.",
    "Tom the cat wanted to catch a fish, but", "The rabbit and the elephant were friends.",
]


def register(commands: argparse._SubParsersAction) -> None:
    """Adds the subcommand."""
    one = commands.add_parser(
        "card", help="fill a model card",
        description="Replaces the {{NAMES}} of a Markdown template: SHAPES, PARAMETERS, STEPS, ALL, SOURCE:name, COMPARE "
        "(from `evaluate --json`), PASSES (primary passes of greedy SPEED), SAMPLES (from the primary), and --set NAME=TEXT.",
    )
    one.add_argument("--checkpoint", type=Path, required=True, help="tandem checkpoint directory")
    one.add_argument("--evaluation", type=Path, required=True, nargs="+", metavar="FILE",
                     help="what `evaluate --json` printed; further files add sources for SOURCE:name")
    one.add_argument("--template", type=Path, required=True)
    one.add_argument("--out", type=Path, required=True, help="Markdown file to write")
    one.add_argument("--prompts", nargs="+", default=_PROMPTS, metavar="TEXT", help="for PASSES and SAMPLES")
    one.add_argument("--temperature", type=float, default=0.7, help="of the samples (default 0.7)")
    one.add_argument("--set", nargs="+", default=[], metavar="NAME=TEXT", help="more values")
    one.add_argument("-s", "--seed", type=int, default=1)
    one.set_defaults(run=_card)


def _evaluation(file: Path) -> dict[str, list[dict]]:
    try:
        return json.loads(file.read_text())
    except ValueError as error:
        raise TrainError(f"{file}: not the output of `evaluate --json`: {error}") from None


def _steps(provenance: dict) -> list[str]:
    """Steps of every course, the first one first."""
    earlier = _steps(provenance["from_run"]) if "from_run" in provenance else []
    return [*earlier, str(provenance.get("steps", ""))]


def _card(options: argparse.Namespace) -> None:
    bundle, tokenizer = read_bundle(options.checkpoint), load_tokenizer(options.checkpoint)
    evaluation = _evaluation(options.evaluation[0])
    everything = evaluation.get("all") or next(iter(evaluation.values()))
    for file in options.evaluation[1:]:
        evaluation = _evaluation(file) | evaluation
    values = {
        "SHAPES": lambda: card.shapes(bundle),
        "PARAMETERS": lambda: f"{sum(p.numel() for p in bundle.primary.parameters()) / 1e6:.1f}",
        "STEPS": lambda: card.listed(_steps(bundle.provenance)),
        "ALL": lambda: card.figures(everything),
        "COMPARE": lambda: card.beside_the_paper(everything),
        "PASSES": lambda: card.primary_passes(bundle, tokenizer, options.prompts, 150, (2, 3, 5, 8)),
        "SAMPLES": lambda: card.samples(bundle.primary, tokenizer, options.prompts, 130, options.temperature, options.seed),
    }
    for source in evaluation:
        values[f"SOURCE:{source}"] = lambda source=source: card.figures(evaluation[source])
    for item in options.set:
        name, separator, text = item.partition("=")
        if not separator:
            raise TrainError(f"--set {item}: give NAME=TEXT")
        values[name] = lambda text=text: text
    text = card.fill(options.template.read_text(), values, options.template)
    temporary = options.out.with_name(f".{options.out.name}.tmp")
    temporary.write_text(text)
    temporary.replace(options.out)
    print(options.out)
