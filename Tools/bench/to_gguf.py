#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes one model of a .tandem file as a GGUF file, so that a peer can be measured on the same weights.

The weights are those that Tandem computes with (integers times scales), rounded once more to the type asked for; the
tokenizer goes along where the file has one (byte-level BPE only). Llama architecture only: that is what benchmarks use.
Checksums are not looked at; `tandem verify` does that.

Examples:
    Tools/bench/to_gguf.py model.tandem primary.gguf --type q8_0
    Tools/bench/to_gguf.py model.tandem draft.gguf --role secondary --type q4_0
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "Formats" / "python"))
import tandem_file  # noqa: E402

TYPES = {"f32": gguf.GGMLQuantizationType.F32, "f16": gguf.GGMLQuantizationType.F16,
         "q8_0": gguf.GGMLQuantizationType.Q8_0, "q4_0": gguf.GGMLQuantizationType.Q4_0}
FILE_TYPES = {"f32": gguf.LlamaFileType.ALL_F32, "f16": gguf.LlamaFileType.MOSTLY_F16,
              "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0, "q4_0": gguf.LlamaFileType.MOSTLY_Q4_0}
LAYER_NAMES = {"attn_norm": "attn_norm", "q": "attn_q", "k": "attn_k", "v": "attn_v", "o": "attn_output",
               "mlp_norm": "ffn_norm", "gate": "ffn_gate", "up": "ffn_up", "down": "ffn_down"}


# llama.cpp wants at least one merge; this one never applies.
NO_MERGE = ["<no> <merge>"]
MATCHING = {"n16k4.i8": "q8_0", "n16k4.i4": "q4_0", "n16k4.i4z": "q4_0", "n16k1.f32": "f32", "f32": "f32"}
"""The type with as many bits."""


class Unsupported(Exception):
    """The file holds something that this program does not convert."""


def export(source: Path, destination: Path, role: str = "primary", type_name: str = "matching") -> int:
    """Writes the model and returns the bytes of the new file.

    "matching" gives every matrix the type with as many bits; norms are 32-bit floats in any case.
    """
    file = tandem_file.TandemFile.open(str(source))
    # The checksums of a gigabyte take minutes in Python.
    file.trusted = True
    model = file.manifest["models"].get(role)
    if model is None:
        raise Unsupported(f"{source}: there is no {role} model")
    if model["family"] != "llama":
        raise Unsupported(f"{source}: the {role} model is of the family {model['family']}; only llama is converted")
    writer = gguf.GGUFWriter(str(destination), "llama", use_temp_file=True)
    matrices = [tensor["encoding"] for tensor in file.tensors if tensor["name"].startswith(f"{role}.layers.")]
    main_type = MATCHING[next(name for name in matrices if name != "f32")] if type_name == "matching" else type_name
    describe(writer, model, main_type)
    add_tokenizer(writer, file, model["vocabulary_size"])
    for tensor in file.tensors:
        if not tensor["name"].startswith(role + "."):
            continue
        name, values = convert(tensor["name"], file.tensor(tensor["name"]), model)
        wanted = MATCHING[tensor["encoding"]] if type_name == "matching" else type_name
        kind = TYPES["f32" if values.ndim == 1 else wanted]
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return destination.stat().st_size


def describe(writer: gguf.GGUFWriter, model: dict[str, Any], type_name: str) -> None:
    """The model's shape, under llama.cpp's names."""
    writer.add_file_type(FILE_TYPES[type_name])
    writer.add_block_count(model["layer_count"])
    writer.add_context_length(model["max_positions"])
    writer.add_embedding_length(model["hidden_size"])
    writer.add_feed_forward_length(model["intermediate_size"])
    writer.add_head_count(model["head_count"])
    writer.add_head_count_kv(model["key_value_head_count"])
    writer.add_key_length(model["head_size"])
    writer.add_value_length(model["head_size"])
    writer.add_rope_dimension_count(model["head_size"])
    writer.add_rope_freq_base(model["rope_base"])
    writer.add_layer_norm_rms_eps(model["norm_epsilon"])
    writer.add_vocab_size(model["vocabulary_size"])


def convert(name: str, values: np.ndarray, model: dict[str, Any]) -> tuple[str, np.ndarray]:
    """A tensor's name and values as llama.cpp wants them: queries and keys are put into an order in which rotary
    embeddings turn neighbours."""
    parts = name.split(".")[1:]
    if parts[0] == "layers":
        layer, part = parts[1], parts[2]
        if part not in LAYER_NAMES:
            raise Unsupported(f"the tensor '{name}' is not converted")
        if part in ("q", "k"):
            heads = model["head_count" if part == "q" else "key_value_head_count"]
            half = model["head_size"] // 2
            values = values.reshape(heads, 2, half, -1).swapaxes(1, 2).reshape(values.shape)
        gguf_name = f"blk.{layer}.{LAYER_NAMES[part]}.weight"
    elif parts[0] in ("embed", "head", "norm"):
        gguf_name = {"embed": "token_embd", "head": "output", "norm": "output_norm"}[parts[0]] + ".weight"
    else:
        raise Unsupported(f"the tensor '{name}' is not converted")
    is_vector = "norm" in gguf_name
    return gguf_name, np.ascontiguousarray(values.reshape(-1) if is_vector else values, dtype=np.float32)


def add_tokenizer(writer: gguf.GGUFWriter, file: tandem_file.TandemFile, size: int) -> None:
    """Byte-level BPE as "gpt2"; without a tokenizer, names that no text holds."""
    reference = file.manifest.get("tokenizer")
    kinds = [gguf.TokenType.NORMAL] * size
    if reference is None:
        writer.add_tokenizer_model("gpt2")
        writer.add_token_list([f"<{index}>" for index in range(size)])
        writer.add_token_types(kinds)
        writer.add_token_merges(NO_MERGE)
        return
    text = json.loads(bytes(file.chunk_bytes(reference["chunk"])))
    model = text["model"]
    if model["type"] != "BPE":
        raise Unsupported(f"a tokenizer of type {model['type']} is not converted")
    tokens = [f"<unused{index}>" for index in range(size)]
    for index in range(size):
        kinds[index] = gguf.TokenType.UNUSED
    for token, index in model["vocab"].items():
        tokens[index], kinds[index] = token, gguf.TokenType.NORMAL
    for added in text.get("added_tokens", []):
        tokens[added["id"]] = added["content"]
        kinds[added["id"]] = gguf.TokenType.CONTROL if added["special"] else gguf.TokenType.USER_DEFINED
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges or NO_MERGE)
    if reference.get("bos") is not None:
        writer.add_bos_token_id(reference["bos"])
    if reference.get("eos"):
        writer.add_eos_token_id(reference["eos"][0])
    writer.add_add_bos_token(bool(reference.get("add_bos")))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("source", type=Path, help="a .tandem file")
    parser.add_argument("destination", type=Path, help="the GGUF file to write")
    parser.add_argument("--role", choices=["primary", "secondary"], default="primary")
    parser.add_argument("--type", choices=["matching", *sorted(TYPES)], default="matching")
    arguments = parser.parse_args()
    try:
        size = export(arguments.source, arguments.destination, arguments.role, arguments.type)
    except (Unsupported, tandem_file.TandemError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{arguments.destination}: {size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
