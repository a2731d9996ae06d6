# SPDX-License-Identifier: Apache-2.0
"""What quantisation costs the demo model: the bars of the default recipes, calibration, and ggml's Q4_0 at the same size."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Formats" / "python"))
from tandem_file import TandemFile  # noqa: E402

TEXT = Path(__file__).with_name("story.txt")
CORPUS = ROOT.parent / "shared" / "data" / "corpus"
TOKENS = 4096
CALIBRATION_TOKENS = 8192


@pytest.fixture(scope="module")
def primary(tmp_path_factory, demo_model) -> Path:
    """The demo's primary alone, with the tokenizer."""
    folder = tmp_path_factory.mktemp("quality") / "primary"
    shutil.copytree(demo_model / "primary", folder)
    for file in demo_model.glob("tokenizer*.json"):
        shutil.copy(file, folder)
    return folder


@pytest.fixture(scope="module")
def text() -> Path:
    valid = CORPUS / "children_valid.txt"
    return valid if valid.exists() else TEXT


@pytest.fixture(scope="module")
def calibration(demo_model, tmp_path_factory) -> Path:
    train = CORPUS / "children_train.txt"
    if not train.exists():
        pytest.skip("../shared/data/corpus is absent: there is no text to calibrate on")
    path = tmp_path_factory.mktemp("text") / "calibration.txt"
    path.write_text(train.read_text()[:8 * CALIBRATION_TOKENS])
    return path


def evaluate(tandem, checkpoint: Path, text: Path, recipes: str, *more: object) -> dict[str, dict]:
    report = tandem.json("eval", "-m", checkpoint, "-f", text, "--max-tokens", TOKENS, "--recipes", recipes, *more)
    for row in report["recipes"]:
        assert row["primary"]["tokens"] == report["reference"]["tokens"] > 100
    return {row["recipe"]["name"]: row for row in report["recipes"]}


@pytest.fixture(scope="module")
def plain(tandem, primary, text) -> dict[str, dict]:
    return evaluate(tandem, primary, text, "f32,int8,int4,int4-small,int4-fast,int4z/32:rtn,int4/32")


def kl(row: dict) -> float:
    return row["primary"]["kl_divergence"]


def test_floats_are_the_reference(plain):
    assert kl(plain["f32"]) == 0
    assert plain["f32"]["primary"]["same_top"] == 1
    assert plain["f32"]["perplexity_change"] == 0


def test_int8_costs_nothing(plain):
    assert kl(plain["int8"]) <= 1e-3
    assert plain["int8"]["perplexity_change"] <= 0.001
    assert plain["int8"]["primary"]["same_top"] >= 0.98


def test_int4_bars(plain):
    assert kl(plain["int4"]) <= 0.03
    assert plain["int4"]["perplexity_change"] <= 0.04
    assert kl(plain["int4"]) < kl(plain["int4-small"]) < kl(plain["int4z/32:rtn"])
    assert plain["int4-small"]["bits_per_weight"] < plain["int4"]["bits_per_weight"] < 5.3


def test_calibration_pays(tandem, primary, text, plain, calibration):
    rows = evaluate(tandem, primary, text, "int4,int4-small,int4-fast", "--calibrate", calibration,
                    "--calibrate-tokens", CALIBRATION_TOKENS)
    assert rows["int4"]["perplexity_change"] <= 0.025
    for name, row in rows.items():
        assert kl(row) < 0.7 * kl(plain[name]), name
        assert row["bits_per_weight"] == plain[name]["bits_per_weight"]


def q4_0(weights: torch.Tensor) -> torch.Tensor:
    """ggml's Q4_0, the reference quantiser: groups of 32, the weight of largest magnitude becomes -8, f16 scales."""
    groups = weights.float().reshape(-1, 32).numpy()
    largest = np.take_along_axis(groups, np.abs(groups).argmax(1)[:, None], 1)
    scale = largest / np.float32(-8)
    inverse = np.divide(np.float32(1), scale, out=np.zeros_like(scale), where=scale != 0)
    levels = np.clip(np.trunc(groups * inverse + np.float32(8.5)), 0, 15) - 8
    return torch.from_numpy(levels.astype(np.float32) * scale.astype(np.float16).astype(np.float32)).reshape(weights.shape)


def test_better_than_q4_0_at_its_size(tandem, primary, text, plain, tmp_path):
    """int4/32 takes 4.5 bits as Q4_0 does, and pays for 8-bit activations besides."""
    folder = tmp_path / "q4_0"
    shutil.copytree(primary, folder)
    weights = load_file(primary / "model.safetensors")
    save_file({name: q4_0(tensor) if tensor.ndim == 2 else tensor.float() for name, tensor in weights.items()},
              folder / "model.safetensors")
    row = evaluate(tandem, folder, text, "f32", "--reference", primary)["f32"]
    assert plain["int4/32"]["bits_per_weight"] == pytest.approx(4.5, abs=1e-6)
    assert kl(plain["int4/32"]) < kl(row)
    assert kl(plain["int4-small"]) < kl(row)


def test_reported_output_error(tandem, primary, calibration, tmp_path):
    """The packer's figure is that of PyTorch's own inputs and the file's own weights (the first 16 rows are its sample)."""
    ids = torch.tensor([tandem_ids(primary, calibration)])
    model = AutoModelForCausalLM.from_pretrained(primary, dtype=torch.float32)
    inputs = []
    layer = model.model.layers[2].self_attn.k_proj
    layer.register_forward_hook(lambda _m, x, _y: inputs.append(x[0][0]))
    with torch.no_grad():
        for start in range(0, ids.shape[1], 512):
            model(ids[:, start:start + 512])
    x = torch.cat(inputs).double().numpy()
    report = tandem.json("pack", primary, "-o", tmp_path / "x.tandem", "--recipe", "int4-small", "--quiet",
                         "--calibrate", calibration, "--calibrate-tokens", ids.shape[1])
    reported = next(tensor for tensor in report["tensors"] if tensor["name"] == "primary.layers.2.k")
    assert reported["quantizer"] == "gptq"
    packed = np.asarray(TandemFile.open(tmp_path / "x.tandem").tensor("primary.layers.2.k"), dtype=np.float64)[:16]
    exact = layer.weight.detach().double().numpy()[:16]
    measured = np.linalg.norm(x @ (packed - exact).T) / np.linalg.norm(x @ exact.T)
    assert reported["relative_output_error"] == pytest.approx(measured, rel=0.03)


def tandem_ids(primary: Path, text: Path) -> list[int]:
    from tokenizers import Tokenizer
    return Tokenizer.from_file(str(primary / "tokenizer.json")).encode(text.read_text()).ids[:2048]


def test_reference_may_be_packed(tandem, primary, text, tmp_path):
    """A packed float file and the checkpoint it came from are the same reference."""
    tandem("pack", primary, "-o", tmp_path / "f32.tandem", "--quantize", "f32", "--quiet")
    tandem("pack", primary, "-o", tmp_path / "int8.tandem", "--quiet")
    common = ["eval", "-m", tmp_path / "int8.tandem", "-f", text, "--max-tokens", 600]
    first = tandem.json(*common, "--reference", tmp_path / "f32.tandem")
    second = tandem.json(*common, "--reference", primary)
    assert first == second, json.dumps([first, second])
