# SPDX-License-Identifier: Apache-2.0
"""The demo model: the shipped bars of exactness, precision and speculation."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from tandem_train.bundle import read_bundle
from tandem_train.reference import reference_logits
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

TEXT = Path(__file__).with_name("story.txt")
CORPUS = Path(__file__).resolve().parents[3] / "shared" / "data" / "corpus"
PROMPTS = ["Once upon a time", "The old man and his dog", "One day, Lily found a shiny key", "There was a king who",
           "\"Where are you going?\" asked the fox.", "In the middle of the forest", "Tom was sad because",
           "The little bird wanted to fly"]


@pytest.fixture(scope="module")
def packed(tmp_path_factory, tandem, demo_model) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    for name in ("f32", "int8", "int4"):
        tandem("pack", demo_model, "-o", folder / f"{name}.tandem", "--quantize", name, "--quiet")
    tandem("pack", demo_model, "--secondary", demo_model / "secondary-distilled", "-o", folder / "vanilla.tandem",
           "--quiet")
    return folder


def instruction_sets(tandem, model: Path) -> list[str]:
    """What this machine offers, from the error that an unknown name gives."""
    done = subprocess.run([str(tandem.program), "generate", "-m", str(model), "-p", "x"], capture_output=True, text=True,
                          env={**os.environ, "TANDEM_ISA": "none-such"})
    assert done.returncode == 1
    assert "'none-such'" in done.stderr
    names = done.stderr.strip().rpartition("available: ")[2].split(", ")
    assert names[0] == "scalar"
    return names


def test_f32_equals_pytorch(tandem, packed, demo_model):
    ids = Tokenizer.from_file(str(demo_model / "tokenizer.json")).encode(TEXT.read_text()).ids[:256]
    tandem("eval", "-m", packed / "f32.tandem", "-f", TEXT, "-ctk", "f32", "-c", 256, "--save-logits",
           packed / "out")
    primary = np.load(packed / "out.primary.npy")[: len(ids)]
    secondary = np.load(packed / "out.secondary.npy")[: len(ids)]
    model = AutoModelForCausalLM.from_pretrained(demo_model / "primary", dtype=torch.float32)
    with torch.no_grad():
        expected = model(torch.tensor([ids])).logits[0].numpy()
    trainer = reference_logits(read_bundle(demo_model), ids, 2)
    assert np.abs(primary - expected).max() < 1e-4
    assert np.abs(primary - trainer["primary_logits"].numpy()).max() < 1e-4
    assert np.abs(secondary - trainer["tandem_logits"].numpy()).max() < 1e-4


def test_int8_precision(tandem, packed):
    """Mean KL to f32 at most 1e-3 nats and perplexity within 0.3 %, on the validation text where it is at hand."""
    valid = CORPUS / "tinystories_cased_valid.txt"
    text = valid if valid.exists() else TEXT
    reports = {
        name: tandem.json("eval", "-m", packed / f"{name}.tandem", "--reference", packed / "f32.tandem", "-f", text,
                          "--max-tokens", 8192)["primary"]
        for name in ("f32", "int8")
    }
    assert reports["int8"]["kl_divergence"] <= 1e-3
    assert abs(reports["int8"]["perplexity"] / reports["f32"]["perplexity"] - 1) <= 0.003


@pytest.mark.parametrize("name", ["int8", "int4", "f32", "vanilla"])
def test_greedy_speed_is_the_primary(tandem, packed, name):
    """Greedy SPEED gives the primary's tokens for every block length, thread count and instruction set."""
    available = instruction_sets(tandem, packed / "int8.tandem")
    for index, prompt in enumerate(PROMPTS):
        common = ["generate", "-m", packed / f"{name}.tandem", "-p", prompt, "-n", 120, "--temp", 0, "--ignore-eos"]
        expected = tandem.json(*common, "--decode", "primary", "-t", 1)["tokens"]
        assert len(expected) == 120
        for gamma in range(1, 9):
            environment = {"TANDEM_ISA": available[(index + gamma) % len(available)]} if gamma % 4 == 0 else {}
            run = tandem.json(*common, "--decode", "speed", "--draft-max", gamma, "--draft-min", gamma, "-t", 1 + gamma % 2,
                              environment=environment)
            assert run["tokens"] == expected, (prompt, gamma)


def test_tandem_needs_fewer_passes(tandem, packed):
    """The tandem secondary drafts better than the distilled one: fewer primary passes for the same text."""
    passes = {}
    for name in ("int8", "vanilla"):
        passes[name] = sum(
            tandem.json("generate", "-m", packed / f"{name}.tandem", "-p", prompt, "-n", 120, "--temp", 0,
                        "--draft-max", 4, "--draft-min", 4, "--ignore-eos")["speculative"]["primary_passes"]
            for prompt in PROMPTS)
    assert passes["int8"] < passes["vanilla"], json.dumps(passes)


def test_interrupt_ends_with_figures(tandem, packed):
    """Ctrl-C ends the text early, and the figures still come."""
    process = subprocess.Popen(
        [str(tandem.program), "generate", "-m", str(packed / "f32.tandem"), "-p", PROMPTS[0], "--ignore-eos", "-t", "1"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "TANDEM_ISA": "scalar"})
    shown = process.stdout.read(len(PROMPTS[0]) + 5)
    process.send_signal(signal.SIGINT)
    _, figures = process.communicate(timeout=60)
    assert process.returncode == 0
    assert shown.decode(errors="replace").startswith(PROMPTS[0])
    assert b"cancelled" in figures and b"tok/s" in figures
