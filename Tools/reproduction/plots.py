# SPDX-License-Identifier: Apache-2.0
"""Plots of the tables."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from .options import Mistake
from .tables import Tables


def require_plots() -> None:
    """Raises ``Mistake`` where nothing could be plotted: better at once than after an hour of measuring."""
    if importlib.util.find_spec("matplotlib") is None:
        raise Mistake("matplotlib is missing; install it with: python3 -m pip install matplotlib")


def plot_gains(tables: Tables, file: Path) -> None:
    """Bars: every way's gain over the primary, for every category of prompts."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = [way.name for way in tables.ways.values() if way.is_exact and way.name != "primary"]
    groups = ["all prompts", *tables.categories]
    figure, axes = pyplot.subplots(figsize=(max(8, 1.8 * len(groups)), 4.5))
    width = 0.85 / len(names)
    for index, name in enumerate(names):
        gains = [tables.gain(name, None if group == "all prompts" else group) for group in groups]
        colours = pyplot.get_cmap("Blues" if name.startswith("vanilla") else "Oranges")
        axes.bar([place + index * width for place in range(len(groups))], gains, width, label=name, color=colours(0.35 + 0.6 * index / len(names)))
    axes.axhline(1, color="black", linewidth=0.8)
    axes.set_xticks([place + 0.425 - width / 2 for place in range(len(groups))], groups, fontsize=8)
    axes.set_ylabel("speed over the primary alone")
    axes.set_title(f"{tables.size}, {tables.options.threads or 'all'} threads")
    axes.legend(fontsize=7, ncols=2)
    figure.tight_layout()
    figure.savefig(file, dpi=120)
    pyplot.close(figure)
