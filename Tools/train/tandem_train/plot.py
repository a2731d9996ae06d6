# SPDX-License-Identifier: Apache-2.0
"""The loss plot."""

from __future__ import annotations

from pathlib import Path


def plot_losses(file: Path, names: list[str], history: list[list[float]], title: str) -> None:
    """Draws one smoothed curve per branch over the steps (raw values faint behind) as PNG.

    ``history`` rows are the step and one loss per branch.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 4.5), dpi=110)
    steps = [row[0] for row in history]
    lowest, highest = float("inf"), 0.0
    for column, name in enumerate(names, start=1):
        raw = [row[column] for row in history]
        smooth, average = [], raw[0]
        keep = 1 - 1 / max(1, min(25, len(raw) / 40))
        for value in raw:
            average = keep * average + (1 - keep) * value
            smooth.append(average)
        line = axes.plot(steps, smooth, label=name, linewidth=1.5)[0]
        axes.plot(steps, raw, color=line.get_color(), alpha=0.15, linewidth=0.6)
        late = raw[len(raw) // 50 :]
        lowest, highest = min(lowest, *late, *smooth), max(highest, *late)
    margin = 0.05 * (highest - lowest) + 1e-3
    axes.set(xlabel="step", ylabel="loss (nats per token)", title=title, ylim=(lowest - margin, highest + margin))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(file, metadata={"Software": None})
    plt.close(figure)
