# SPDX-License-Identifier: Apache-2.0
"""Writes the tiny models of ``family_models`` as GGUF files, by the conventions of llama.cpp's converter.

    build("gguf-gemma3", folder)                    # the model in Hugging Face layout, as family_models does it
    write(folder, path)                             # the same model as one GGUF file
    write(folder, path, types=lambda name: Q8_0)    # quantised by the gguf package

What the converter does besides renaming: queries and keys of some architectures are put into llama's own order, in
which rotary embeddings turn neighbours; Gemma's norms are stored as 1 + w; frequencies scaled as Llama 3 does it
become a tensor of divisors; the vocabulary is filled up to the rows of the embeddings.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest import mock

import family_models
import gguf
import numpy as np
import torch
from family_models import FAMILIES, ORIGINAL_POSITIONS, WINDOW, Family
from gguf import GGMLQuantizationType as Type
from gguf import GGUFWriter

_YARN = dict(rope_type="yarn", rope_theta=1e6, factor=8.0, original_max_position_embeddings=ORIGINAL_POSITIONS,
             beta_fast=16.0, beta_slow=2.0)


def _variant(name: str, **changes: object) -> Family:
    return replace(FAMILIES[name], values=FAMILIES[name].values | changes)


_OLMO3 = Family("Olmo3Config", FAMILIES["olmo2"].values | dict(
    num_hidden_layers=5, sliding_window=WINDOW, rope_parameters=_YARN | dict(attention_factor=1.1)), {})

VARIANTS: dict[str, Family] = {
    # What metadata cannot express stays out: other attention scales of Gemma, other intervals of SmolLM 3.
    "gguf-gemma2": _variant("gemma2", query_pre_attn_scalar=24),
    "gguf-gemma3": _variant("gemma3", query_pre_attn_scalar=24),
    "gguf-gemma3-default": _variant(
        "gemma3", query_pre_attn_scalar=24, final_logit_softcapping=5.0,
        layer_types=["sliding_attention"] * 5 + ["full_attention", "sliding_attention"]),
    "gguf-smollm3": _variant("smollm3", no_rope_layer_interval=4),
    "gguf-llama-yarn": _variant("llama2", rope_parameters=_YARN),
    "gguf-olmo3": _OLMO3,
}

MODELS = ["llama2", "llama3", "llama-bias", "gguf-llama-yarn", "smollm2", "mistral", "mistral-window", "qwen2", "qwen3",
          "qwen3-bias", "gemma", "gguf-gemma2", "gguf-gemma3", "gguf-gemma3-default", "phi3", "phi4-mini",
          "gguf-smollm3", "olmo2", "gguf-olmo3", "granite"]
"""Everything that the tests compare."""

ARCHITECTURES = {"mistral": "llama", "gemma3_text": "gemma3", "olmo3": "olmo2"}
"""Where the architecture's name is not Hugging Face's ``model_type``."""

INTERLEAVED = {"llama", "granite", "smollm3"}
"""Architectures whose queries and keys are stored in llama's own order."""

_PARTS = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.qkv_proj": "attn_qkv", "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm", "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up", "mlp.gate_up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    "pre_feedforward_layernorm": "ffn_norm", "post_feedforward_layernorm": "post_ffw_norm",
}


def build(name: str, folder: Path) -> torch.nn.Module:
    """``family_models.build`` for its families and for ``VARIANTS``."""
    with mock.patch.dict(FAMILIES, VARIANTS):
        return family_models.build(name, folder)


def stored_name(name: str, has_sublayer_norms: bool) -> str:
    """The GGUF name of a tensor of a checkpoint."""
    fixed = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight",
             "lm_head.weight": "output.weight"}
    if name in fixed:
        return fixed[name]
    _, _, layer, rest = name.split(".", 3)
    part, kind = rest.rsplit(".", 1)
    if part == "post_attention_layernorm":
        return f"blk.{layer}.{'post_attention_norm' if has_sublayer_norms else 'ffn_norm'}.{kind}"
    return f"blk.{layer}.{_PARTS[part]}.{kind}"


def interleave(rows: np.ndarray, heads: int) -> np.ndarray:
    """Rows i and i + half of each head, next to each other."""
    parts = rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:])
    return np.ascontiguousarray(parts.swapaxes(1, 2)).reshape(rows.shape)


