# SPDX-License-Identifier: Apache-2.0
"""Vectors of texts against the hidden states that transformers gives."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModel

TEXTS = ["Once upon a time there was a hen.", "The fox", "One day, Lily found a shiny key in the garden, and she smiled."]


@pytest.fixture(scope="module")
def packed(tmp_path_factory, tandem, demo_model) -> Path:
    path = tmp_path_factory.mktemp("embeddings") / "f32.tandem"
    tandem("pack", demo_model, "-o", path, "--quantize", "f32", "--quiet")
    return path


def expected_vectors(demo_model: Path, pooling: str) -> np.ndarray:
    """The pooled last hidden states of the primary, each of length 1."""
    tokenizer = Tokenizer.from_file(str(demo_model / "tokenizer.json"))
    model = AutoModel.from_pretrained(demo_model / "primary", dtype=torch.float32)
    vectors = []
    for text in TEXTS:
        with torch.no_grad():
            states = model(torch.tensor([tokenizer.encode(text).ids])).last_hidden_state[0].double()
        vector = states.mean(dim=0) if pooling == "mean" else states[-1]
        vectors.append((vector / vector.norm()).numpy())
    return np.array(vectors)


@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_embeddings_equal_transformers(tandem, packed, demo_model, tmp_path, pooling):
    expected = expected_vectors(demo_model, pooling)
    lines = tmp_path / "texts"
    lines.write_text("\n\n".join(TEXTS) + "\n")
    answer = tandem.json("embed", "-m", packed, "-f", lines, "--lines", "--pooling", pooling, "-ctk", "f32")
    assert [entry["index"] for entry in answer["data"]] == [0, 1, 2]
    assert {entry["object"] for entry in answer["data"]} == {"embedding"}
    assert answer["usage"]["prompt_tokens"] == answer["usage"]["total_tokens"] > 20
    actual = np.array([entry["embedding"] for entry in answer["data"]])
    assert np.abs(actual - expected).max() < 1e-4
    # The same as plain numbers, one line a text, and as one text a flag.
    flags = [argument for text in TEXTS for argument in ("-p", text)]
    printed = tandem("embed", "-m", packed, *flags, "--pooling", pooling, "-ctk", "f32")
    plain = np.array([[float(word) for word in line.split()] for line in printed.splitlines()])
    assert np.array_equal(plain.astype(np.float32), actual.astype(np.float32))


def test_whole_files_are_one_text(tandem, packed, tmp_path):
    text = tmp_path / "text"
    text.write_text("The hen.\nThe fox.\n")
    one = json.loads(tandem("embed", "-m", packed, "-f", text, "--json"))
    assert len(one["data"]) == 1
