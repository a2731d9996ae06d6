#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes families.json: config.json files and what transformers makes of them, for tests of the packer's mapping.

    python3 make_families.py            # needs transformers; the same file every time

Every value is read off the modules and functions of transformers, not off config.json: norms and biases from the
module tree, scales and windows from the attention modules, frequencies from the functions that the models call.
"""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path
from typing import Any

import torch
import transformers
from family_models import FAMILIES, build, old_config
from safetensors import safe_open
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS


def _sizes(architecture: str, model_type: str, vocabulary: int, hidden: int, mlp: int, layers: int, heads: int,
           groups: int, positions: int, **more: Any) -> dict[str, Any]:
    return dict(architectures=[architecture], model_type=model_type, vocab_size=vocabulary, hidden_size=hidden,
                intermediate_size=mlp, num_hidden_layers=layers, num_attention_heads=heads,
                num_key_value_heads=groups, max_position_embeddings=positions, rms_norm_eps=1e-5, **more)


_SHORT = [1.0 + 0.02 * i for i in range(48)]
_LONG = [1.0 + 0.11 * i * i / 4 for i in range(48)]

FULL_SIZE: dict[str, dict[str, Any]] = {
    "llama3-1b": _sizes("LlamaForCausalLM", "llama", 128256, 2048, 8192, 16, 32, 8, 131072, head_dim=64,
                        tie_word_embeddings=True, rope_theta=500000.0, attention_bias=False,
                        rope_scaling=dict(factor=32.0, high_freq_factor=4.0, low_freq_factor=1.0,
                                          original_max_position_embeddings=8192, rope_type="llama3")),
    "llama2-linear": _sizes("LlamaForCausalLM", "llama", 32000, 4096, 11008, 4, 32, 32, 16384,
                            rope_scaling=dict(factor=4.0, type="linear")),
    "llama2-defaults": dict(architectures=["LlamaForCausalLM"], model_type="llama", vocab_size=32000, hidden_size=64,
                            intermediate_size=96, num_hidden_layers=2, num_attention_heads=4),
    "mistral-v0.1": _sizes("MistralForCausalLM", "mistral", 32000, 4096, 14336, 4, 32, 8, 32768, sliding_window=4096,
                           rope_theta=10000.0),
    "mistral-v0.3": _sizes("MistralForCausalLM", "mistral", 32768, 4096, 14336, 4, 32, 8, 32768, sliding_window=None,
                           rope_theta=1e6),
    "mistral-defaults": dict(architectures=["MistralForCausalLM"], vocab_size=32000, hidden_size=128,
                             intermediate_size=96, num_hidden_layers=2, num_attention_heads=16),
    "mistral-nemo": _sizes("MistralForCausalLM", "mistral", 131072, 5120, 14336, 4, 32, 8, 1024000, head_dim=128,
                           sliding_window=None, rope_theta=1e6),
    "qwen2.5-yarn": _sizes("Qwen2ForCausalLM", "qwen2", 152064, 3584, 18944, 4, 28, 4, 32768, rope_theta=1e6,
                           sliding_window=131072, max_window_layers=28, use_sliding_window=False,
                           rope_scaling=dict(factor=4.0, original_max_position_embeddings=32768, type="yarn")),
    "qwen3-0.6b": _sizes("Qwen3ForCausalLM", "qwen3", 151936, 1024, 3072, 4, 16, 8, 40960, head_dim=128,
                         rope_theta=1000000, rope_scaling=None, sliding_window=None, use_sliding_window=False,
                         max_window_layers=28, tie_word_embeddings=True, attention_bias=False),
    "gemma-2b": _sizes("GemmaForCausalLM", "gemma", 256000, 2048, 16384, 4, 8, 1, 8192, head_dim=256,
                       hidden_act="gelu", hidden_activation=None, rope_theta=10000.0, rope_scaling=None,
                       attention_bias=False),
    "gemma2-2b": _sizes("Gemma2ForCausalLM", "gemma2", 256000, 2304, 9216, 6, 8, 4, 8192, head_dim=256,
                        hidden_act="gelu_pytorch_tanh", hidden_activation="gelu_pytorch_tanh",
                        attn_logit_softcapping=50.0, final_logit_softcapping=30.0, query_pre_attn_scalar=256,
                        sliding_window=4096, rope_theta=10000.0, cache_implementation="hybrid"),
    "gemma3-1b": _sizes("Gemma3ForCausalLM", "gemma3_text", 262144, 1152, 6912, 26, 4, 1, 32768, head_dim=256,
                        attn_logit_softcapping=None, final_logit_softcapping=None, query_pre_attn_scalar=256,
                        sliding_window=512, sliding_window_pattern=6, rope_theta=1000000, rope_scaling=None,
                        rope_local_base_freq=10000, hidden_activation="gelu_pytorch_tanh"),
    "gemma3-4b": dict(architectures=["Gemma3ForConditionalGeneration"], model_type="gemma3", mm_tokens_per_image=256,
                      image_token_index=262144, text_config=dict(
                          hidden_size=2560, intermediate_size=10240, model_type="gemma3_text", num_hidden_layers=34,
                          rope_scaling=dict(factor=8.0, rope_type="linear"), sliding_window=1024),
                      vision_config=dict(hidden_size=1152, image_size=896, intermediate_size=4304,
                                         model_type="siglip_vision_model", num_attention_heads=16,
                                         num_hidden_layers=27, patch_size=14, vision_use_head=False)),
    "phi3-mini-4k": _sizes("Phi3ForCausalLM", "phi3", 32064, 3072, 8192, 4, 32, 32, 4096, rope_theta=10000.0,
                           rope_scaling=None, original_max_position_embeddings=4096, sliding_window=2047,
                           attention_bias=False),
    "phi3.5-mini": _sizes("Phi3ForCausalLM", "phi3", 32064, 3072, 8192, 4, 32, 32, 131072, rope_theta=10000.0,
                          original_max_position_embeddings=4096, sliding_window=262144,
                          rope_scaling=dict(type="longrope", short_factor=_SHORT, long_factor=_LONG)),
    "phi3-mini-128k-su": _sizes("Phi3ForCausalLM", "phi3", 32064, 3072, 8192, 4, 32, 32, 131072,
                                rope_theta=10000.0, original_max_position_embeddings=4096, sliding_window=262144,
                                rope_scaling=dict(type="su", short_factor=_SHORT, long_factor=_LONG,
                                                  original_max_position_embeddings=4096)),
    "phi4-mini-full": _sizes("Phi3ForCausalLM", "phi3", 200064, 3072, 8192, 4, 24, 8, 131072, rope_theta=10000.0,
                             partial_rotary_factor=0.75, original_max_position_embeddings=4096,
                             sliding_window=262144, tie_word_embeddings=True, lm_head_bias=False, mlp_bias=False,
                             rope_scaling=dict(type="longrope", short_factor=_SHORT, long_factor=_LONG)),
    "smollm3-3b": _sizes("SmolLM3ForCausalLM", "smollm3", 128256, 2048, 11008, 8, 16, 4, 65536, rope_theta=5000000.0,
                         no_rope_layers=[1, 1, 1, 0, 1, 1, 1, 0], no_rope_layer_interval=4, rope_scaling=None,
                         use_sliding_window=False, sliding_window=None, attention_bias=False, mlp_bias=False,
                         layer_types=["full_attention"] * 8),
    "olmo2-1b": _sizes("Olmo2ForCausalLM", "olmo2", 100352, 2048, 8192, 4, 16, 16, 4096, rope_theta=500000,
                       rope_scaling=None, attention_bias=False),
    "olmo3-7b": _sizes("Olmo3ForCausalLM", "olmo3", 100278, 4096, 11008, 8, 32, 32, 65536, rope_theta=500000,
                       sliding_window=4096, attention_bias=False,
                       rope_scaling=dict(rope_type="yarn", factor=8.0, attention_factor=1.2079441541679836,
                                         beta_fast=32.0, beta_slow=1.0, original_max_position_embeddings=8192)),
    "granite-2b": _sizes("GraniteForCausalLM", "granite", 49155, 2048, 8192, 4, 32, 8, 131072, rope_theta=5000000.0,
                         attention_multiplier=0.015625, embedding_multiplier=12.0, logits_scaling=8.0,
                         residual_multiplier=0.22, attention_bias=False, mlp_bias=False, tie_word_embeddings=True),
}
"""Shapes of published models, shortened to a few layers where nothing depends on their number."""


def _frequencies(config: Any, rotary: torch.nn.Module, kind: str | None) -> dict[str, Any]:
    """What the model's rotary embedding computes for a layer type (None: there is one for all)."""
    parameters = config.rope_parameters if kind is None else config.rope_parameters[kind]
    named = {} if kind is None else {"layer_type": kind}
    rope_type = parameters["rope_type"]
    make = rotary.compute_default_rope_parameters if rope_type == "default" else ROPE_INIT_FUNCTIONS[rope_type]
    values, factor = make(config, device="cpu", **named)
    result = dict(base=parameters["rope_theta"], rotary_size=2 * len(values), frequencies=values.tolist(),
                  attention_factor=factor, plain=rope_type == "default")
    if rope_type == "longrope":
        above = parameters["original_max_position_embeddings"]
        result["long_above"] = above
        result["long"] = make(config, device="cpu", seq_len=above + 1, **named)[0].tolist()
    return result


