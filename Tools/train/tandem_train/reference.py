# SPDX-License-Identifier: Apache-2.0
"""Float32 reference figures for other implementations: logits on given tokens, and greedy SPEED."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from .bundle import Bundle
from .decode import greedy, greedy_speed, stepwise_logits
from .errors import TrainError
from .router import features


def check_tokens(tokens: list[int], bundle: Bundle, room: int = 0) -> None:
    """Raises ``TrainError`` for ids outside the vocabulary or a text that does not fit the context."""
    vocab = bundle.primary.config.vocab_size
    if not tokens:
        raise TrainError("no token ids: give at least one")
    for token in tokens:
        if not 0 <= token < vocab:
            raise TrainError(f"token id {token} is outside the vocabulary of {vocab}")
    limit = min(bundle.primary.config.max_positions, bundle.secondary.config.max_positions)
    if len(tokens) + room > limit:
        raise TrainError(f"{len(tokens)} tokens and {room} more do not fit the context of {limit}")


@torch.no_grad()
def reference_logits(bundle: Bundle, tokens: list[int], gamma: int) -> dict[str, torch.Tensor]:
    """``tokens`` int32 ``[T]``; ``primary_logits``, ``secondary_logits`` (the secondary alone) and, for a tandem,
    ``tandem_logits`` (decoded step by step in blocks of ``gamma`` from position 0), each float32 ``[T, V]``; with a router
    ``router``, its probabilities for the last of these, ``[T, 2]``."""
    check_tokens(tokens, bundle)
    ids = torch.tensor(tokens)
    out = {
        "tokens": ids.int(),
        "primary_logits": bundle.primary(ids[None])[0],
        "secondary_logits": bundle.secondary(ids[None])[0],
    }
    if bundle.projections is not None:
        out["tandem_logits"] = stepwise_logits(bundle.primary, bundle.secondary, bundle.projections, ids, gamma)
    if bundle.router is not None:
        logits = out.get("tandem_logits", out["secondary_logits"])
        inputs = features(logits, bundle.secondary.model.embed_tokens.weight, bundle.router.top_k)
        out["router"] = torch.sigmoid(bundle.router(inputs))
    return out


def write_reference(bundle: Bundle, tokens: list[int], gamma: int, out: Path) -> None:
    """Writes ``reference_logits`` as safetensors; γ is in the metadata."""
    out.parent.mkdir(parents=True, exist_ok=True)
    save_file(reference_logits(bundle, tokens, gamma), str(out), metadata={"gamma": str(gamma), "kind": bundle.kind})


def speed_json(bundle: Bundle, tokens: list[int], count: int, gamma: int) -> str:
    """Greedy SPEED and the primary's greedy tokens as one JSON object."""
    check_tokens(tokens, bundle, count)
    result = greedy_speed(bundle.primary, bundle.secondary, bundle.projections, tokens, count, gamma)
    return json.dumps({
        "prompt": tokens,
        "gamma": gamma,
        "tokens": result.tokens,
        "primary_tokens": greedy(bundle.primary, tokens, count),
        "primary_passes": result.primary_passes,
        "drafted": result.drafted,
        "accepted": result.accepted,
    })
