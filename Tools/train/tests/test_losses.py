# SPDX-License-Identifier: Apache-2.0
"""The losses of the tandem's second stage."""

import json

import pytest
import torch

from tandem_train.cli import main
from tandem_train.pretrain import cross_entropy
from tandem_train.tandem_task import LOSSES, acceptance, acceptance_likelihood, distillation, overlap, stage_two


def pair(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits ``[2, 3, 5]``, the text's tokens and the primary's probabilities."""
    generator = torch.Generator().manual_seed(seed)
    logits, truth = (torch.randn(2, 3, 5, generator=generator) * 2 for _ in range(2))
    return logits, torch.randint(0, 5, (2, 3), generator=generator), torch.softmax(truth, -1)


def test_overlap_is_one_minus_total_variation():
    logits, _, target = pair()
    distance = 0.5 * (torch.softmax(logits, -1) - target).abs().sum(-1)
    assert torch.allclose(overlap(logits, target), 1 - distance, atol=1e-6)
    assert acceptance(logits, target).item() == pytest.approx(distance.mean().item(), abs=1e-6)
    assert acceptance_likelihood(logits, target).item() == pytest.approx(-(1 - distance).log().mean().item(), abs=1e-5)


def test_equal_distributions_lose_nothing_and_opposite_ones_stay_finite():
    logits, _, _ = pair()
    same = torch.softmax(logits, -1)
    assert abs(acceptance(logits, same).item()) < 1e-6 and abs(acceptance_likelihood(logits, same).item()) < 1e-6
    far = torch.tensor([[[100.0, 0, 0]]]), torch.tensor([[[0.0, 0, 1]]])
    assert acceptance(*far).item() == pytest.approx(1) and 13 < acceptance_likelihood(*far).item() < 14


@pytest.mark.parametrize("loss", LOSSES)
def test_parts_and_gradients(loss):
    logits, following, target = pair(1)
    logits.requires_grad_()
    value = stage_two(loss, logits, following, target)
    mix = 0.5 * cross_entropy(logits, following) + 0.5 * distillation(logits, target)
    parts = {"mix": mix, "tv": acceptance(logits, target), "lk": acceptance_likelihood(logits, target)}
    expected = torch.stack([parts[name] for name in loss.split("+")]).mean()
    assert value.item() == pytest.approx(expected.item(), abs=1e-6)
    value.backward()
    assert torch.isfinite(logits.grad).all() and logits.grad.abs().max() > 0


@pytest.mark.parametrize("loss", ["tv", "lk"])
def test_descent_raises_acceptance(loss):
    logits, following, target = pair(2)
    logits.requires_grad_()
    before = overlap(logits, target).mean().item()
    optimizer = torch.optim.Adam([logits], 0.1)
    for _ in range(200):
        optimizer.zero_grad()
        stage_two(loss, logits, following, target).backward()
        optimizer.step()
    assert overlap(logits, target).mean().item() > max(0.95, before)


def test_train_takes_a_loss_and_notes_it(pair_options, tmp_path, capsys):
    command = ["train", *pair_options, "--branches", "tandem", "distilled", "--stage-one", "0", "--layer-map", "0,2", "--steps", "4"]
    for loss in ("mix", "lk"):
        assert main([*command, "--loss", loss, "--out", str(tmp_path / loss)]) == 0
        assert json.loads((tmp_path / loss / "checkpoint" / "tandem.json").read_text())["provenance"]["loss"] == loss
    first = {loss: json.loads((tmp_path / loss / "history.json").read_text())["losses"][0] for loss in ("mix", "lk")}
    assert first["mix"][1] != first["lk"][1], "the tandem's loss is another"
    assert first["mix"][2] == first["lk"][2], "the baseline's is the paper's"
    with pytest.raises(SystemExit):
        main([*command, "--loss", "other", "--out", str(tmp_path / "x")])
    assert "invalid choice" in capsys.readouterr().err


@pytest.fixture
def pair_options(request) -> list[str]:
    return [*request.getfixturevalue("pair"), *request.getfixturevalue("options")]
