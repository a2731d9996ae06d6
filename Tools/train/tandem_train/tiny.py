# SPDX-License-Identifier: Apache-2.0
"""Tiny random tandem checkpoints for tests of other implementations: seeded, every shape deliberately unlike.

Widths, depths, head counts, head sizes and RoPE bases differ between the two models; variants cover tied and untied
heads, grouped and full key-value heads, taps at both ends, and a plain pair without projections.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from .bundle import Bundle, write_bundle
from .config import ModelConfig
from .errors import TrainError
from .model import LlamaLM
from .router import Router
from .tandem import Projections
from .text import END_OF_TEXT
from .tokenizer import save_tokenizer

_PRIMARY = ModelConfig(300, 96, 3, 6, 2, 16, 160, 256, 10000.0, 1e-5, True, 0, 0)
_SECONDARY = ModelConfig(300, 64, 2, 2, 1, 32, 96, 256, 50000.0, 1e-6, True, 0, 0)

VARIANTS: dict[str, tuple[ModelConfig, ModelConfig, list[int] | None]] = {
    "tied": (_PRIMARY, _SECONDARY, [2, 3]),
    "untied": (
        replace(_PRIMARY, tied=False, hidden_size=64, num_heads=4, num_kv_heads=4, rope_theta=500000.0),
        replace(_SECONDARY, tied=False, hidden_size=32, num_heads=4, num_kv_heads=2, head_dim=8, intermediate_size=64),
        [0, 3],
    ),
    "mixed": (
        replace(_PRIMARY, num_layers=2, head_dim=32, num_heads=3, num_kv_heads=1),
        replace(_SECONDARY, tied=False, num_layers=3, num_kv_heads=2, intermediate_size=128),
        [0, 1, 2],
    ),
    "pair": (_PRIMARY, _SECONDARY, None),
}


def byte_tokenizer(vocab_size: int) -> Tokenizer:
    """``<|endoftext|>`` (id 0), the 256 bytes, then merges of frequent letter pairs up to ``vocab_size``."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {END_OF_TEXT: 0} | {symbol: i + 1 for i, symbol in enumerate(alphabet)}
    merges: list[tuple[str, str]] = []
    for first in ("Ġ", "t", "h", "e", "a", "n"):
        for second in ("t", "a", "h", "e", "n", "o", "s", "i", "w"):
            if len(vocab) < vocab_size and first + second not in vocab:
                vocab[first + second] = len(vocab)
                merges.append((first, second))
    if len(vocab) != vocab_size:
        raise TrainError(f"the tiny tokenizer can have 257 to {len(vocab)} entries, not {vocab_size}")
    tokenizer = Tokenizer(models.BPE(vocab, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([END_OF_TEXT])
    return tokenizer


@torch.no_grad()
def _randomise(module: torch.nn.Module, generator: torch.Generator) -> None:
    """Weights large enough for every term to matter in a parity test; norms around one."""
    for name, parameter in module.named_parameters():
        values = torch.empty(parameter.shape).normal_(0.0, 1.0, generator=generator)
        if parameter.dim() == 1:
            values = 1.0 + 0.2 * values
        else:
            values *= 0.1 if "embed_tokens" in name else 1.3 * parameter.shape[1] ** -0.5
        parameter.copy_(values)


def make_tiny(variant: str, seed: int = 0, router: bool = False) -> Bundle:
    """A random tandem (or pair) of one of ``VARIANTS``, with a distilled baseline and, if asked for, a random router.

    Values are exact in bf16. The models do not depend on whether there is a router.
    """
    if variant not in VARIANTS:
        raise TrainError(f"no tiny variant {variant!r}: choose from {', '.join(VARIANTS)}")
    primary_config, secondary_config, layer_map = VARIANTS[variant]
    generator = torch.Generator().manual_seed(seed)
    primary, secondary, distilled = LlamaLM(primary_config), LlamaLM(secondary_config), LlamaLM(secondary_config)
    projections = Projections(primary_config, secondary_config, layer_map) if layer_map is not None else None
    for module in (primary, secondary, distilled, projections):
        if module is not None:
            _randomise(module, generator)
            for parameter in module.parameters():
                parameter.data = parameter.data.bfloat16().float()
    note = {"trainer": "tandem_train", "made_by": f"tiny --variant {variant} --seed {seed}"}
    bundle = Bundle(primary, secondary, projections, 2, {"distilled": distilled}, note)
    if router:
        note["made_by"] += " --router"
        bundle.router = Router(secondary_config.hidden_size, 3, 20, scale=60.0)
        _randomise(bundle.router, generator)
        bundle.router.rescale(torch.tensor([2.0, 1.5]), torch.tensor([0.25, -0.5]))
    return bundle


def write_tiny(variant: str, seed: int, out: Path, dtype: torch.dtype = torch.bfloat16, router: bool = False) -> None:
    """Writes a tiny checkpoint directory with its tokenizer. The same arguments give the same bytes."""
    bundle = make_tiny(variant, seed, router)
    save_tokenizer(byte_tokenizer(bundle.primary.config.vocab_size), out, bundle.primary.config.max_positions)
    write_bundle(bundle, out, out, dtype)