def _windows(config: Any, layers: list[torch.nn.Module]) -> list[int]:
    """Positions that each layer sees, 0 for all."""
    if config.model_type in ("mistral", "phi3"):  # one mask for all layers
        return [config.sliding_window or 0] * len(layers)
    return [getattr(layer.self_attn, "sliding_window", None) or 0 for layer in layers]


def expected(document: dict[str, Any]) -> dict[str, Any]:
    """What transformers makes of a config.json."""
    architecture = document["architectures"][0]
    wrapped = getattr(transformers, architecture).config_class.from_dict(copy.deepcopy(document))
    wrapped._attn_implementation = "eager"
    with torch.device("meta"):
        model = getattr(transformers, architecture)(wrapped)
    config = wrapped.get_text_config()
    body = getattr(model.model, "language_model", model.model)
    layers = list(body.layers)
    attention, mlp = layers[0].self_attn, layers[0].mlp
    nested = "full_attention" in config.rope_parameters
    kinds = config.layer_types if nested else [None] * len(layers)
    turned = [getattr(layer.self_attn, "use_rope", 1) for layer in layers]
    query = getattr(attention, "q_proj", None) or attention.qkv_proj
    gate = getattr(mlp, "gate_proj", None) or mlp.gate_up_proj
    names = dict(layers[0].named_modules())
    norm = "pre_post" if "pre_feedforward_layernorm" in names else "pre" if "input_layernorm" in names else "post"
    query_norm = getattr(attention, "q_norm", None)
    embed_scale = getattr(body.embed_tokens, "scalar_embed_scale", 1.0)
    scales = {"gemma2": config.hidden_size**0.5, "gemma": embed_scale, "gemma3_text": embed_scale}
    used = sorted({kind for kind, on in zip(kinds, turned) if on}) if nested else [None]
    capped = config.model_type == "gemma2"
    return dict(
        vocabulary_size=config.vocab_size, hidden_size=config.hidden_size, layer_count=len(layers),
        head_count=config.num_attention_heads, key_value_head_count=config.num_key_value_heads,
        head_size=attention.head_dim, intermediate_size=config.intermediate_size,
        max_positions=config.max_position_embeddings, norm_epsilon=config.rms_norm_eps,
        tied_embeddings=wrapped.tie_word_embeddings, norm_placement=norm,
        query_key_norm="none" if query_norm is None else
        "head" if tuple(query_norm.weight.shape) == (attention.head_dim,) else "row",
        activation="gelu_tanh" if "GELUTanh" in type(getattr(mlp, "act_fn", None) or mlp.activation_fn).__name__
        else "silu",
        attention_bias=query.bias is not None, output_bias=attention.o_proj.bias is not None,
        mlp_bias=gate.bias is not None, attention_scale=attention.scaling,
        attention_softcap=attention.attn_logit_softcapping if capped else None,
        logit_softcap=getattr(config, "final_logit_softcapping", None),
        embedding_scale=scales.get(config.model_type, getattr(config, "embedding_multiplier", 1.0)),
        residual_scale=getattr(layers[0], "residual_multiplier", 1.0),
        logit_divisor=getattr(config, "logits_scaling", 1.0), windows=_windows(config, layers),
        ropes=[_frequencies(config, body.rotary_emb, kind) for kind in used],
        layer_ropes=[None if not on else used.index(kind) if nested else 0 for kind, on in zip(kinds, turned)])


def main() -> None:
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    entries: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        for family in FAMILIES:
            folder = Path(name) / family
            build(family, folder)
            with safe_open(folder / "model.safetensors", "np") as file:
                tensors = {key: file.get_slice(key).get_shape() for key in sorted(file.keys())}
            for form in ("new", "old"):
                if form == "old":
                    old_config(family, folder)
                document = json.loads((folder / "config.json").read_text())
                entries.append(dict(name=f"{family}-{form}", config=document, expected=expected(document),
                                    tensors=tensors))
    for name, document in FULL_SIZE.items():
        entries.append(dict(name=name, config=document, expected=expected(document)))
    lines = ",\n".join(json.dumps(entry, sort_keys=True) for entry in entries)
    target = Path(__file__).with_name("families.json")
    target.write_text(f"[\n{lines}\n]\n")
    print(f"{len(entries)} configurations, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
