# SPDX-License-Identifier: Apache-2.0
"""The tandem: a frozen primary, a secondary that attends to its projected representations (paper, equation 2).

For secondary layer ``j`` and position ``i`` in a block that starts at ``k(i) = floor(i / gamma) * gamma``, attention
is one softmax over

* primary entries ``t < k(i)``: ``g_t = P[j] x_t^(l(j))``, then the secondary's own input norm, W_K, W_V and rotary
  position ``t``, where ``x^(l)`` is the primary's residual stream after ``l`` layers;
* the secondary's own entries ``k(i) <= t <= i``.
"""

from __future__ import annotations

from typing import Sequence

import torch
from torch import Tensor, nn

from .config import ModelConfig
from .errors import TrainError
from .model import LlamaLM, attend, linear


def default_layer_map(primary_layers: int, secondary_layers: int) -> list[int]:
    """Taps spread over the primary, the last one after its last layer: ``l(j) = ceil((j + 1) L / S)``."""
    return [-(-(j + 1) * primary_layers // secondary_layers) for j in range(secondary_layers)]


def check_pair(primary: ModelConfig, secondary: ModelConfig) -> None:
    """Raises ``TrainError`` when two models cannot form a tandem."""
    if primary.vocab_size != secondary.vocab_size:
        raise TrainError(
            f"the primary has {primary.vocab_size} vocabulary entries, the secondary {secondary.vocab_size}: "
            "a tandem needs two models with one tokenizer"
        )


class Projections(nn.Module):
    """One linear map ``d_L -> d_S`` per secondary layer (the paper's FF_Tandem), without bias, and its layer map."""

    def __init__(self, primary: ModelConfig, secondary: ModelConfig, layer_map: Sequence[int]) -> None:
        super().__init__()
        check_pair(primary, secondary)
        if len(layer_map) != secondary.num_layers:
            raise TrainError(f"the layer map has {len(layer_map)} entries, the secondary has {secondary.num_layers} layers")
        for entry in layer_map:
            if not 0 <= entry <= primary.num_layers:
                raise TrainError(f"layer map entry {entry} is outside 0...{primary.num_layers}, the primary's taps")
        self.layer_map = list(layer_map)
        self.projections = nn.ModuleList(
            nn.Linear(primary.hidden_size, secondary.hidden_size, bias=False) for _ in layer_map
        )

    @torch.no_grad()
    def initialise(self, seed: int) -> None:
        """Random start that keeps the scale of its input."""
        generator = torch.Generator().manual_seed(seed)
        for projection in self.projections:
            values = torch.empty(projection.weight.shape).normal_(0.0, projection.in_features**-0.5, generator=generator)
            projection.weight.copy_(values)

    def forward(self, j: int, stream: Tensor) -> Tensor:
        """Primary tap ``[B, T, d_L]`` to the secondary's width ``[B, T, d_S]``."""
        return linear(stream, self.projections[j].weight)


def block_masks(length: int, gamma: int | Tensor, device: torch.device | None = None) -> Tensor:
    """What is visible in the parallel pass: bool ``[B or 1, 1, T, 2T]``, primary entries first, own entries second.

    ``gamma`` is one block length, or one per sequence ``[B]``.
    """
    position = torch.arange(length, device=device)
    gamma = torch.as_tensor(gamma, device=device).reshape(-1, 1)
    start = (position // gamma * gamma)[:, :, None]
    primary = position < start
    own = (position >= start) & (position[None, None] <= position[None, :, None])
    return torch.cat((primary, own), -1)[:, None]


def tandem_logits(
    secondary: LlamaLM, projections: Projections, streams: Sequence[Tensor], tokens: Tensor, mask: Tensor
) -> Tensor:
    """The parallel training pass: logits ``[B, T, V]`` of the secondary inside the tandem.

    ``streams`` are the primary's residual streams on the same ``tokens`` ``[B, T]``; ``mask`` is from ``block_masks``, boolean or
    as a number to add to the scores.
    """
    rope = secondary.rope(torch.arange(tokens.shape[1], device=tokens.device))
    y = secondary.embed(tokens, streams[0].dtype)
    for j, layer in enumerate(secondary.model.layers):
        given_k, given_v = layer.kv(projections(j, streams[projections.layer_map[j]]), rope)
        q, own_k, own_v = layer.qkv(y, rope)
        attention = attend(q, torch.cat((given_k, own_k), 2), torch.cat((given_v, own_v), 2), mask)
        y = layer.finish(y, attention)
    return secondary.logits(y)
