"""``pretrain``, ``train``, ``evaluate`` and ``export``."""

from __future__ import annotations

import argparse


def register(commands: argparse._SubParsersAction) -> None:
    """Adds the subcommands."""
