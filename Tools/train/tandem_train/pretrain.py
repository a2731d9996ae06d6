# SPDX-License-Identifier: Apache-2.0
"""Pre-training of one model from scratch with next-token cross-entropy."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .model import LlamaLM
from .runtime import Runtime


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean negative log-likelihood in nats: ``logits [B, T, V]``, ``targets [B, T]``."""
    return F.cross_entropy(logits.flatten(0, -2).float(), targets.flatten())


class Pretraining:
    """The task of one model on its own (equation: mean of ``-log p(x_{t+1} | x_{<=t})``)."""

    def __init__(self, model: LlamaLM, runtime: Runtime, compiled: bool = False) -> None:
        self.model, self.dtype = model, runtime.dtype
        self.branches = {"loss": {"model": model}}
        self._loss = torch.compile(self._plain, dynamic=False) if compiled else self._plain

    def _plain(self, batch: Tensor) -> Tensor:
        return cross_entropy(self.model(batch[:, :-1], self.dtype), batch[:, 1:])

    def losses(self, batch: Tensor, step: int, steps: int) -> dict[str, Tensor]:
        return {"loss": self._loss(batch)}
