# SPDX-License-Identifier: Apache-2.0
"""A start for the projections from which training does not have to unlearn.

With random projections a pre-trained secondary reads noise in place of its own past, and must first recover. Instead
each ``P[j]`` starts as the least-squares map from the primary's tap to the stream that secondary layer ``j`` would have
made itself at the same position. The tandem then starts close to the secondary alone and gains from there (ours, not the
paper's, which says nothing of the start).
"""

from __future__ import annotations

from typing import Iterable

import torch
from torch import Tensor

from .model import LlamaLM
from .tandem import Projections


@torch.no_grad()
def fit_projections(primary: LlamaLM, secondary: LlamaLM, projections: Projections, batches: Iterable[Tensor]) -> list[float]:
    """Sets the projections from token batches ``[B, T]``; returns the share of variance explained per layer.

    Both sides are divided by their root mean square, because the secondary's norm follows the projection. Solved in
    float64 with a small ridge.
    """
    sums: list[list[Tensor]] = []
    for tokens in batches:
        taps, own = primary.streams(tokens), secondary.streams(tokens)
        for j, tap in enumerate(projections.layer_map):
            x, y = _normal(taps[tap]), _normal(own[j])
            terms = [x.T @ x, x.T @ y, y.square().sum()]
            if j == len(sums):
                sums.append(terms)
            else:
                sums[j] = [a + b for a, b in zip(sums[j], terms)]
    shares = []
    for projection, (xx, xy, yy) in zip(projections.projections, sums):
        ridge = 1e-4 * xx.diagonal().mean() * torch.eye(len(xx), dtype=xx.dtype, device=xx.device)
        weight = torch.linalg.solve(xx + ridge, xy)
        residual = yy - 2 * (weight * xy).sum() + (weight * (xx @ weight)).sum()
        shares.append(float(1 - residual / yy))
        projection.weight.copy_(weight.T)
    return shares


def _normal(stream: Tensor) -> Tensor:
    """``[B, T, d]`` to unit root mean square, flattened to float64 ``[B * T, d]``."""
    wide = stream.double().flatten(0, 1)
    return wide / wide.square().mean(-1, keepdim=True).sqrt().clamp_min(1e-9)
