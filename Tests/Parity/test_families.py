# SPDX-License-Identifier: Apache-2.0
"""Every family of models: packed as transformers wrote it, and run against transformers in float32."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import family_models
import numpy as np
import pytest
import torch
from family_models import FAMILIES
from tandem_train.tiny import byte_tokenizer

TOLERANCE = 2e-4
LENGTH = 256
"""Positions compared: beyond every window and every original context of ``family_models``."""
PROMPT = 40
"""Tokens before a greedy continuation: the text grows over windows and limits while it is generated."""
SEED = 7
WORDS = "the hen that sat on the hat is not at the stone, and then it was the best of all. ".split()


def sample_text() -> str:
    """A text without a period that a window could hide behind."""
    generator = torch.Generator().manual_seed(SEED)
    picks = torch.randint(len(WORDS), (2 * LENGTH,), generator=generator)
    return " ".join(WORDS[int(index)] for index in picks)


@dataclass
class Packed:
    folder: Path
    file: Path
    model: torch.nn.Module
    ids: list[int]
    logits: np.ndarray
    """Of transformers [LENGTH, vocabulary]."""


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def family(request, tmp_path_factory, tandem) -> Packed:
    """A random model of one family, its f32 file, and the logits that transformers computes."""
    folder = tmp_path_factory.mktemp(request.param)
    model = family_models.build(request.param, folder / "hf", max_shard_size="100KB")
    file = folder / "f32.tandem"
    tandem("pack", folder / "hf", "-o", file, "--quantize", "f32", "--quiet")
    (folder / "text.txt").write_text(sample_text())
    ids = byte_tokenizer(family_models.TOKENS).encode(sample_text()).ids[:LENGTH]
    assert len(ids) == LENGTH
    return Packed(folder, file, model, ids, family_models.logits(model, ids).numpy())


def saved_logits(tandem, packed: Packed, *arguments: object) -> np.ndarray:
    tandem("eval", "-m", packed.file, "-f", packed.folder / "text.txt", "-ctk", "f32", "--max-tokens", LENGTH,
           "--save-logits", packed.folder / "out", *arguments)
    return np.load(packed.folder / "out.primary.npy")


def test_logits(tandem, family):
    """f32 logits within 2e-4 of transformers at every position."""
    actual = saved_logits(tandem, family)
    assert actual.shape == family.logits.shape
    assert family.logits.std() > 0.3, "logits too small to compare"
    errors = np.abs(actual - family.logits).max(axis=1)
    assert errors.max() < TOLERANCE, f"position {int(errors.argmax())}: {errors.max()}, median {np.median(errors)}"


def most_likely(model: torch.nn.Module, ids: list[int]) -> list[int]:
    """The most likely token after each beginning of ``ids``.

    One pass gives them all, but for longrope: there, beginnings up to the original length turn by other frequencies.
    """
    result = family_models.logits(model, ids).argmax(dim=1).tolist()
    rope = model.config.get_text_config().rope_parameters
    if rope.get("rope_type") == "longrope":
        short = rope["original_max_position_embeddings"]
        assert PROMPT < short < len(ids)
        result[:short] = family_models.logits(model, ids[:short]).argmax(dim=1).tolist()
    return result


def test_greedy_text(tandem, family):
    """Greedy continuations equal those of transformers, token by token."""
    prompt = family.ids[:PROMPT]
    text = byte_tokenizer(family_models.TOKENS).decode(prompt)
    run = tandem.json("generate", "-m", family.file, "-p", text, "-n", 64, "--temp", 0, "-ctk", "f32", "--ignore-eos")
    assert len(run["tokens"]) == 64
    text = prompt + run["tokens"]
    assert run["tokens"] == most_likely(family.model, text[:-1])[PROMPT - 1:]


@pytest.mark.parametrize("quantize", ["int8", "int4"])
def test_same_tokens_everywhere(tandem, family, quantize):
    """Quantised: the text does not depend on threads or instruction set."""
    file = family.folder / f"{quantize}.tandem"
    tandem("pack", family.folder / "hf", "-o", file, "--quantize", quantize, "--quiet")
    runs = [
        tandem.json("generate", "-m", file, "-p", "the hen", "-n", 80, "--temp", 0, "-t", threads, "--ignore-eos",
                    environment={"TANDEM_ISA": isa})["tokens"]
        for threads, isa in [(1, "scalar"), (2, "")]
    ]
    assert len(runs[0]) == 80
    assert runs[1] == runs[0]


PAIRS = list(zip(sorted(FAMILIES), sorted(FAMILIES)[5:] + sorted(FAMILIES)[:5]))


@pytest.mark.parametrize("names", PAIRS, ids=lambda names: "-with-".join(names))
def test_pair_of_families(tandem, tmp_path, names):
    """Two families make a vanilla pair: SPEED's greedy text is the primary's own."""
    for name, role, seed in zip(names, ("large", "small"), (SEED, SEED + 1)):
        family_models.build(name, tmp_path / role, seed=seed)
    tandem("pack", tmp_path / "large", "-o", tmp_path / "one.tandem", "--quiet")
    tandem("pack", tmp_path / "large", "--secondary", tmp_path / "small", "-o", tmp_path / "pair.tandem", "--quiet")
    common = ["-p", "the hen that sat", "-n", 100, "--temp", 0, "--ignore-eos"]
    alone = tandem.json("generate", "-m", tmp_path / "one.tandem", *common)["tokens"]
    assert len(alone) == 100
    for gamma, threads in ((1, 1), (3, 2), (7, 1)):
        run = tandem.json("generate", "-m", tmp_path / "pair.tandem", *common, "--draft-max", gamma, "--draft-min", gamma,
                          "-t", threads)
        assert run["tokens"] == alone
        assert run["speculative"]["drafted"] > 50