def deinterleave(rows: np.ndarray, heads: int) -> np.ndarray:
    """The inverse of ``interleave``."""
    parts = rows.reshape(heads, rows.shape[0] // heads // 2, 2, *rows.shape[1:])
    return np.ascontiguousarray(parts.swapaxes(1, 2)).reshape(rows.shape)


def _llama3_divisors(rope: dict, size: int) -> np.ndarray:
    """How much longer each wave becomes."""
    frequencies = rope["rope_theta"] ** -(np.arange(0, size, 2) / size)
    original, factor = rope["original_max_position_embeddings"], rope["factor"]
    smooth = (original * frequencies / (2 * math.pi) - rope["low_freq_factor"]) / (
        rope["high_freq_factor"] - rope["low_freq_factor"])
    return (1 / ((1 - np.clip(smooth, 0, 1)) / factor + np.clip(smooth, 0, 1))).astype(np.float32)


def _add_settings(writer: GGUFWriter, config: dict, architecture: str) -> None:
    heads = config["num_attention_heads"]
    size = config.get("head_dim") or config["hidden_size"] // heads
    writer.add_name("tiny")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    if size * heads != config["hidden_size"] or architecture.startswith("gemma"):
        writer.add_key_length(size)
        writer.add_value_length(size)
    if architecture in ("gemma2", "gemma3") or config["model_type"] in ("mistral", "phi3", "olmo3"):
        writer.add_sliding_window(config["sliding_window"] or 0)
    if config["model_type"] == "olmo3":
        writer.add_sliding_window_pattern([kind == "sliding_attention" for kind in config["layer_types"]])
    elif architecture == "gemma3" and config["layer_types"][2] == "full_attention":
        writer.add_sliding_window_pattern(3)
    for key, add in (("attn_logit_softcapping", writer.add_attn_logit_softcapping),
                     ("final_logit_softcapping", writer.add_final_logit_softcapping)):
        if config.get(key):
            add(config[key])
    if architecture == "granite":
        writer.add_embedding_scale(config["embedding_multiplier"])
        writer.add_attention_scale(config["attention_multiplier"])
        writer.add_residual_scale(config["residual_multiplier"])
        writer.add_logit_scale(config["logits_scaling"])
    _add_rope(writer, config, size)


def _add_rope(writer: GGUFWriter, config: dict, size: int) -> None:
    ropes = config["rope_parameters"]
    rope = ropes.get("full_attention", ropes)
    rotary = int(size * rope.get("partial_rotary_factor", 1.0))
    writer.add_rope_dimension_count(rotary)
    writer.add_rope_freq_base(rope["rope_theta"])
    kind = rope["rope_type"]
    if kind == "llama3":
        writer.add_tensor("rope_freqs.weight", _llama3_divisors(rope, rotary))
    elif kind == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])
    elif kind == "yarn":
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(rope["factor"])
        writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
        for key, add in (("beta_fast", writer.add_rope_scaling_yarn_beta_fast),
                         ("beta_slow", writer.add_rope_scaling_yarn_beta_slow),
                         ("attention_factor", writer.add_rope_scaling_attn_factors)):
            if rope.get(key):
                add(rope[key])
    elif kind == "longrope":
        original = rope["original_max_position_embeddings"]
        ratio = config["max_position_embeddings"] / original
        writer.add_rope_scaling_orig_ctx_len(original)
        writer.add_rope_scaling_attn_factors(math.sqrt(1 + math.log(ratio) / math.log(original)))
        writer.add_tensor("rope_factors_long.weight", np.array(rope["long_factor"], np.float32))
        writer.add_tensor("rope_factors_short.weight", np.array(rope["short_factor"], np.float32))


def _add_tokenizer(writer: GGUFWriter, folder: Path, size: int) -> None:
    document = json.loads((folder / "tokenizer.json").read_text())
    texts = {index: text for text, index in document["model"]["vocab"].items()}
    special = {token["id"]: token["content"] for token in document["added_tokens"]}
    texts |= special
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([texts.get(index, f"[PAD{index}]") for index in range(size)])
    writer.add_token_types([
        gguf.TokenType.CONTROL if index in special else gguf.TokenType.NORMAL if index in texts
        else gguf.TokenType.UNUSED for index in range(size)])
    writer.add_token_merges([
        merge if isinstance(merge, str) else " ".join(merge) for merge in document["model"]["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    writer.add_add_bos_token(False)


def write(
    folder: Path, path: Path, types: Callable[[str], Type] | None = None,
    blocks: Callable[[str, np.ndarray], tuple[np.ndarray, Type]] | None = None, split_max_tensors: int = 0,
) -> None:
    """Writes the model of a folder as GGUF.

    ``types`` gives the type of each matrix, f32 unless told; ``blocks`` makes the stored bytes of each matrix itself. A
    positive ``split_max_tensors`` splits the file, whose parts get the endings of their numbers.
    """
    config = json.loads((folder / "config.json").read_text())
    architecture = ARCHITECTURES.get(config["model_type"], config["model_type"])
    writer = GGUFWriter(path, architecture, split_max_tensors=split_max_tensors)
    _add_settings(writer, config, architecture)
    _add_tokenizer(writer, folder, config["vocab_size"])
    model = family_models.load(folder)
    state = model.state_dict()
    has_sublayer_norms = any("post_feedforward_layernorm" in name for name in state)
    for name, tensor in state.items():
        if name == "lm_head.weight" and config["tie_word_embeddings"]:
            continue
        values = tensor.float().numpy()
        if architecture in INTERLEAVED and ".q_proj." in name:
            values = interleave(values, config["num_attention_heads"])
        if architecture in INTERLEAVED and ".k_proj." in name:
            values = interleave(values, config["num_key_value_heads"])
        if architecture.startswith("gemma") and name.endswith("norm.weight"):
            values = values + 1
        stored = stored_name(name, has_sublayer_norms)
        if values.ndim < 2 or (types is None and blocks is None):
            writer.add_tensor(stored, values)
        else:
            data, kind = blocks(stored, values) if blocks else (None, types(stored))
            writer.add_tensor(stored, gguf.quants.quantize(values, kind) if data is None else data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
