# SPDX-License-Identifier: Apache-2.0
"""The shape of one Llama-family model, read from and written to a Hugging Face ``config.json``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from .errors import TrainError


@dataclass(frozen=True)
class ModelConfig:
    """Dimensions of a Llama-family causal language model. Sizes are in elements."""

    vocab_size: int
    hidden_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    intermediate_size: int
    max_positions: int = 512
    rope_theta: float = 10000.0
    norm_eps: float = 1e-5
    tied: bool = True
    bos: int | None = None
    eos: int | None = None

    def __post_init__(self) -> None:
        for name in ("vocab_size", "hidden_size", "num_layers", "num_heads", "num_kv_heads", "head_dim",
                     "intermediate_size", "max_positions"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise TrainError(f"model config: {name} is {value!r}, it must be a positive integer")
        if self.num_heads % self.num_kv_heads:
            raise TrainError(f"model config: {self.num_heads} heads do not divide into {self.num_kv_heads} key-value heads")
        if self.head_dim % 2:
            raise TrainError(f"model config: head_dim {self.head_dim} is odd, rotary positions need an even one")

    def macs_per_token(self) -> int:
        """Multiply-accumulates of one decoded token, without attention over the context."""
        attention = self.hidden_size * self.head_dim * (2 * self.num_heads + 2 * self.num_kv_heads)
        feed_forward = 3 * self.hidden_size * self.intermediate_size
        return self.num_layers * (attention + feed_forward) + self.vocab_size * self.hidden_size

    def to_hf(self) -> dict:
        """The ``config.json`` that ``transformers`` and the packer read."""
        return {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "num_hidden_layers": self.num_layers,
            "num_attention_heads": self.num_heads,
            "num_key_value_heads": self.num_kv_heads,
            "head_dim": self.head_dim,
            "hidden_act": "silu",
            "max_position_embeddings": self.max_positions,
            "rms_norm_eps": self.norm_eps,
            "rope_theta": self.rope_theta,
            "attention_bias": False,
            "mlp_bias": False,
            "tie_word_embeddings": self.tied,
            "bos_token_id": self.bos,
            "eos_token_id": self.eos,
            "torch_dtype": "bfloat16",
        }

    def to_dict(self) -> dict:
        """Plain dictionary for our own training checkpoints."""
        return asdict(self)


def from_hf(raw: dict, where: str) -> ModelConfig:
    """Reads a Hugging Face config; ``where`` names it in errors. Raises ``TrainError`` for what we do not support."""
    kind = raw.get("model_type")
    if kind not in ("llama", "mistral"):
        raise TrainError(f"{where}: model_type {kind!r} is not supported; a tandem needs Llama-family models (llama, mistral)")
    rope = raw.get("rope_parameters") or {}
    scaling = raw.get("rope_scaling") or {}
    rope_type = rope.get("rope_type") or scaling.get("rope_type") or scaling.get("type") or "default"
    if rope_type != "default":
        raise TrainError(f"{where}: rope scaling {rope_type!r} is not supported; only plain rotary positions are")
    if raw.get("attention_bias") or raw.get("mlp_bias"):
        raise TrainError(f"{where}: attention_bias or mlp_bias is set; models with biases are not supported")
    if raw.get("hidden_act", "silu") not in ("silu", "swish"):
        raise TrainError(f"{where}: hidden_act {raw['hidden_act']!r} is not supported; only silu (SwiGLU) is")
    if raw.get("sliding_window") is not None:
        raise TrainError(f"{where}: sliding_window is set; only full attention is supported")
    if rope.get("partial_rotary_factor", raw.get("partial_rotary_factor", 1.0)) != 1.0:
        raise TrainError(f"{where}: partial_rotary_factor is not 1; only full rotary positions are supported")
    try:
        heads = raw["num_attention_heads"]
        return ModelConfig(
            vocab_size=raw["vocab_size"],
            hidden_size=raw["hidden_size"],
            num_layers=raw["num_hidden_layers"],
            num_heads=heads,
            num_kv_heads=raw.get("num_key_value_heads") or heads,
            head_dim=raw.get("head_dim") or raw["hidden_size"] // heads,
            intermediate_size=raw["intermediate_size"],
            max_positions=raw.get("max_position_embeddings", 2048),
            rope_theta=float(rope.get("rope_theta", raw.get("rope_theta", 10000.0))),
            norm_eps=float(raw.get("rms_norm_eps", 1e-6)),
            tied=bool(raw.get("tie_word_embeddings", False)),
            bos=_one(raw.get("bos_token_id")),
            eos=_one(raw.get("eos_token_id")),
        )
    except KeyError as error:
        raise TrainError(f"{where}: config.json lacks {error.args[0]!r}") from error


def _one(value: int | list[int] | None) -> int | None:
    return value[0] if isinstance(value, list) else value


def read_config(directory: Path) -> ModelConfig:
    """Reads ``directory/config.json``. Raises ``TrainError`` when it is missing, malformed or unsupported."""
    file = directory / "config.json"
    if not file.is_file():
        raise TrainError(f"no config.json in {directory}: give a Hugging Face model directory")
    try:
        raw = json.loads(file.read_text())
    except ValueError as error:
        raise TrainError(f"{file} is not JSON: {error}") from error
    if not isinstance(raw, dict):
        raise TrainError(f"{file} must hold a JSON object")
    return from_hf(raw, str(file))
