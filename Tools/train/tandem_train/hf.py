# SPDX-License-Identifier: Apache-2.0
"""Hugging Face model directories: ``config.json`` with one safetensors file or a sharded set."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from .config import read_config
from .errors import TrainError
from .model import LlamaLM

_IGNORED = ("rotary_emb.inv_freq",)


def read_tensors(directory: Path) -> dict[str, torch.Tensor]:
    """All tensors of a directory's ``model.safetensors`` or of the shards in its index, as stored."""
    index, single = directory / "model.safetensors.index.json", directory / "model.safetensors"
    if index.is_file():
        try:
            names = sorted(set(json.loads(index.read_text())["weight_map"].values()))
        except (ValueError, KeyError, AttributeError) as error:
            raise TrainError(f"{index} is not a safetensors index: {error}") from error
        files = [directory / name for name in names]
    else:
        files = [single]
    tensors: dict[str, torch.Tensor] = {}
    for file in files:
        tensors.update(read_safetensors(file))
    return tensors


def read_safetensors(file: Path) -> dict[str, torch.Tensor]:
    """All tensors of one safetensors file. Raises ``TrainError`` when missing or malformed."""
    if not file.is_file():
        raise TrainError(f"no weights at {file}")
    try:
        with safe_open(str(file), framework="pt") as handle:
            return {name: handle.get_tensor(name) for name in handle.keys()}
    except Exception as error:  # SafetensorError is not a public type everywhere
        raise TrainError(f"{file} is not a readable safetensors file: {error}") from error


def load_model(directory: Path) -> LlamaLM:
    """Reads a Llama-family model in float32. Raises ``TrainError`` for missing, extra or misshapen tensors."""
    if not directory.is_dir():
        raise TrainError(f"no model directory at {directory}")
    model = LlamaLM(read_config(directory))
    tensors = read_tensors(directory)
    if model.lm_head is None:
        tensors.pop("lm_head.weight", None)
    wanted = model.state_dict()
    for name, tensor in wanted.items():
        if name not in tensors:
            raise TrainError(f"{directory}: tensor {name} is missing, config.json calls for it")
        if tensors[name].shape != tensor.shape:
            raise TrainError(
                f"{directory}: {name} has shape {list(tensors[name].shape)}, config.json calls for {list(tensor.shape)}"
            )
    extra = [name for name in tensors if name not in wanted and not name.endswith(_IGNORED)]
    if extra:
        raise TrainError(f"{directory}: tensor {extra[0]} is not part of a plain Llama model")
    model.load_state_dict({name: tensors[name].float() for name in wanted})
    return model


def save_model(model: LlamaLM, directory: Path, dtype: torch.dtype = torch.bfloat16) -> None:
    """Writes ``config.json``, ``generation_config.json`` and ``model.safetensors`` (a tied head is not stored)."""
    directory.mkdir(parents=True, exist_ok=True)
    config = model.config.to_hf() | {"torch_dtype": str(dtype).removeprefix("torch.")}
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    write_generation_config(directory, model.config.bos, model.config.eos)
    tensors = {name: tensor.detach().to("cpu", dtype).contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, str(directory / "model.safetensors"), metadata={"format": "pt"})


def write_generation_config(directory: Path, bos: int | None, eos: int | None) -> None:
    """Writes the ids that start and end a text."""
    content = {"bos_token_id": bos, "eos_token_id": eos}
    (directory / "generation_config.json").write_text(json.dumps(content, indent=2) + "\n")


def round_to(model: torch.nn.Module, dtype: torch.dtype) -> None:
    """Rounds every parameter to ``dtype`` in place (kept as float32), so that memory matches the exported file."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.to(dtype).float())
