# SPDX-License-Identifier: Apache-2.0
"""Checkpoint directories: round trips, identical bytes, and the reference material for other implementations."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from tandem_train.bundle import read_bundle
from tandem_train.cli import main
from tandem_train.decode import greedy_speed
from tandem_train.tiny import VARIANTS, make_tiny, write_tiny


def content(directory: Path) -> dict[str, bytes]:
    return {str(f.relative_to(directory)): f.read_bytes() for f in sorted(directory.rglob("*")) if f.is_file()}


@pytest.mark.parametrize("variant", VARIANTS)
def test_round_trip_and_same_bytes(variant, tmp_path):
    write_tiny(variant, 4, tmp_path / "a")
    write_tiny(variant, 4, tmp_path / "b")
    assert content(tmp_path / "a") == content(tmp_path / "b")
    made, read = make_tiny(variant, 4), read_bundle(tmp_path / "a")
    assert read.kind == made.kind and read.gamma == made.gamma
    for role in ("primary", "secondary", "projections"):
        ours, theirs = getattr(made, role), getattr(read, role)
        assert (ours is None) == (theirs is None)
        if ours is not None:
            assert all(torch.equal(a, b) for a, b in zip(ours.state_dict().values(), theirs.state_dict().values()))
    assert ("lm_head.weight" in read.primary.state_dict()) == (not read.primary.config.tied)
    assert main(["verify", str(tmp_path / "a")]) == 0


def test_reference_file_and_speed(tmp_path, capsys):
    write_tiny("mixed", 0, tmp_path / "t")
    out = tmp_path / "reference.safetensors"
    given = ["reference", "--checkpoint", str(tmp_path / "t"), "--prompt-ids", "5 6 7 8 9", "--gamma", "3"]
    assert main([*given, "--out", str(out), "--json", "-n", "12"]) == 0
    with safe_open(str(out), "pt") as handle:
        assert handle.metadata() == {"gamma": "3", "kind": "tandem"}
        assert handle.get_tensor("tokens").tolist() == [5, 6, 7, 8, 9] and handle.get_tensor("tokens").dtype == torch.int32
        for name in ("primary_logits", "secondary_logits", "tandem_logits"):
            assert handle.get_tensor(name).shape == (5, 300) and handle.get_tensor(name).dtype == torch.float32
        # Inside the first block nothing comes from the primary.
        first = handle.get_tensor("tandem_logits")[:3] - handle.get_tensor("secondary_logits")[:3]
        assert first.abs().max() < 1e-5
    printed = json.loads(capsys.readouterr().out)
    bundle = read_bundle(tmp_path / "t")
    assert printed["tokens"] == greedy_speed(bundle.primary, bundle.secondary, bundle.projections, [5, 6, 7, 8, 9], 12, 3).tokens
    assert printed["tokens"] == printed["primary_tokens"]


def test_prompt_is_tokenised_with_the_checkpoint(tmp_path, capsys):
    write_tiny("tied", 0, tmp_path)
    assert main(["reference", "--checkpoint", str(tmp_path), "--prompt", "the", "--json", "-n", "4"]) == 0
    assert len(json.loads(capsys.readouterr().out)["prompt"]) == 2
