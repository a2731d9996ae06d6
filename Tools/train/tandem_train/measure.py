# SPDX-License-Identifier: Apache-2.0
"""The figures of the paper's table 1: accuracy against text, cross-entropy, accuracy against the primary, TV distance."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from .data import Corpus
from .errors import TrainError
from .model import LlamaLM
from .runtime import Runtime
from .tandem import Projections, block_masks, tandem_logits


Key = tuple[str, int | None]  # model, γ


@dataclass(frozen=True)
class Row:
    """Figures of one model on one set of texts; accuracies in percent, cross-entropy in nats per token."""

    model: str
    gamma: int | None
    accuracy: float
    cross_entropy: float
    accuracy_vs_primary: float
    tv_distance: float

    def to_dict(self) -> dict:
        return asdict(self)


class Sums:
    """Totals of one model over the tokens seen so far."""

    def __init__(self) -> None:
        self.values = torch.zeros(4, dtype=torch.float64)
        self.count = 0

    def add(self, logits: Tensor, following: Tensor, target: Tensor) -> None:
        logits = logits.float()
        logp = torch.log_softmax(logits, -1)
        best = logits.argmax(-1)
        parts = (
            (best == following).double().sum(),
            -logp.gather(-1, following[..., None]).double().sum(),
            (best == target.argmax(-1)).double().sum(),
            0.5 * (logp.exp() - target).abs().sum(-1).double().sum(),
        )
        self.values += torch.stack(parts).cpu()
        self.count += following.numel()

    def __add__(self, other: "Sums") -> "Sums":
        both = Sums()
        both.values, both.count = self.values + other.values, self.count + other.count
        return both

    def row(self, model: str, gamma: int | None) -> Row:
        right, nats, agree, distance = (self.values / self.count).tolist()
        return Row(model, gamma, 100 * right, nats, 100 * agree, distance)


def windows(corpus: Corpus, source: str, length: int, limit: int | None, batch: int = 8) -> Iterator[Tensor]:
    """Consecutive windows ``[<= batch, length + 1]`` of one source, at most ``limit`` predicted tokens."""
    tokens = corpus.tokens(source)
    count = (tokens.size - 1) // length
    if limit is not None:
        count = min(count, max(1, limit // length))
    if count < 1:
        raise TrainError(f"source {source} is shorter than one window of {length} tokens")
    for first in range(0, count, batch):
        spans = range(first, min(first + batch, count))
        stack = [np.asarray(tokens[i * length : i * length + length + 1], dtype=np.int64) for i in spans]
        yield torch.from_numpy(np.stack(stack))


@torch.no_grad()
def measure(
    primary: LlamaLM,
    alone: dict[str, LlamaLM],
    tandems: dict[str, tuple[LlamaLM, Projections]],
    gammas: list[int],
    batches: Iterable[Tensor],
    runtime: Runtime,
) -> dict[Key, Sums]:
    """Totals of the primary, of each model of ``alone``, and of each tandem at each γ over windows ``[B, T + 1]``."""
    sums: dict[Key, Sums] = {}
    for batch in batches:
        batch = batch.to(runtime.device)
        tokens, following = batch[:, :-1], batch[:, 1:]
        streams = primary.streams(tokens, runtime.dtype)
        logits = primary.logits(streams[-1]).float()
        target = torch.softmax(logits, -1)
        sums.setdefault(("primary", None), Sums()).add(logits, following, target)
        for name, model in alone.items():
            sums.setdefault((name, None), Sums()).add(model(tokens, runtime.dtype), following, target)
        for name, (secondary, projections) in tandems.items():
            for gamma in gammas:
                mask = block_masks(tokens.shape[1], gamma, tokens.device)
                inside = tandem_logits(secondary, projections, streams, tokens, mask)
                sums.setdefault((name, gamma), Sums()).add(inside, following, target)
    return sums


def rows(sums: dict[Key, Sums]) -> list[Row]:
    """The figures of each model."""
    return [total.row(model, gamma) for (model, gamma), total in sums.items()]


def table(figures: list[Row]) -> str:
    """A plain-text table."""
    lines = [f"{'model':<16} {'γ':>3} {'accuracy %':>11} {'CE nats':>8} {'vs primary %':>13} {'TV':>7}"]
    for row in figures:
        gamma = "" if row.gamma is None else str(row.gamma)
        lines.append(
            f"{row.model:<16} {gamma:>3} {row.accuracy:>11.2f} {row.cross_entropy:>8.4f} "
            f"{row.accuracy_vs_primary:>13.2f} {row.tv_distance:>7.4f}"
        )
    return "\n".join(lines)
