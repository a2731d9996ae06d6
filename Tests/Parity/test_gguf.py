# SPDX-License-Identifier: Apache-2.0
"""GGUF files: the same models as in Hugging Face layout, compared with transformers and with the gguf package."""

from __future__ import annotations

import json
from pathlib import Path

import family_models
import gguf
import gguf_models
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Type
from tandem_train.tiny import byte_tokenizer
from test_families import LENGTH, TOLERANCE, sample_text
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

BLOCKS = [Type.F16, Type.BF16, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q8_0, Type.Q4_K, Type.Q5_K, Type.Q6_K]
PROMPT = "the hen that sat on"


def logits(tandem, file: Path, folder: Path) -> np.ndarray:
    (folder / "text.txt").write_text(sample_text())
    tandem("eval", "-m", file, "-f", folder / "text.txt", "-ctk", "f32", "--max-tokens", LENGTH, "--save-logits",
           folder / "out")
    return np.load(folder / "out.primary.npy")


@pytest.mark.parametrize("name", gguf_models.MODELS)
def test_logits(tandem, tmp_path, name):
    """f32 logits within 2e-4 of transformers at every position."""
    model = gguf_models.build(name, tmp_path / "hf")
    gguf_models.write(tmp_path / "hf", tmp_path / "model.gguf")
    tandem("pack", tmp_path / "model.gguf", "-o", tmp_path / "f32.tandem", "--quantize", "f32", "--quiet")
    ids = byte_tokenizer(family_models.TOKENS).encode(sample_text()).ids[:LENGTH]
    expected = family_models.logits(model, ids).numpy()
    assert expected.std() > 0.3, "logits too small to compare"
    errors = np.abs(logits(tandem, tmp_path / "f32.tandem", tmp_path) - expected).max(axis=1)
    assert errors.max() < TOLERANCE, f"position {int(errors.argmax())}: {errors.max()}, median {np.median(errors)}"


def matrices(tandem, file: Path) -> dict[str, bytes]:
    """The stored bytes of every tensor of a packed file."""
    report = tandem.json("inspect", file, "--tensors")
    starts = {chunk["name"]: chunk["offset"] for chunk in report["chunks"]}
    assert all(chunk["codec"] == "raw" for chunk in report["chunks"] if chunk["name"] != "tokenizer")
    data = file.read_bytes()
    return {
        tensor["name"]: data[starts[tensor["chunk"]] + tensor["data_offset"]:][:tensor["data_bytes"]]
        for tensor in report["tensors"]
    }


def wide_model(folder: Path) -> None:
    """A Llama whose rows are whole blocks of 256 weights."""
    torch.manual_seed(5)
    config = LlamaConfig(vocab_size=300, hidden_size=256, intermediate_size=512, num_hidden_layers=1,
                         num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256,
                         initializer_range=0.1, bos_token_id=0, eos_token_id=0)
    LlamaForCausalLM(config).save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=byte_tokenizer(300), bos_token="<|endoftext|>",
                            eos_token="<|endoftext|>").save_pretrained(folder)


