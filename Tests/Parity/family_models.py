# SPDX-License-Identifier: Apache-2.0
"""Tiny random models of every family, made by transformers: what the packer and the engine are compared with.

    model = build("gemma3", folder)      # config.json, safetensors shards, tokenizer.json; returns the PyTorch model
    old_config("gemma3", folder)         # the same settings as older versions of transformers wrote them

Sizes are deliberately unlike each other, and small enough that 256 positions go beyond every window, every original
context and every limit of RoPE scaling. All weights are exact in bfloat16, so the stored type does not matter.

    python3 family_models.py NAME FOLDER
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tools" / "train"))

from tandem_train.tiny import byte_tokenizer  # noqa: E402

VOCABULARY = 304
"""Embedding rows; the tokenizer has ``TOKENS``, the rest is padding as in real checkpoints."""
TOKENS = 300
POSITIONS = 512
WINDOW = 37
ORIGINAL_POSITIONS = 64


@dataclass
class Family:
    """A configuration class of transformers, and what to give it."""

    config: str
    values: dict[str, Any]
    old: dict[str, Any]
    """Members of config.json that older versions wrote in place of ``rope_parameters`` and of those in ``remove``."""
    offset_norms: bool = False
    """Whether norms multiply by 1 + w."""
    remove: list[str] = field(default_factory=list)
    """Members that older versions did not have."""


def _sizes(**changes: Any) -> dict[str, Any]:
    return dict(vocab_size=VOCABULARY, hidden_size=48, intermediate_size=80, num_hidden_layers=4,
                num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=POSITIONS,
                bos_token_id=0, eos_token_id=0, pad_token_id=None) | changes


def _rope(kind: str, theta: float = 10000.0, **values: Any) -> dict[str, Any]:
    return dict(rope_type=kind, rope_theta=theta, **values)


_LLAMA3 = dict(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
               original_max_position_embeddings=ORIGINAL_POSITIONS)
_YARN = dict(factor=8.0, original_max_position_embeddings=ORIGINAL_POSITIONS)
_LONGROPE = dict(short_factor=[1.0, 1.03, 1.1, 1.2, 1.35, 1.5], long_factor=[1.05, 1.4, 2.1, 3.3, 5.7, 8.0])
_GEMMA = dict(head_dim=24, query_pre_attn_scalar=20, hidden_size=56, num_attention_heads=4, sliding_window=WINDOW)
_GEMMA3_ROPE = {"sliding_attention": _rope("default"), "full_attention": _rope("linear", 1e6, factor=8.0)}
_GEMMA3_TEXT = _sizes(**_GEMMA, num_hidden_layers=7, layer_types=(["sliding_attention"] * 2 + ["full_attention"]) * 2
                      + ["sliding_attention"], rope_parameters=_GEMMA3_ROPE)
_GEMMA3_OLD = dict(sliding_window_pattern=3, rope_theta=1e6, rope_local_base_freq=10000.0,
                   rope_scaling=dict(rope_type="linear", factor=8.0))

FAMILIES: dict[str, Family] = {
    "llama2": Family("LlamaConfig", _sizes(num_key_value_heads=4, rms_norm_eps=1e-5, rope_parameters=_rope("default")),
                     dict(rope_theta=10000.0, rope_scaling=None)),
    "llama3": Family("LlamaConfig", _sizes(head_dim=20, rope_parameters=_rope("llama3", 500000.0, **_LLAMA3)),
                     dict(rope_theta=500000.0, rope_scaling=dict(rope_type="llama3", **_LLAMA3))),
    "llama-bias": Family("LlamaConfig", _sizes(attention_bias=True, mlp_bias=True,
                                               rope_parameters=_rope("linear", factor=4.0)),
                         dict(rope_theta=10000.0, rope_scaling=dict(type="linear", factor=4.0))),
    "llama-yarn": Family("LlamaConfig", _sizes(rope_parameters=_rope("yarn", **_YARN, beta_fast=16.0, mscale=0.9,
                                                                     mscale_all_dim=0.7, truncate=False)),
                         dict(rope_theta=10000.0, rope_scaling=dict(type="yarn", **_YARN, beta_fast=16.0, mscale=0.9,
                                                                    mscale_all_dim=0.7, truncate=False))),
    "smollm2": Family("LlamaConfig", _sizes(num_attention_heads=3, num_key_value_heads=1, tie_word_embeddings=True,
                                            rope_parameters=_rope("default", 100000.0)),
                      dict(rope_theta=100000.0, rope_scaling=None, rope_interleaved=False, is_llama_config=True)),
    "mistral": Family("MistralConfig", _sizes(sliding_window=None, head_dim=16,
                                              rope_parameters=_rope("default", 1e6)), dict(rope_theta=1e6)),
    "mistral-window": Family("MistralConfig", _sizes(sliding_window=WINDOW, rope_parameters=_rope("default")),
                             dict(rope_theta=10000.0)),
    "qwen2": Family("Qwen2Config", _sizes(tie_word_embeddings=True, rope_parameters=_rope("default", 1e6)),
                    dict(rope_theta=1e6, rope_scaling=None, use_sliding_window=False, sliding_window=WINDOW,
                         max_window_layers=2), remove=["layer_types"]),
    "qwen2-window": Family("Qwen2Config", _sizes(use_sliding_window=True, sliding_window=WINDOW, max_window_layers=2,
                                                 rope_parameters=_rope("yarn", 1e6, **_YARN)),
                           dict(rope_theta=1e6, rope_scaling=dict(type="yarn", **_YARN)), remove=["layer_types"]),
    "qwen3": Family("Qwen3Config", _sizes(head_dim=20, rope_parameters=_rope("default", 1e6)),
                    dict(rope_theta=1e6, rope_scaling=None, max_window_layers=28), remove=["layer_types"]),
    "qwen3-bias": Family("Qwen3Config", _sizes(head_dim=24, attention_bias=True, tie_word_embeddings=True,
                                               rope_parameters=_rope("yarn", 1e6, **_YARN)),
                         dict(rope_theta=1e6, rope_scaling=dict(rope_type="yarn", **_YARN)), remove=["layer_types"]),
    "gemma": Family("GemmaConfig", _sizes(hidden_size=56, head_dim=24, rope_parameters=_rope("default")),
                    dict(rope_theta=10000.0, rope_scaling=None, hidden_act="gelu", hidden_activation=None),
                    offset_norms=True),
    "gemma2": Family("Gemma2Config", _sizes(**_GEMMA, attn_logit_softcapping=3.0, final_logit_softcapping=4.0,
                                            rope_parameters=_rope("default")),
                     dict(rope_theta=10000.0, hidden_act="gelu_pytorch_tanh", cache_implementation="hybrid"),
                     offset_norms=True, remove=["layer_types"]),
    "gemma3": Family("Gemma3TextConfig", _GEMMA3_TEXT, _GEMMA3_OLD, offset_norms=True, remove=["layer_types"]),
    "gemma3-multimodal": Family(
        "Gemma3Config",
        dict(text_config=_GEMMA3_TEXT, mm_tokens_per_image=4, image_token_index=303, boi_token_index=302,
             eoi_token_index=301, bos_token_id=0, eos_token_id=0, pad_token_id=None,
             vision_config=dict(model_type="siglip_vision_model", hidden_size=16, intermediate_size=24,
                                num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=7)),
        _GEMMA3_OLD, offset_norms=True, remove=["layer_types"]),
    "phi3": Family("Phi3Config", _sizes(num_key_value_heads=4, sliding_window=WINDOW,
                                        rope_parameters=_rope("default", partial_rotary_factor=1.0)),
                   dict(rope_theta=10000.0, rope_scaling=None, partial_rotary_factor=1.0)),
    "phi4-mini": Family("Phi3Config", _sizes(hidden_size=64, tie_word_embeddings=True, sliding_window=POSITIONS,
                                             original_max_position_embeddings=ORIGINAL_POSITIONS,
                                             rope_parameters=_rope("longrope", partial_rotary_factor=0.75,
                                                                   original_max_position_embeddings=64, **_LONGROPE)),
                        dict(rope_theta=10000.0, partial_rotary_factor=0.75,
                             rope_scaling=dict(type="longrope", **_LONGROPE),
                             auto_map={"AutoConfig": "configuration_phi3.Phi3Config",
                                       "AutoModelForCausalLM": "modeling_phi3.Phi3ForCausalLM"})),
    "smollm3": Family("SmolLM3Config", _sizes(num_hidden_layers=6, no_rope_layer_interval=3,
                                              rope_parameters=_rope("default", 5e6)),
                      dict(rope_theta=5e6, rope_scaling=None)),
    "olmo2": Family("Olmo2Config", _sizes(rms_norm_eps=1e-6, rope_parameters=_rope("default", 500000.0)),
                    dict(rope_theta=500000.0, rope_scaling=None)),
    "olmo3": Family("Olmo3Config", _sizes(num_hidden_layers=5, sliding_window=WINDOW, rope_parameters={
                        "sliding_attention": _rope("default", 500000.0),
                        "full_attention": _rope("yarn", 500000.0, **_YARN)}),
                    dict(rope_theta=500000.0, rope_scaling=dict(rope_type="yarn", **_YARN)), remove=["layer_types"]),
    "granite": Family("GraniteConfig", _sizes(embedding_multiplier=12.0, attention_multiplier=0.2,
                                              residual_multiplier=0.22, logits_scaling=2.0, tie_word_embeddings=True,
                                              rope_parameters=_rope("default", 10000000.0)),
                      dict(rope_theta=10000000.0, rope_scaling=None)),
}


@torch.no_grad()
def _randomise(model: torch.nn.Module, offset_norms: bool, generator: torch.Generator) -> None:
    """Weights large enough for every term to matter in a parity test, rounded to bfloat16."""
    for name, parameter in model.named_parameters():
        values = torch.empty(parameter.shape).normal_(0.0, 1.0, generator=generator)
        if parameter.dim() == 1:
            values *= 0.2
            if "norm" in name and not offset_norms:
                values += 1.0
        else:
            values *= 0.1 if "embed_tokens" in name else 1.3 * parameter.shape[-1] ** -0.5
        parameter.copy_(values.bfloat16().float())


def load(folder: Path) -> torch.nn.Module:
    """The model of a folder in float32, with the attention that honours soft caps."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def build(name: str, folder: Path, dtype: torch.dtype = torch.float32, seed: int = 7,
          max_shard_size: str = "5GB") -> torch.nn.Module:
    """Writes a random model of ``FAMILIES[name]`` with its tokenizer, and returns it as ``load`` does."""
    import transformers

    family = FAMILIES[name]
    config = getattr(transformers, family.config)(**family.values)
    config._attn_implementation = "eager"
    torch.manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_config(config)
    _randomise(model, family.offset_norms, torch.Generator().manual_seed(seed))
    model.to(dtype).save_pretrained(folder, max_shard_size=max_shard_size)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=byte_tokenizer(TOKENS), bos_token="<|endoftext|>", eos_token="<|endoftext|>",
    ).save_pretrained(folder)
    return load(folder)


def old_config(name: str, folder: Path) -> None:
    """Rewrites config.json with the members that transformers 4 had in place of ``rope_parameters``."""
    family = FAMILIES[name]
    path = Path(folder) / "config.json"
    document = json.loads(path.read_text())
    settings = document.get("text_config", document)
    for key in ["rope_parameters", *family.remove]:
        settings.pop(key, None)
    settings.update(family.old)
    path.write_text(json.dumps(document, indent=2) + "\n")


def logits(model: torch.nn.Module, ids: list[int]) -> torch.Tensor:
    """Logits of every position [len(ids), ``VOCABULARY``]."""
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0]


def greedy(model: torch.nn.Module, ids: list[int], count: int) -> list[int]:
    """The ``count`` tokens that follow, each the most likely one; one pass over everything for each of them."""
    text = list(ids)
    for _ in range(count):
        text.append(int(logits(model, text)[-1].argmax()))
    return text[len(ids):]


if __name__ == "__main__":
    build(sys.argv[1], Path(sys.argv[2]))
