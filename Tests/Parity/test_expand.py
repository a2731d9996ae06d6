# SPDX-License-Identifier: Apache-2.0
"""Models grown to larger shapes compute what they did."""

from __future__ import annotations

from pathlib import Path

import numpy as np

TEXT = Path(__file__).with_name("story.txt")


def test_a_grown_tandem_writes_the_same_text(tandem, demo_model, tmp_path):
    small, large = tmp_path / "small.tandem", tmp_path / "large.tandem"
    grow = ["--expand", "llama-160m", "--expand-secondary", "llama-68m"]
    # Floats: with 8-bit activations the last bit of a norm can decide a rounding, and that a tie between two tokens.
    tandem("pack", demo_model, "-o", small, "--quiet", "--quantize", "f32")
    tandem("pack", demo_model, "-o", large, "--quiet", "--quantize", "f32", *grow)
    # The layers of llama-160m (113 million weights) and llama-68m (19 million), 4 bytes each, and the demo's vocabulary.
    assert large.stat().st_size > 530e6
    tandem("eval", "-m", small, "-f", TEXT, "-c", 64, "--max-tokens", 64, "-ctk", "f32", "--save-logits", tmp_path / "small")
    tandem("eval", "-m", large, "-f", TEXT, "-c", 64, "--max-tokens", 64, "-ctk", "f32", "--save-logits", tmp_path / "large")
    for role in ("primary", "secondary"):
        first, second = (np.load(tmp_path / f"{name}.{role}.npy") for name in ("small", "large"))
        assert np.abs(first - second).max() < 1e-3, role
    common = ["-p", "Once upon a time", "-n", 40, "--temp", 0, "--ignore-eos"]
    alone = tandem.json("generate", "-m", small, *common, "--decode", "primary")["tokens"]
    assert tandem.json("generate", "-m", large, *common, "--decode", "primary")["tokens"] == alone
    runs = [tandem.json("generate", "-m", file, *common, "--draft-max", 3, "--draft-min", 3) for file in (small, large)]
    assert [run["tokens"] for run in runs] == [alone, alone]
    assert runs[0]["speculative"]["accepted"] == runs[1]["speculative"]["accepted"]


def test_a_synthetic_model_runs_and_is_reproducible(tandem, tmp_path):
    files = [tmp_path / f"{name}.tandem" for name in ("a", "b")]
    for file in files:
        tandem("pack", "--synthetic", "llama-68m", "-o", file, "--quantize", "int4", "--quiet")
    assert files[0].read_bytes() == files[1].read_bytes()
    assert len(tandem.json("generate", "-m", files[0], "-p", "a", "-n", 5, "--temp", 0, "--ignore-eos")["tokens"]) == 5
