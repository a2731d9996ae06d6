# SPDX-License-Identifier: Apache-2.0
"""A lean Llama: the same numbers as ``transformers``' LlamaForCausalLM, the state dict one to one on its names.

Written out so that the pieces a tandem needs (taps, a layer's keys and values alone) are plain function calls, and so
that training runs fast on a CPU: projections that share an input run as one matrix product.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import ModelConfig

Rope = tuple[Tensor, Tensor]


class RMSNorm(nn.Module):
    """``x / rms(x) * weight``, computed in float32 and returned in the type of ``x``. Shape ``[..., d]``."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        wide = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)
        return (self.weight * wide).to(x.dtype)


def rope_tables(positions: Tensor, head_dim: int, theta: float) -> Rope:
    """Cosines and sines ``[T, head_dim / 2]`` (float32) of the rotary embedding at absolute ``positions`` ``[T]``."""
    exponent = torch.arange(0, head_dim, 2, dtype=torch.int64, device=positions.device).float() / head_dim
    angles = positions.float()[:, None] * (1.0 / theta**exponent)[None]
    return angles.cos(), angles.sin()


def rotate(x: Tensor, rope: Rope) -> Tensor:
    """Applies rotary positions (half-split pairing, as Hugging Face) to ``x`` ``[B, H, T, head_dim]``."""
    cos, sin = rope
    half = x.shape[-1] // 2
    a, b = x[..., :half].float(), x[..., half:].float()
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1).to(x.dtype)


