# SPDX-License-Identifier: Apache-2.0
"""``train --cotrain``: the primary learns from the text and from what its tandem cannot follow."""

import json

import numpy as np
import pytest
import torch

from tandem_train.bundle import read_bundle
from tandem_train.cli import main
from tandem_train.hf import load_model
from tandem_train.pretrain import cross_entropy
from tandem_train.runtime import Runtime
from tandem_train.tandem import block_masks, tandem_logits
from tandem_train.tandem_task import TandemTraining, acceptance_likelihood, distillation, draw_gamma, weighted
from tandem_train.tiny import make_tiny

CPU = Runtime(torch.device("cpu"), torch.float32)


def gradients(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A copy of every gradient there is; clears them."""
    found = {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}
    module.zero_grad(set_to_none=True)
    return found


def test_weighted_keeps_the_bits_and_multiplies_the_gradient():
    x = torch.randn(50, generator=torch.Generator().manual_seed(0)).bfloat16().requires_grad_()
    y = weighted(x, 2.5)
    assert torch.equal(x, y)
    (y.float() * torch.arange(50)).sum().backward()
    assert torch.equal(x.grad, (2.5 * torch.arange(50)).bfloat16())


@pytest.mark.parametrize("weight, loss", [(0.5, "lk"), (3.0, "lk"), (2.0, "mix+lk")])
def test_the_primary_feels_its_text_and_its_tandem_but_no_baseline(weight, loss):
    tiny = make_tiny("tied")
    start, batch = tiny.projections, torch.randint(0, 300, (3, 25), generator=torch.Generator().manual_seed(1))
    common = dict(branches=["tandem", "distilled"], stage_one=0, loss=loss, seed=3, start=start, gamma_max=4)
    task = TandemTraining(tiny.primary, tiny.secondary, start.layer_map, CPU, cotrain=weight, **common)
    losses = task.losses(batch, 0, 10)
    assert set(losses) == {"tandem", "distilled", "primary"}
    torch.stack(list(losses.values())).sum().backward()
    ours, follows = gradients(task.primary), gradients(task.branches["tandem"]["secondary"])

    tokens, following = batch[:, :-1], batch[:, 1:]
    gamma = draw_gamma(np.random.default_rng([3, 0, 0]), 3, 4, 0.5)
    streams = task.primary.streams(tokens)
    logits = task.primary.logits(streams[-1])
    inside = task.branches["tandem"]
    drafted = tandem_logits(inside["secondary"], inside["projections"], streams, tokens, block_masks(24, gamma))
    target = torch.softmax(logits, -1)
    followed = acceptance_likelihood(drafted, target)
    if loss == "mix+lk":  # the paper's part teaches the tandem, and the primary through its taps alone
        mix = 0.5 * cross_entropy(drafted, following) + 0.5 * distillation(drafted, target.detach())
        followed = 0.5 * (mix + followed)
    assert losses["tandem"].item() == pytest.approx(followed.item(), rel=1e-5)
    (cross_entropy(logits, following) + weight * followed).backward()
    for name, expected in gradients(task.primary).items():
        assert torch.allclose(ours[name], expected, rtol=1e-3, atol=1e-6), name
    for name, expected in gradients(inside["secondary"]).items():  # by this sum, ``weight`` times what the branch itself descends
        assert torch.allclose(weight * follows[name], expected, rtol=1e-3, atol=1e-6), name


def test_cotraining_makes_the_primary_easier_to_follow(work, pair, options, tmp_path, capsys):
    learned = ["--from-model", str(work / "primary"), "--tokenizer", str(work / "tokenizer"), *options, "--steps", "60"]
    assert main(["pretrain", *learned, "--out", str(tmp_path / "learned")]) == 0
    pair = ["--primary", str(tmp_path / "learned" / "model"), *pair[2:]]
    begin = ["train", *pair, *options, "--layer-map", "0,2", "--branches", "tandem", "distilled", "--stage-one", "0", "--loss", "lk"]
    assert main([*begin, "--steps", "40", "--out", str(tmp_path / "first")]) == 0
    course = ["train", *pair[:2], *options, "--branches", "tandem", "distilled", "--stage-one", "0", "--loss", "lk", "--steps", "40"]
    further = [*course, "--from-run", str(tmp_path / "first")]
    given = ["--data", str(work / "data"), "--sources", "valid", "--length", "32", "--dtype", "fp32", "--json"]
    distance = {}
    for name, extra in {"frozen": [], "together": ["--cotrain", "2"]}.items():
        assert main([*further, *extra, "--out", str(tmp_path / name)]) == 0
        capsys.readouterr()
        assert main(["evaluate", "--training", str(tmp_path / name), *given]) == 0
        rows = {row["model"]: row for row in json.loads(capsys.readouterr().out)["valid"]}
        distance[name] = rows["tandem"]["tv_distance"]
        assert rows["primary"]["cross_entropy"] < rows["tandem"]["cross_entropy"] < 2
        assert main(["evaluate", "--checkpoint", str(tmp_path / name / "checkpoint"), *given]) == 0
        again = {row["model"]: row for row in json.loads(capsys.readouterr().out)["valid"]}
        assert again == rows, "the exported primary is the one that was trained"
    assert distance["together"] < 0.9 * distance["frozen"]

    history = json.loads((tmp_path / "together" / "history.json").read_text())
    assert history["branches"] == ["tandem", "distilled", "primary"]
    before, after = load_model(tmp_path / "learned" / "model").state_dict(), read_bundle(tmp_path / "together" / "checkpoint").primary.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    provenance = {name: read_bundle(tmp_path / name / "checkpoint").provenance for name in distance}
    assert provenance["together"]["cotrain"] == 2 and "cotrain" not in provenance["frozen"]

    # A course after it stands on the primary that came out of it, and says so to whoever gives another.
    third = [*course[:1], *course[3:], "--from-run", str(tmp_path / "together"), "--out", str(tmp_path / "third")]
    assert main([*third, *pair[:2]]) == 2
    assert "give --primary" in capsys.readouterr().err
    assert main([*third, "--primary", str(tmp_path / "together" / "model")]) == 0
    assert json.loads((tmp_path / "third" / "history.json").read_text())["losses"][0][1] < history["losses"][0][1]
    frozen = read_bundle(tmp_path / "third" / "checkpoint").primary.state_dict()
    assert all(torch.equal(after[name], frozen[name]) for name in after)


def test_resumes_with_the_same_losses(pair, options, tmp_path):
    command = ["train", *pair, *options, "--layer-map", "0,2", "--loss", "tv", "--cotrain", "1", "--steps", "8", "--decay", "0.5"]
    assert main([*command, "--out", str(tmp_path / "whole")]) == 0
    assert main([*command[:-3], "4", "--decay", "1", "--out", str(tmp_path / "part")]) == 0  # another plan, but a checkpoint after four
    assert main([*command[:-3], "8", "--decay", "0.5", "--out", str(tmp_path / "part")]) == 0
    losses = json.loads((tmp_path / "part" / "history.json").read_text())
    assert len(losses["losses"]) == 8 and losses["branches"][-1] == "primary"


@pytest.mark.parametrize("wrong", [["--loss", "mix"], ["--loss", "lk", "--cotrain", "-1"], ["--loss", "lk", "--branches", "distilled"]])
def test_refuses_what_is_no_distance_or_has_no_tandem(wrong, pair, options, tmp_path, capsys):
    assert main(["train", *pair, *options, "--cotrain", "1", *wrong, "--steps", "2", "--out", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert "--cotrain" in err and err.count("\n") == 1
