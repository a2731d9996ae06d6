# SPDX-License-Identifier: Apache-2.0
"""Models grown to larger shapes compute what they did."""

from __future__ import annotations

from pathlib import Path

import numpy as np

TEXT = Path(__file__).with_name("story.txt")


def test_a_grown_tandem_writes_the_same_text(tandem, demo_model, tmp_path):
    small, large = tmp_path / "small.tandem", tmp_path / "large.tandem"
    tandem("pack", demo_model, "-o", small, "--quiet")
    tandem("pack", demo_model, "-o", large, "--quiet", "--expand", "llama-160m", "--expand-secondary", "llama-68m")
    # The parts of llama-160m without its embeddings, at a little more than 8 bits a weight.
    assert large.stat().st_size > 110e6
    for prompt in ("Once upon a time", "The old king"):
        common = ["-p", prompt, "-n", 40, "--temp", 0, "--ignore-eos"]
        alone = tandem.json("generate", "-m", small, *common, "--decode", "primary")["tokens"]
        assert tandem.json("generate", "-m", large, *common, "--decode", "primary")["tokens"] == alone
        speed = tandem.json("generate", "-m", large, *common, "--draft-max", 3, "--draft-min", 3)
        assert speed["tokens"] == alone
        plain = tandem.json("generate", "-m", small, *common, "--draft-max", 3, "--draft-min", 3)
        assert abs(speed["speculative"]["accepted"] - plain["speculative"]["accepted"]) <= 3
    tandem("eval", "-m", small, "-f", TEXT, "-c", 64, "--max-tokens", 64, "--save-logits", tmp_path / "small")
    tandem("eval", "-m", large, "-f", TEXT, "-c", 64, "--max-tokens", 64, "--save-logits", tmp_path / "large")
    for role in ("primary", "secondary"):
        first, second = (np.load(tmp_path / f"{name}.{role}.npy") for name in ("small", "large"))
        assert np.abs(first - second).max() < 0.02, role


def test_a_synthetic_model_runs_and_is_reproducible(tandem, tmp_path):
    files = [tmp_path / f"{name}.tandem" for name in ("a", "b")]
    for file in files:
        tandem("pack", "--synthetic", "llama-68m", "-o", file, "--quantize", "int4", "--quiet")
    assert files[0].read_bytes() == files[1].read_bytes()
    assert len(tandem.json("generate", "-m", files[0], "-p", "a", "-n", 5, "--temp", 0, "--ignore-eos")["tokens"]) == 5
