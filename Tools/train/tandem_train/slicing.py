# SPDX-License-Identifier: Apache-2.0
"""A secondary cut out of the primary: some of its last layers, in fewer dimensions, with fewer neurons (ours).

The residual stream is rotated onto its principal directions and cut to the secondary's width (as in SliceGPT), norms
are folded into the matrices after them, and the least active neurons and heads are dropped. The embedding of a token becomes the
mean stream that enters the first kept layer at that token, so that the skipped layers are replaced by their average.
The projections are the same rotation: primary-derived keys and values start out close to the primary's own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Iterable, Sequence

import torch
from torch import Tensor

from .errors import TrainError
from .model import Layer, LlamaLM, attend
from .tandem import Projections


@torch.no_grad()
def slice_secondary(
    primary: LlamaLM, layers: Sequence[int], width: int, ff: int, batches: Iterable[Tensor], heads: int | None = None
) -> tuple[LlamaLM, Projections]:
    """The secondary and its projections (tap of layer ``j`` = ``layers[j]``) from token batches ``[B, T]``.

    The secondary keeps the primary's key-value heads, ``heads`` of its query heads (default all), and is untied. With all layers, the
    full width, all neurons and heads it equals the primary. Raises ``TrainError`` for layers that are not ascending, sizes above the
    primary's, and a width that is no multiple of the heads, which transformers refuses to load.
    """
    c = primary.config
    if not layers or list(layers) != sorted(set(layers)) or not 0 <= layers[0] <= layers[-1] < c.num_layers:
        raise TrainError(f"the layers to keep must ascend within 0...{c.num_layers - 1}")
    if not 1 <= width <= c.hidden_size or not 1 <= ff <= c.intermediate_size:
        raise TrainError(f"the secondary's width must be at most {c.hidden_size}, its feed-forward at most {c.intermediate_size}")
    heads = c.num_heads if heads is None else heads
    if not 1 <= heads <= c.num_heads or heads % c.num_kv_heads:
        raise TrainError(f"the secondary's heads must be a multiple of the {c.num_kv_heads} key-value heads, at most {c.num_heads}")
    if width % heads:
        raise TrainError(f"a width of {width} is no multiple of the {heads} heads, so transformers would not load the secondary")
    config = replace(c, hidden_size=width, intermediate_size=ff, num_layers=len(layers), num_heads=heads, tied=False)
    secondary, projections = LlamaLM(config), Projections(c, config, layers)

    covariance = torch.zeros(c.hidden_size, c.hidden_size, dtype=torch.float64)
    sums = torch.zeros(c.vocab_size, c.hidden_size, dtype=torch.float64)
    counts = torch.zeros(c.vocab_size, dtype=torch.float64)
    activity = [torch.zeros(c.intermediate_size, dtype=torch.float64) for _ in layers]
    attention = [torch.zeros(c.num_heads, dtype=torch.float64) for _ in layers]
    for tokens in batches:
        streams = primary.streams(tokens)
        rope = primary.rope(torch.arange(tokens.shape[1], device=tokens.device))
        for tap in (*layers, c.num_layers):
            flat = streams[tap].flatten(0, 1).double().cpu()
            flat = flat / flat.square().mean(-1, keepdim=True).sqrt().clamp_min(1e-9)
            covariance += flat.T @ flat
        flat_tokens = tokens.flatten().cpu()
        sums.index_add_(0, flat_tokens, streams[layers[0]].flatten(0, 1).double().cpu())
        counts += torch.bincount(flat_tokens, minlength=c.vocab_size).double()
        for place, index in enumerate(layers):
            neurons, attending = _activity(primary.model.layers[index], streams[index], rope)
            activity[place] += neurons.cpu()
            attention[place] += attending.cpu()

    basis = torch.linalg.eigh(covariance).eigenvectors.flip(-1)[:, :width]  # [d_L, width], largest variance first
    gain = (c.hidden_size / width) ** 0.5  # the norm divides by the root of a mean over fewer elements
    reader = (basis * gain).float()
    writer = basis.T.float()

    table = _mean_streams(primary.model.embed_tokens.weight.double().cpu(), sums, counts)
    secondary.model.embed_tokens.weight.copy_((table @ basis).float())
    secondary.model.norm.weight.fill_(1.0)
    secondary.lm_head.weight.copy_((primary.head * primary.model.norm.weight).cpu() @ reader)
    for place, index in enumerate(layers):
        ours, theirs = secondary.model.layers[place], primary.model.layers[index]
        keep = activity[place].argsort(descending=True)[:ff].sort().values
        _copy_layer(ours, theirs, reader, writer, keep, _busiest(attention[place], heads, c.num_kv_heads, c.head_dim))
        projections.projections[place].weight.copy_(writer)
    return secondary, projections


def _activity(layer: Layer, stream: Tensor, rope: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Mean absolute output of each neuron times the norm of what it writes, ``[f]``, and the sums of the same over each head, ``[H]``."""
    found, out = attend(*layer.qkv(stream, rope)), layer.self_attn.o_proj.weight
    heads = (found.abs().mean((0, 1)) * out.norm(dim=0)).unflatten(0, (-1, layer.config.head_dim)).sum(-1)
    inner = stream + torch.nn.functional.linear(found, out)
    x, mlp = layer.post_attention_layernorm(inner), layer.mlp
    neurons = torch.nn.functional.silu(x @ mlp.gate_proj.weight.T) * (x @ mlp.up_proj.weight.T)
    return (neurons.abs().mean((0, 1)) * mlp.down_proj.weight.norm(dim=0)).double(), heads.double()


