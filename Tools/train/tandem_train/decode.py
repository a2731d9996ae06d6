# SPDX-License-Identifier: Apache-2.0
"""Step-by-step decoding with the overwrite cache: the reference the parallel pass and the Swift engine are held to.

Written for clarity, batch size one. Invariant (between drafts): the secondary's cache slots below ``n`` come from the
primary, slots from ``n`` on are provisional.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from .model import LlamaLM, attend
from .tandem import Projections


@dataclass
class Cache:
    """Keys and values per layer, ``[1, Hkv, slots, h]``; ``length`` slots are committed."""

    keys: list[Tensor]
    values: list[Tensor]
    length: int = 0

    @staticmethod
    def of(model: LlamaLM, slots: int) -> "Cache":
        """An empty cache for ``slots`` positions."""
        c = model.config
        shape = (1, c.num_kv_heads, slots, c.head_dim)
        return Cache([torch.zeros(shape) for _ in model.model.layers], [torch.zeros(shape) for _ in model.model.layers])

    def write(self, layer: int, at: int, k: Tensor, v: Tensor) -> None:
        """Stores ``k, v [1, Hkv, n, h]`` at slots ``at ..< at + n``."""
        end = at + k.shape[2]
        self.keys[layer][:, :, at:end] = k
        self.values[layer][:, :, at:end] = v


def block(model: LlamaLM, cache: Cache, tokens: Tensor) -> tuple[Tensor, list[Tensor]]:
    """One pass of a model over ``tokens [n]`` after the committed ones: logits ``[n, V]`` and all streams ``[1, n, d]``.

    Commits the tokens; set ``cache.length`` back to roll back.
    """
    n, end = cache.length, cache.length + len(tokens)
    positions = torch.arange(n, end)
    rope = model.rope(positions)
    mask = torch.arange(end)[None] <= positions[:, None]
    streams = [model.embed(tokens[None], torch.float32)]
    for index, layer in enumerate(model.model.layers):
        q, k, v = layer.qkv(streams[-1], rope)
        cache.write(index, n, k, v)
        attention = attend(q, cache.keys[index][:, :, :end], cache.values[index][:, :, :end], mask)
        streams.append(layer.finish(streams[-1], attention))
    cache.length = end
    return model.logits(streams[-1])[0], streams


@dataclass
class TandemDecoder:
    """Primary, secondary and projections with both caches. All arithmetic in float32.

    ``projections`` None is vanilla speculative decoding: the secondary keeps its own entries.
    """

    primary: LlamaLM
    secondary: LlamaLM
    projections: Projections | None
    slots: int
    cache_l: Cache = field(init=False)
    cache_s: Cache = field(init=False)

    def __post_init__(self) -> None:
        self.cache_l = Cache.of(self.primary, self.slots)
        self.cache_s = Cache.of(self.secondary, self.slots)

    def verify(self, tokens: Tensor) -> tuple[Tensor, list[Tensor]]:
        """One primary pass over ``tokens [n]``: logits ``[n, V]`` and streams. Advances the primary's cache."""
        return block(self.primary, self.cache_l, tokens)

    def commit(self, streams: list[Tensor], tokens: Tensor, at: int) -> None:
        """Overwrites the secondary's slots ``at ..< at + len(tokens)`` with primary-derived entries.

        Without projections the secondary runs over the tokens itself.
        """
        rows = len(tokens)
        if self.projections is None:
            self.cache_s.length = at
            block(self.secondary, self.cache_s, tokens)
            return
        rope = self.secondary.rope(torch.arange(at, at + rows))
        for j, layer in enumerate(self.secondary.model.layers):
            tap = streams[self.projections.layer_map[j]][:, :rows]
            self.cache_s.write(j, at, *layer.kv(self.projections(j, tap), rope))
        self.cache_s.length = at + rows

    def step(self, token: int, position: int) -> Tensor:
        """One secondary step at ``position``, which writes a provisional slot; returns logits ``[V]``."""
        rope = self.secondary.rope(torch.tensor([position]))
        y = self.secondary.embed(torch.tensor([[token]]), torch.float32)
        end = position + 1
        visible = torch.ones(1, end, dtype=torch.bool)
        for j, layer in enumerate(self.secondary.model.layers):
            q, k, v = layer.qkv(y, rope)
            self.cache_s.write(j, position, k, v)
            attention = attend(q, self.cache_s.keys[j][:, :, :end], self.cache_s.values[j][:, :, :end], visible)
            y = layer.finish(y, attention)
        return self.secondary.logits(y)[0, 0]


@torch.no_grad()
def stepwise_logits(primary: LlamaLM, secondary: LlamaLM, projections: Projections, tokens: Tensor, gamma: int) -> Tensor:
    """Secondary logits ``[T, V]`` on given ``tokens [T]``, decoded in blocks of ``gamma`` with the overwrite cache.

    Equals ``tandem_logits`` on the same tokens.
    """
    decoder = TandemDecoder(primary, secondary, projections, len(tokens))
    rows = []
    for start in range(0, len(tokens), gamma):
        part = tokens[start : start + gamma]
        rows += [decoder.step(int(token), start + i) for i, token in enumerate(part)]
        _, streams = decoder.verify(part)
        decoder.commit(streams, part, start)
    return torch.stack(rows)


@dataclass(frozen=True)
class SpeedResult:
    """Tokens and counts of one speculative generation."""

    tokens: list[int]
    primary_passes: int
    drafted: int
    accepted: int


@torch.no_grad()
def greedy_speed(
    primary: LlamaLM, secondary: LlamaLM, projections: Projections | None, prompt: list[int], count: int, gamma: int
) -> SpeedResult:
    """Greedy SPEED: ``count`` new tokens, equal to the primary's own greedy ones. ``primary_passes`` counts the prefill."""
    decoder = TandemDecoder(primary, secondary, projections, len(prompt) + count + gamma + 1)
    ids = torch.tensor(prompt)
    logits, streams = decoder.verify(ids)
    decoder.commit(streams, ids, 0)
    newest = int(logits[-1].argmax())
    out, passes, drafted, accepted = [newest], 1, 0, 0
    while len(out) < count:
        n, token, drafts = decoder.cache_l.length, newest, []
        for i in range(gamma):
            token = int(decoder.step(token, n + i).argmax())
            drafts.append(token)
        rows = torch.tensor([newest, *drafts])
        logits, streams = decoder.verify(rows)
        best = logits.argmax(-1).tolist()
        kept = next((i for i, draft in enumerate(drafts) if draft != best[i]), gamma)
        newest = best[kept]
        decoder.commit(streams, rows[: kept + 1], n)
        decoder.cache_l.length = n + kept + 1
        out += [*drafts[:kept], newest]
        passes, drafted, accepted = passes + 1, drafted + gamma, accepted + kept
    return SpeedResult(out[:count], passes, drafted, accepted)


@torch.no_grad()
def greedy(model: LlamaLM, prompt: list[int], count: int) -> list[int]:
    """``count`` greedy tokens of one model alone."""
    cache = Cache.of(model, len(prompt) + count)
    logits, _ = block(model, cache, torch.tensor(prompt))
    out = [int(logits[-1].argmax())]
    while len(out) < count:
        logits, _ = block(model, cache, torch.tensor(out[-1:]))
        out.append(int(logits[-1].argmax()))
    return out
