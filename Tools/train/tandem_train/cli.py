# SPDX-License-Identifier: Apache-2.0
"""The command line: one subcommand per step from text to a packed-ready tandem checkpoint.

Exit codes: 0 done, 1 interrupted or a check failed, 2 a mistake in the input (one line on stderr says which).
"""

from __future__ import annotations

import argparse
import sys

from . import __version__
from .commands import card, draft_vocab, inspect, prepare, results, router, sample, slice, training
from .errors import TrainError


def parser() -> argparse.ArgumentParser:
    """The whole argument parser."""
    top = argparse.ArgumentParser(
        prog="tandem_train",
        description="Train, distil, evaluate and export Tandem Transformers. Typical order: tokenizer, prepare, "
        "pretrain (twice), train, sample and train again, evaluate, export, card. For a pair of Hugging Face models: prepare, train, "
        "evaluate, export. Then, where they help: router, draft-vocab.",
    )
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in (prepare, training, slice, sample, router, draft_vocab, results, card, inspect):
        module.register(commands)
    return top


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    options = parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except TrainError as error:
        print(f"tandem_train: error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"tandem_train: error: {error.filename or 'file system'}: {error.strerror}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("tandem_train: interrupted; the same command continues from the last checkpoint", file=sys.stderr)
        return 1