def _busiest(activity: Tensor, heads: int, groups: int, size: int) -> Tensor:
    """The rows of ``q_proj`` that belong to the ``heads`` most active heads, as many from each group that shares keys and values."""
    order = activity.view(groups, -1).argsort(dim=1, descending=True)[:, : heads // groups].sort(dim=1).values
    kept = (order + torch.arange(groups)[:, None] * (len(activity) // groups)).flatten()
    return (kept[:, None] * size + torch.arange(size)).flatten()


def _mean_streams(embedding: Tensor, sums: Tensor, counts: Tensor) -> Tensor:
    """Mean stream per token ``[V, d]``, drawn towards a linear function of the embedding where a token is rare."""
    gram = embedding.T @ (embedding * counts[:, None])
    gram += 1e-6 * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    linear = embedding @ torch.linalg.solve(gram, embedding.T @ sums)
    prior = 4.0
    return (sums + prior * linear) / (counts + prior)[:, None]


def _copy_layer(ours: Layer, theirs: Layer, reader: Tensor, writer: Tensor, keep: Tensor, rows: Tensor) -> None:
    """Fills one layer: ``reader [d_L, d_S]`` turns input matrices, ``writer [d_S, d_L]`` output matrices; ``keep`` are the neurons,
    ``rows`` the rows of the queries that stay."""
    for norm in (ours.input_layernorm, ours.post_attention_layernorm):
        norm.weight.fill_(1.0)
    first, second = theirs.input_layernorm.weight, theirs.post_attention_layernorm.weight
    ours.self_attn.q_proj.weight.copy_(((theirs.self_attn.q_proj.weight * first).cpu() @ reader)[rows])
    for name in ("k_proj", "v_proj"):
        getattr(ours.self_attn, name).weight.copy_((getattr(theirs.self_attn, name).weight * first).cpu() @ reader)
    ours.self_attn.o_proj.weight.copy_((writer @ theirs.self_attn.o_proj.weight.cpu())[:, rows])
    for name in ("gate_proj", "up_proj"):
        getattr(ours.mlp, name).weight.copy_(((getattr(theirs.mlp, name).weight * second).cpu() @ reader)[keep])
    ours.mlp.down_proj.weight.copy_((writer @ theirs.mlp.down_proj.weight.cpu())[:, keep])
