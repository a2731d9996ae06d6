# SPDX-License-Identifier: Apache-2.0
"""Session files by the second decoder: what they hold is what transformers computes, and damage is found by both."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "Formats" / "python"))

from session_file import SessionFile  # noqa: E402
from tandem_file import TandemError, TandemFile  # noqa: E402

PROMPT = "Once upon a time there was a hen. She lived by the river, and"


@pytest.fixture(scope="module")
def packed(tmp_path_factory, tandem, demo_model) -> Path:
    path = tmp_path_factory.mktemp("sessions") / "f32.tandem"
    tandem("pack", demo_model, "-o", path, "--quantize", "f32", "--quiet")
    return path


def saved(tandem, packed: Path, folder: Path, kind: str, mode: str) -> tuple[Path, list[int]]:
    """A session file, and the tokens of its text."""
    path = folder / f"{kind}-{mode}.session"
    answer = tandem.json("generate", "-m", packed, "-p", PROMPT, "-n", 9, "--temp", 0, "--decode", mode, "-ctk", kind,
                         "-ctv", kind, "--session", path, "--ignore-eos")
    return path, answer["tokens"]


def expected_cache(folder: Path, tokens: list[int]) -> np.ndarray:
    """[layers, 2, heads, positions, head size] of the reference."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.no_grad():
        cache = model(torch.tensor([tokens]), use_cache=True).past_key_values
    return np.array([[layer.keys[0].numpy(), layer.values[0].numpy()] for layer in cache.layers])


@pytest.mark.parametrize(("kind", "limit"), [("f32", 1e-4), ("f16", 2e-3), ("int8", 4e-2)])
def test_caches_equal_transformers(tandem, packed, demo_model, tmp_path, kind, limit):
    ids = Tokenizer.from_file(str(demo_model / "tokenizer.json")).encode(PROMPT).ids
    models = {"primary": demo_model / "primary", "secondary": demo_model / "secondary"}
    for mode in ("speed", "primary", "secondary"):
        path, answer = saved(tandem, packed, tmp_path, kind, mode)
        file = SessionFile.open(path, packed)
        lead = "secondary" if mode == "secondary" else "primary"
        assert file.lead == lead
        assert file.tokens == (ids + answer)[: len(file.tokens)] and len(file.tokens) >= len(ids) + len(answer) - 1
        actual = getattr(file, lead).astype(np.float64)
        scale = np.abs(actual).max()
        assert np.abs(actual - expected_cache(models[lead], file.tokens)).max() < limit * max(1, scale)
        assert file.content == {"speed": "derived", "primary": "nothing", "secondary": "own"}[mode]
        other = file.primary if lead == "secondary" else file.secondary
        assert (other is None) == (mode != "speed")


def test_both_decoders_refuse_the_same(tandem, packed, tmp_path):
    path, _ = saved(tandem, packed, tmp_path, "f16", "speed")
    good, model = path.read_bytes(), TandemFile.open(packed)
    chance = random.Random(3)
    places = [chance.randrange(192) for _ in range(12)] + [chance.randrange(192, len(good)) for _ in range(6)]
    damaged = [good[:at] + bytes([good[at] ^ 1 << chance.randrange(8)]) + good[at + 1 :] for at in places]
    damaged += [good[: chance.randrange(len(good))] for _ in range(4)] + [good + b"\0"]
    for index, data in enumerate(damaged):
        with pytest.raises(TandemError) as caught:
            SessionFile(data, model)
        path.write_bytes(data)
        command = [tandem.program, "generate", "-m", packed, "-p", "x", "-n", "1", "--session", path]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 1, index
        words = {"not-session": "not a session file", "version": "version", "truncated": "truncated"}
        expected = words.get(caught.value.code, caught.value.field)
        assert expected in done.stderr or len(data) == 0, (index, caught.value, done.stderr)
