# SPDX-License-Identifier: Apache-2.0
"""The block-length router: what it sees, what it learns, how it is calibrated, stored and resumed."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from tandem_train.bundle import read_bundle
from tandem_train.cli import main
from tandem_train.errors import TrainError
from tandem_train.measure import windows
from tandem_train.data import Corpus
from tandem_train.router import Router, features, read_router, save_router
from tandem_train.router_task import Observations, RouterTraining, bins, brier, calibrate, calibration, evaluate
from tandem_train.runtime import start
from tandem_train.tiny import make_tiny, write_tiny


def test_features_are_entropy_probabilities_and_weighted_embeddings():
    logits = torch.tensor([[0.0, 2.0, 1.0, -30.0]])
    embedding = torch.arange(8.0).reshape(4, 2)
    entropy, first, second, *rows = features(logits, embedding, 2)[0].tolist()
    p = torch.softmax(logits[0], 0)
    assert entropy == pytest.approx(float(-(p * p.log()).sum()), abs=1e-6)
    assert (first, second) == pytest.approx((float(p[1]), float(p[2])))
    assert rows == pytest.approx([2 * first, 3 * first, 4 * second, 5 * second])


def test_stored_routers_say_the_same(tmp_path):
    router = make_tiny("tied", 3, router=True).router
    inputs = torch.rand(50, router.hidden.in_features, generator=torch.Generator().manual_seed(1))
    save_router(router, tmp_path / "router.safetensors")
    again = read_router(tmp_path / "router.safetensors", router.width, router.top_k)
    assert torch.allclose(router(inputs), again(inputs), atol=1e-5)
    assert router(inputs).std() > 0.1
    with pytest.raises(TrainError, match="router.hidden.weight has shape"):
        read_router(tmp_path / "router.safetensors", router.width, router.top_k + 1)


def test_calibration_finds_slope_and_shift():
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(20_000, generator=generator) * 2
    slope, shift = calibration(z, torch.sigmoid(0.5 * z - 0.75))
    assert slope == pytest.approx(0.5, abs=0.02) and shift == pytest.approx(-0.75, abs=0.02)


def test_calibrating_changes_what_the_router_says():
    router = make_tiny("tied", router=True).router
    inputs = torch.rand(4000, router.hidden.in_features, generator=torch.Generator().manual_seed(1)) * 3
    truth = torch.sigmoid(0.04 * router(inputs) + 0.9).detach()
    seen = [Observations(router(inputs).detach(), inputs[:, 1], truth) for _ in range(2)]
    before = brier(torch.sigmoid(seen[0].odds[:, 0]), truth[:, 0])
    calibrate(router, *seen)
    assert torch.allclose(router(inputs), seen[1].odds, atol=1e-3)
    assert brier(torch.sigmoid(router(inputs).detach()[:, 0]), truth[:, 0]) < before


def test_brier_scores_and_bins():
    target = torch.tensor([1.0, 0.0, 0.5])
    # A perfect forecast of a coin still scores a quarter.
    assert brier(target, target) == pytest.approx(0.25 / 3)
    assert brier(torch.tensor([0.0, 1.0, 0.5]), target) == pytest.approx((1 + 1 + 0.25) / 3)
    shares = bins(torch.tensor([0.05, 0.95, 1.0]), torch.tensor([0.0, 1.0, 1.0]), 10)
    assert shares[0] < 0.5 < shares[9]


def test_learns_what_confidence_alone_cannot_tell(work):
    """Whether the draft is kept depends on the token: embeddings tell, the largest probability does not."""
    bundle = make_tiny("tied")
    task = RouterTraining(bundle, start("cpu", "fp32", 1), top_k=2, hidden=16, seed=1)
    generator = torch.Generator().manual_seed(5)
    optimizer = torch.optim.Adam(task.router.parameters(), 0.01)

    def sample(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        logits = torch.randn(count, 300, generator=generator) * 2
        target = (bundle.secondary.model.embed_tokens.weight[logits.argmax(-1), 0] > 0).float() * 0.8 + 0.1
        return features(logits, bundle.secondary.model.embed_tokens.weight, 2), target[:, None].expand(-1, 2)

    for _ in range(150):
        inputs, target = sample(256)
        optimizer.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(task.router(inputs), target).backward()
        optimizer.step()
    parts = []
    for _ in range(2):
        inputs, target = sample(2000)
        parts.append(Observations(task.router(inputs).detach(), inputs[:, 1], target))
    result = evaluate(*parts)
    assert result["greedy"]["brier_router"] < result["greedy"]["brier_confidence"] - 0.05


@pytest.mark.parametrize("kind", ["tandem", "pair"])
def test_command_trains_resumes_and_attaches(kind, work, options, tmp_path, capsys):
    given, whole, killed = tmp_path / "given", tmp_path / "whole", tmp_path / "killed"
    write_tiny("tied" if kind == "tandem" else "pair", 2, given)
    command = ["router", "--checkpoint", str(given), "--valid", "valid", "--top-k", "3", "--hidden", "8", *options]
    assert main([*command, "--steps", "8", "--out", str(whole)]) == 0
    assert main([*command, "--steps", "4", "--out", str(killed)]) == 0
    assert main([*command, "--steps", "8", "--out", str(killed)]) == 0
    assert "continuing from step 4" in capsys.readouterr().err
    loaded = read_bundle(whole / "checkpoint")
    assert loaded.kind == kind and loaded.router.top_k == 3 and loaded.router.hidden.out_features == 8
    result = json.loads((whole / "router.json").read_text())
    assert {"sampled", "greedy"} <= set(result) and 0 < result["sampled"]["brier_router"] < 1
    before, after = (json.loads((folder / "tandem.json").read_text()) for folder in (given, whole / "checkpoint"))
    assert after.pop("router") == {"weights": "router.safetensors", "top_k": 3} and after == before
    for name in ("primary/model.safetensors", "secondary/model.safetensors"):
        assert (whole / "checkpoint" / name).read_bytes() == (given / name).read_bytes()
    assert main(["verify", str(whole / "checkpoint")]) == 0
    assert "router with 8 hidden units over 3 tokens" in capsys.readouterr().out


def test_resumed_routers_are_the_same(work, options, tmp_path):
    write_tiny("tied", 2, tmp_path / "given")
    command = ["router", "--checkpoint", str(tmp_path / "given"), "--valid", "valid", "--hidden", "8", "--decay", "0", *options]
    for name, steps in (("whole", [6]), ("parts", [2, 6])):
        for count in steps:
            assert main([*command, "--steps", str(count), "--out", str(tmp_path / name)]) == 0
    files = [tmp_path / name / "checkpoint" / "router.safetensors" for name in ("whole", "parts")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_reference_holds_what_the_router_says(tmp_path):
    write_tiny("mixed", 1, tmp_path / "t", router=True)
    out = tmp_path / "reference.safetensors"
    assert main(["reference", "--checkpoint", str(tmp_path / "t"), "--prompt-ids", "5 6 7 8", "--gamma", "3", "--out", str(out)]) == 0
    with safe_open(str(out), "pt") as handle:
        said, logits = handle.get_tensor("router"), handle.get_tensor("tandem_logits")
    bundle = read_bundle(tmp_path / "t")
    expected = torch.sigmoid(bundle.router(features(logits, bundle.secondary.model.embed_tokens.weight, bundle.router.top_k)))
    assert said.shape == (4, 2) and torch.allclose(said, expected)


def test_estimates_come_from_the_tandem_at_the_drawn_block_lengths(work):
    bundle = make_tiny("tied")
    task = RouterTraining(bundle, start("cpu", "fp32", 1), top_k=2, hidden=4, gamma_max=1)
    batch = next(windows(Corpus(work / "data"), "valid", 16, 64))
    seen = task.observe([batch])
    assert seen.odds.shape == (batch.shape[0] * 16, 2) and seen.target.min() >= 0 and seen.target.max() <= 1 + 1e-5
    assert set(seen.target[:, 1].tolist()) <= {0.0, 1.0}


def test_mistakes_are_named(work, options, tmp_path, capsys):
    given: Path = tmp_path / "given"
    write_tiny("tied", 2, given, router=True)
    command = ["router", "--checkpoint", str(given), "--out", str(tmp_path / "out"), *options]
    assert main([*command, "--valid", "nowhere"]) == 2
    assert "no source 'nowhere'" in capsys.readouterr().err
    assert main([*command, "--valid", "valid", "--top-k", "40"]) == 2
    assert "1 to 32 tokens" in capsys.readouterr().err
    for entry in ({"top_k": 0, "weights": "router.safetensors"}, {"top_k": 3, "weights": "../router.safetensors"}, 7):
        manifest = json.loads((given / "tandem.json").read_text()) | {"router": entry}
        (given / "tandem.json").write_text(json.dumps(manifest))
        assert main(["verify", str(given)]) == 2
        assert "router" in capsys.readouterr().err