def random_blocks(kind: Type, rows: int, columns: int, generator: np.random.Generator) -> np.ndarray:
    """Any bytes, but for the 16-bit scales, which are small numbers of both signs."""
    block, length = gguf.GGML_QUANT_SIZES[kind]
    data = generator.integers(0, 256, (rows, columns // block, length), dtype=np.uint8)
    scales = {Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208], Type.Q4_1: [0, 2], Type.Q5_1: [0, 2]}
    for offset in scales.get(kind, [0]):
        values = generator.normal(0, 0.004, data.shape[:2]).astype(np.float16)
        data[..., offset:offset + 2] = values[..., None].view(np.uint8)
    return data.reshape(rows, -1)


@pytest.mark.parametrize("kind", BLOCKS, ids=lambda kind: kind.name)
def test_weights_are_exact(tandem, tmp_path, kind):
    """Packed as f32, blocks of every type give the bits that the gguf package's NumPy code gives."""
    wide_model(tmp_path / "hf")
    generator = np.random.default_rng(3)
    heads = {"attn_q": 4, "attn_k": 2}
    expected: dict[str, np.ndarray] = {}

    def blocks(name: str, values: np.ndarray) -> tuple[np.ndarray, Type]:
        if kind in (Type.F16, Type.BF16):
            data = gguf.quants.quantize(values, kind)
        else:
            data = random_blocks(kind, *values.shape, generator)
        weights = gguf.quants.dequantize(data, kind)
        part = name.split(".")[-2]
        expected[name] = gguf_models.deinterleave(weights, heads[part]) if part in heads else weights
        return data, kind

    gguf_models.write(tmp_path / "hf", tmp_path / "model.gguf", blocks=blocks)
    # The dequantised weights in Hugging Face layout.
    model = family_models.load(tmp_path / "hf")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 2:
                parameter.copy_(torch.from_numpy(expected[gguf_models.stored_name(name, False)]))
    model.save_pretrained(tmp_path / "hf")
    for source, file in (("model.gguf", "gguf.tandem"), ("hf", "hf.tandem")):
        tandem("pack", tmp_path / source, "-o", tmp_path / file, "--quantize", "f32", "--quiet")
    found, wanted = matrices(tandem, tmp_path / "gguf.tandem"), matrices(tandem, tmp_path / "hf.tandem")
    assert found.keys() == wanted.keys() and len(found) == 12
    for name in wanted:
        assert found[name] == wanted[name], name


def test_quantised_file(tandem, tmp_path):
    """A Q8_0 file is close to the model it came from, and inspect says where it comes from."""
    wide_model(tmp_path / "hf")
    gguf_models.write(tmp_path / "hf", tmp_path / "q8.gguf",
                      types=lambda name: Type.F16 if name == "output.weight" else Type.Q8_0)
    for source, file in (("q8.gguf", "q8.tandem"), ("hf", "hf.tandem")):
        tandem("pack", tmp_path / source, "-o", tmp_path / file, "--quantize", "f32", "--quiet")
    report = tandem.json("eval", "-m", tmp_path / "q8.tandem", "--reference", tmp_path / "hf.tandem", "-f",
                         Path(__file__).with_name("story.txt"), "--max-tokens", 200)
    assert report["primary"]["kl_divergence"] < 1e-3
    origin = tandem.json("inspect", tmp_path / "q8.tandem")["manifest"]["provenance"]["primary"]
    assert origin == {"name": "tiny", "architecture": "gguf llama", "types": {"Q8_0": 8, "F32": 3, "F16": 1}}
    assert "gguf llama 'tiny' (Q8_0 8, F32 3, F16 1)" in tandem("inspect", tmp_path / "q8.tandem")


def test_split_file(tandem, tmp_path):
    """The parts of a split file give what the whole file gives, whichever part is named; so does their directory."""
    wide_model(tmp_path / "hf")
    gguf_models.write(tmp_path / "hf", tmp_path / "whole.gguf")
    (tmp_path / "parts").mkdir()
    gguf_models.write(tmp_path / "hf", tmp_path / "parts" / "model.gguf", split_max_tensors=5)
    parts = sorted((tmp_path / "parts").iterdir())
    assert [part.name for part in parts] == [f"model-0000{index}-of-00003.gguf" for index in (1, 2, 3)]
    tandem("pack", tmp_path / "whole.gguf", "-o", tmp_path / "whole.tandem", "--quiet")
    expected = matrices(tandem, tmp_path / "whole.tandem")
    for index, source in enumerate([*parts, tmp_path / "parts"]):
        file = tmp_path / f"{index}.tandem"
        tandem("pack", source, "-o", file, "--quiet")
        assert matrices(tandem, file) == expected


def test_pairs_of_formats(tandem, tmp_path):
    """A GGUF file and a Hugging Face directory go together, either way; the text is the primary's own."""
    for name, folder in (("llama2", "large"), ("smollm2", "small")):
        gguf_models.build(name, tmp_path / folder)
        gguf_models.write(tmp_path / folder, tmp_path / f"{folder}.gguf")
    common = ["-p", PROMPT, "-n", 60, "--temp", 0, "--ignore-eos"]
    tandem("pack", tmp_path / "large", "-o", tmp_path / "one.tandem", "--quiet")
    alone = tandem.json("generate", "-m", tmp_path / "one.tandem", *common)["tokens"]
    for index, (primary, secondary) in enumerate([("large.gguf", "small"), ("large", "small.gguf"),
                                                  ("large.gguf", "small.gguf")]):
        file = tmp_path / f"{index}.tandem"
        tandem("pack", tmp_path / primary, "--secondary", tmp_path / secondary, "-o", file, "--quiet")
        assert json.loads(tandem("inspect", file, "--json"))["manifest"]["kind"] == "pair"
        assert tandem.json("generate", "-m", file, *common, "--draft-max", 4)["tokens"] == alone
