# SPDX-License-Identifier: Apache-2.0
"""Draft vocabularies: how tokens are counted, how many are recommended, and what a checkpoint keeps of it."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tandem_train.bundle import read_bundle, write_bundle
from tandem_train.cli import main
from tandem_train.data import Corpus
from tandem_train.draft_vocab import count_frequencies, size_for
from tandem_train.errors import TrainError
from tandem_train.tiny import write_tiny


def test_frequencies_are_the_mix_of_what_the_sources_hold(work):
    corpus = Corpus(work / "data")
    found = count_frequencies(corpus, {"train": 3.0, "more": 1.0}, 320)
    shares = [np.bincount(corpus.tokens(name), minlength=320) / corpus.tokens(name).size for name in ("train", "more")]
    assert np.allclose(found.numpy(), 0.75 * shares[0] + 0.25 * shares[1]) and abs(float(found.sum()) - 1) < 1e-5
    for mix, message in (({}, "at least one"), ({"train": 0.0}, "above zero"), ({"nowhere": 1.0}, "no source 'nowhere'")):
        with pytest.raises(TrainError, match=message):
            count_frequencies(corpus, mix, 320)
    with pytest.raises(TrainError, match="300 vocabulary entries, the models 299"):
        count_frequencies(corpus, {"train": 1.0}, 299)


def test_sizes_are_the_smallest_panels_that_cover_the_share():
    frequencies = torch.zeros(100)
    frequencies[10:60] = 0.02
    assert [size_for(frequencies, share) for share in (0.02, 0.32, 0.321, 0.64, 0.65, 1.0)] == [16, 16, 32, 32, 48, 64]
    assert size_for(torch.full((20,), 0.05), 1.0) == 20
    for share in (0, 1.5, float("nan")):
        with pytest.raises(TrainError, match="--coverage"):
            size_for(frequencies, share)


def test_command_changes_nothing_else(work, tmp_path, capsys):
    write_tiny("tied", 2, tmp_path / "t", router=True)
    before = {file: file.read_bytes() for file in (tmp_path / "t").rglob("*") if file.is_file()}
    command = ["draft-vocab", "--checkpoint", str(tmp_path / "t"), "--data", str(work / "data"), "--mix", "train=1"]
    assert main([*command, "--coverage", "0.9"]) == 0
    first = read_bundle(tmp_path / "t").draft_vocabulary
    assert first.coverage >= 0.9 and first.size % 16 == 0 and f"{first.size} of 300 tokens" in capsys.readouterr().out
    assert main([*command, "--size", "7"]) == 0
    loaded = read_bundle(tmp_path / "t")
    assert loaded.draft_vocabulary.size == 7 and torch.equal(loaded.draft_vocabulary.frequencies, first.frequencies)
    assert torch.equal(loaded.draft_vocabulary.frequencies, count_frequencies(Corpus(work / "data"), {"train": 1.0}, 300))
    manifest = json.loads((tmp_path / "t" / "tandem.json").read_text())
    assert manifest.pop("draft_vocabulary") == {"size": 7, "frequencies": "frequencies.safetensors"}
    assert manifest == json.loads(before[tmp_path / "t" / "tandem.json"])
    assert all(file.read_bytes() == content for file, content in before.items() if file.name != "tandem.json")
    assert main(["verify", str(tmp_path / "t")]) == 0
    assert "drafts from 7 tokens" in capsys.readouterr().out
    write_bundle(loaded, tmp_path / "again", tmp_path / "t")
    again = read_bundle(tmp_path / "again").draft_vocabulary
    assert again.size == 7 and torch.equal(again.frequencies, first.frequencies)


def test_mistakes_are_named(work, tmp_path, capsys):
    given = tmp_path / "t"
    write_tiny("tied", 2, given)
    command = ["draft-vocab", "--checkpoint", str(given), "--data", str(work / "data"), "--mix", "train=1"]
    for size in ("0", "301"):
        assert main([*command, "--size", size]) == 2
        assert f"from 1 to 300, not {size}" in capsys.readouterr().err
    assert main([*command, "--size", "64"]) == 0
    manifest = json.loads((given / "tandem.json").read_text())
    for entry in ({"size": 0, "frequencies": "frequencies.safetensors"}, {"size": 4, "frequencies": "/etc/x"}, {"size": 4}, 7):
        (given / "tandem.json").write_text(json.dumps(manifest | {"draft_vocabulary": entry}))
        assert main(["verify", str(given)]) == 2
        assert "draft_vocabulary" in capsys.readouterr().err
    (given / "tandem.json").write_text(json.dumps(manifest))
    for values, message in ((torch.ones(299), "has shape [299]"), (-torch.ones(300), "negative"), (torch.full((300,), torch.nan), "finite")):
        save_file({"token_frequencies": values}, str(given / "frequencies.safetensors"))
        assert main(["verify", str(given)]) == 2
        assert message in capsys.readouterr().err
    save_file({"other": torch.ones(300)}, str(given / "frequencies.safetensors"))
    assert main(["verify", str(given)]) == 2
    assert "token_frequencies is missing" in capsys.readouterr().err