def linear(x: Tensor, *weights: Tensor) -> Tensor:
    """``x`` times one or several stacked ``[out, in]`` weights, in the type of ``x``; returns ``[..., sum(out)]``."""
    weight = weights[0] if len(weights) == 1 else torch.cat(weights)
    return F.linear(x, weight.to(x.dtype))


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Attention with grouped keys: ``q [B, H, T, h]``, ``k, v [B, Hkv, S, h]`` to ``[B, T, H * h]``.

    Without a mask it is causal (``T == S``). A mask broadcasts to ``[B, H, T, S]``: a boolean one says what is visible, another
    is added to the scores. Compiled for a CPU it is written out, which takes half the time of PyTorch's own there.
    """
    if torch.compiler.is_compiling() and q.device.type == "cpu":
        return written_out(q, k, v, mask)
    groups = q.shape[1] // k.shape[1]
    if groups > 1:
        k, v = (t[:, :, None].expand(-1, -1, groups, -1, -1).flatten(1, 2) for t in (k, v))
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
    return out.transpose(1, 2).flatten(2)


def written_out(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """``attend`` as two products of matrices with a softmax between them, for a compiler to fuse; a group's heads share a product."""
    batch, heads, length, size = q.shape
    kinds = k.shape[1]
    grouped = (q * size**-0.5).reshape(batch, kinds, heads // kinds * length, size)
    scores = (grouped @ k.transpose(-1, -2)).view(batch, heads, length, -1).float()
    if mask is None:
        mask = torch.ones(length, length, dtype=torch.bool, device=q.device).tril()
    scores = scores.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else scores + mask
    shares = torch.softmax(scores, -1).to(q.dtype).view(batch, kinds, heads // kinds * length, -1)
    return (shares @ v).view(batch, heads, length, size).transpose(1, 2).flatten(2)


class Attention(nn.Module):
    """The four projections of one attention; the products are called by ``Layer``."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        d, h = config.hidden_size, config.head_dim
        self.q_proj = nn.Linear(d, config.num_heads * h, bias=False)
        self.k_proj = nn.Linear(d, config.num_kv_heads * h, bias=False)
        self.v_proj = nn.Linear(d, config.num_kv_heads * h, bias=False)
        self.o_proj = nn.Linear(config.num_heads * h, d, bias=False)


class FeedForward(nn.Module):
    """SwiGLU."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        d, f = config.hidden_size, config.intermediate_size
        self.gate_proj = nn.Linear(d, f, bias=False)
        self.up_proj = nn.Linear(d, f, bias=False)
        self.down_proj = nn.Linear(f, d, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = linear(x, self.gate_proj.weight, self.up_proj.weight).chunk(2, -1)
        return linear(F.silu(gate) * up, self.down_proj.weight)


class Layer(nn.Module):
    """One transformer layer, split where a tandem needs it: queries, keys and values, then the rest."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.input_layernorm = RMSNorm(config.hidden_size, config.norm_eps)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.norm_eps)
        self.mlp = FeedForward(config)

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (-1, self.config.head_dim)).transpose(1, 2)

    def qkv(self, x: Tensor, rope: Rope) -> tuple[Tensor, Tensor, Tensor]:
        """Residual stream ``[B, T, d]`` to rotated queries ``[B, H, T, h]``, rotated keys and values ``[B, Hkv, T, h]``."""
        c, a = self.config, self.self_attn
        joint = linear(self.input_layernorm(x), a.q_proj.weight, a.k_proj.weight, a.v_proj.weight)
        q, k, v = joint.split((c.num_heads * c.head_dim, c.num_kv_heads * c.head_dim, c.num_kv_heads * c.head_dim), -1)
        return rotate(self._heads(q), rope), rotate(self._heads(k), rope), self._heads(v)

    def kv(self, x: Tensor, rope: Rope) -> tuple[Tensor, Tensor]:
        """Norm, keys and values alone (equation 2 of the paper, for entries that come from the primary)."""
        a = self.self_attn
        k, v = linear(self.input_layernorm(x), a.k_proj.weight, a.v_proj.weight).chunk(2, -1)
        return rotate(self._heads(k), rope), self._heads(v)

    def finish(self, x: Tensor, attention: Tensor) -> Tensor:
        """Output projection, residuals and feed-forward, after ``attention`` ``[B, T, H * h]``."""
        x = x + linear(attention, self.self_attn.o_proj.weight)
        return x + self.mlp(self.post_attention_layernorm(x))

    def forward(self, x: Tensor, rope: Rope) -> Tensor:
        q, k, v = self.qkv(x, rope)
        return self.finish(x, attend(q, k, v))


class Backbone(nn.Module):
    """Embeddings, layers and final norm, named as in Hugging Face checkpoints."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_layers))
        self.norm = RMSNorm(config.hidden_size, config.norm_eps)


class LlamaLM(nn.Module):
    """A causal language model of the Llama family.

    ``dtype`` of the forward pass is chosen per call (the weights stay as they are stored, float32 while training).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.model = Backbone(config)
        self.lm_head = None if config.tied else nn.Linear(config.hidden_size, config.vocab_size, bias=False)

    @property
    def head(self) -> Tensor:
        """The ``[V, d]`` matrix that makes logits."""
        return self.model.embed_tokens.weight if self.lm_head is None else self.lm_head.weight

    def rope(self, positions: Tensor) -> Rope:
        """Rotary tables of this model at ``positions`` ``[T]``."""
        return rope_tables(positions, self.config.head_dim, self.config.rope_theta)

    def embed(self, tokens: Tensor, dtype: torch.dtype) -> Tensor:
        """Token ids ``[B, T]`` to the residual stream ``[B, T, d]``."""
        return F.embedding(tokens, self.model.embed_tokens.weight).to(dtype)

    def streams(self, tokens: Tensor, dtype: torch.dtype = torch.float32) -> list[Tensor]:
        """All residual streams: entry ``l`` is the stream after ``l`` layers (``0`` = embeddings), each ``[B, T, d]``."""
        rope = self.rope(torch.arange(tokens.shape[1], device=tokens.device))
        streams = [self.embed(tokens, dtype)]
        for layer in self.model.layers:
            streams.append(layer(streams[-1], rope))
        return streams

    def logits(self, stream: Tensor) -> Tensor:
        """Final norm and head: residual stream ``[..., d]`` to logits ``[..., V]`` in the stream's type."""
        return linear(self.model.norm(stream), self.head)

    def forward(self, tokens: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Token ids ``[B, T]`` to logits ``[B, T, V]``."""
        return self.logits(self.streams(tokens, dtype)[-1])

    @torch.no_grad()
    def initialise(self, seed: int) -> None:
        """Random start: normal weights, zero residual outputs, unit norms. The same for every platform's CPU."""
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 1:
                parameter.fill_(1.0)
            elif name.endswith(("o_proj.weight", "down_proj.weight")):
                parameter.zero_()
            else:
                std = 0.02 if "embed_tokens" in name else parameter.shape[1] ** -0.5 * 0.6
                values = torch.empty(parameter.shape).normal_(0.0, std, generator=generator)
                parameter.copy_(values)
