# SPDX-License-Identifier: Apache-2.0
"""Texts that the primary writes: the tokens are its own, a killed run goes on with the same ones, `train` can take them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from tandem_train.bundle import read_bundle
from tandem_train.checkpoint import read
from tandem_train.cli import main
from tandem_train.data import Corpus, prepare
from tandem_train.decode import greedy
from tandem_train.hf import load_model
from tandem_train.runtime import Runtime
from tandem_train.sampling import Prompts, SamplePlan, Writer, choose
from tandem_train.tokenizer import load_tokenizer

PACKAGE = Path(__file__).resolve().parents[1]


@pytest.fixture
def data(work, tmp_path) -> Path:
    """A prepared folder that a test may add to."""
    prepare([work / "texts" / f"{name}.txt" for name in ("train", "valid")], load_tokenizer(work / "tokenizer"), tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def command(work, data) -> list[str]:
    return ["sample", "--model", str(work / "primary"), "--data", str(data), "--name", "own", "--prompts", "train=1", "--length", "32",
            "--prompt-tokens", "4,9", "--batch", "10", "--dtype", "fp32", "--device", "cpu", "--threads", "1"]


def test_greedy_rows_are_the_greedy_texts_of_the_model(work):
    model = load_model(work / "primary")
    prompts = torch.randint(1, 300, (5, 7), generator=torch.Generator().manual_seed(3))
    rows = Writer(load_model(work / "primary"), Runtime(torch.device("cpu"), torch.float32)).write(
        prompts, 40, torch.zeros(5), torch.zeros(5, 33)
    )
    assert torch.equal(rows[:, :7], prompts)
    for prompt, row in zip(prompts.tolist(), rows.tolist()):
        assert row[7:] == greedy(model, prompt, 33)


def test_draws_follow_the_distribution():
    logits = torch.tensor([[1.0, 3.0, 2.0, -float("inf")]])
    numbers = (torch.arange(4000) + 0.5) / 4000
    for temperature in (0.7, 1.0, 3.0):
        drawn = choose(logits.expand(4000, -1), torch.full((4000,), temperature), numbers)
        share = torch.bincount(drawn, minlength=4) / 4000
        assert (share - torch.softmax(logits[0] / temperature, -1)).abs().max() < 1e-3
    assert choose(logits, torch.zeros(1), torch.tensor([0.999])).item() == 1
    assert choose(logits, torch.ones(1), torch.tensor([1.0])).item() <= 3


def test_prompts_are_windows_of_their_sources(data):
    corpus = Corpus(data)
    plan = SamplePlan({"train": 1.0, "valid": 3.0}, rows=1, length=32, shortest=4, longest=9, opening=1.0)
    drawn, lengths = Prompts(corpus, plan), set()
    documents = [",".join(map(str, corpus.tokens(name))) for name in ("train", "valid")]
    for seed in range(30):
        rows = drawn.draw(np.random.default_rng(seed), 8)
        lengths.add(rows.shape[1])
        for row in rows.tolist():
            text = ",".join(map(str, row))
            assert any(source.startswith(text + ",") or f",0,{text}" in source for source in documents), "begins where a document does"
    assert lengths == set(range(4, 10))
    anywhere = Prompts(corpus, SamplePlan({"valid": 1.0}, rows=1, length=32, shortest=9, longest=9, opening=0.0))
    assert all(",".join(map(str, row)) in documents[1] for row in anywhere.draw(np.random.default_rng(0), 50).tolist())


def test_a_source_of_its_own(work, data, command, pair, options, tmp_path, capsys):
    assert main([*command, "--tokens", "3200", "--temperatures", "0,1", "-s", "4"]) == 0
    assert "ETA" in capsys.readouterr().err
    entry = json.loads((data / "index.json").read_text())["sources"]["own"]
    assert entry["tokens"] == 3200 and entry["documents"] == 100 and entry["written"]["temperatures"] == [0.0, 1.0]
    rows = np.asarray(Corpus(data).tokens("own")).reshape(100, 32)
    assert (rows[:, -1] == 0).all()
    assert sorted(file.name for file in data.iterdir()) == ["index.json", "own.bin", "train.bin", "valid.bin"]
    model = load_model(work / "primary")
    row = next(row for row in rows[:10:2].tolist())
    given = next(n for n in range(4, 10) if greedy(model, row[:n], 31 - n) == row[n:31])
    assert 4 <= given <= 9
    assert main([*command, "--tokens", "3200", "--temperatures", "0,1", "-s", "5"]) == 0
    assert (np.asarray(Corpus(data).tokens("own")).reshape(100, 32) != rows).any(), "another seed, another text"

    here = [str(data) if value == str(work / "data") else value.replace("more=", "own=") for value in options]
    first, second = tmp_path / "first", tmp_path / "second"
    assert main(["train", *pair, *here, "--layer-map", "0,2", "--steps", "3", "--out", str(first)]) == 0
    again = ["train", *pair[:2], "--from-run", str(first), *here, "--stage-one", "0", "--loss", "lk", "--out", str(second)]
    assert main([*again, "--steps", "1", "--muon-lr", "0", "--adam-lr", "0"]) == 0
    given, kept = read(first / "training.pt")["modules"], read(second / "training.pt")["modules"]
    for branch in ("tandem", "distilled", "alone"):
        for part, tensors in given[branch].items():
            assert all(torch.equal(tensor, kept[branch][part][name]) for name, tensor in tensors.items()), (branch, part)
    bundle = read_bundle(second / "checkpoint")
    assert bundle.projections.layer_map == [0, 2]
    assert bundle.provenance["projection_start"] == "from-run" and bundle.provenance["from_run"]["steps"] == 3
    assert main(["evaluate", "--training", str(second), "--data", str(data), "--sources", "own", "--length", "31", "--dtype", "fp32"]) == 0


def test_a_killed_run_goes_on_with_the_same_texts(data, command):
    whole = [*command, "--tokens", "19168", "-s", "1"]  # 599 rows: the last batch is smaller
    process = subprocess.Popen(
        [sys.executable, "-m", "tandem_train", *whole], env=os.environ | {"PYTHONPATH": str(PACKAGE), "OMP_NUM_THREADS": "1"},
        stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )
    part = data / "own.bin.part"
    deadline = time.monotonic() + 60
    while not (part.is_file() and part.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert part.stat().st_size and "own" not in json.loads((data / "index.json").read_text())["sources"]
    with part.open("ab") as file:
        file.write(b"half a batch")
    assert main(whole) == 0
    continued = (data / "own.bin").read_bytes()
    assert len(continued) == 2 * 19168
    assert main(whole) == 0
    assert (data / "own.bin").read_bytes() == continued


@pytest.mark.parametrize("change, words", [
    (["--prompt-tokens", "9,4"], "shortest prompt <= longest prompt"),
    (["--prompt-tokens", "9"], "the shortest and the longest"),
    (["--prompt-tokens", "4,31"], "--length - 2"),
    (["--temperatures", "0,x"], "numbers separated by commas"),
    (["--temperatures", "-1"], "at least zero"),
    (["--opening", "2"], "share from 0 to 1"),
    (["--tokens", "10"], "at least one row"),
    (["--length", "90"], "exceed the model's context of 64"),
    (["--prompts", "nothing=1"], "no source 'nothing'"),
    (["--prompts", "train=-1"], "every weight above zero"),
    (["--name", "train"], "a name of its own"),
    (["--name", "../x"], "a name of its own"),
    (["--model", "nowhere"], "no tokenizer"),
])
def test_bad_input(data, command, change, words, capsys):
    assert main([*command, *change]) == 2
    error = capsys.readouterr().err
    assert error.startswith("tandem_train: error: ") and error.count("\n") == 1 and words in error, error
    assert sorted(file.name for file in data.iterdir()) == ["index.json", "train.bin", "valid.bin"]


def test_a_run_of_other_options_is_not_continued(work, data, command, pair, options, tmp_path, capsys):
    (data / "own.bin.part").write_bytes(bytes(640))
    (data / "own.bin.json").write_text(json.dumps({"rows": 1}))
    assert main([*command, "--tokens", "3200"]) == 2
    assert "begun with other options" in capsys.readouterr().err
    one, two = tmp_path / "one", ["train", *pair[:2], "--from-run", str(tmp_path / "one"), *options, "--steps", "1"]
    assert main(["train", *pair, *options, "--branches", "tandem", "--steps", "1", "--out", str(one)]) == 0
    capsys.readouterr()
    assert main([*two, "--out", str(tmp_path / "two")]) == 2
    assert "has no branch distilled" in capsys.readouterr().err
    again = [*two[:-1], "2", "--stage-one", "1", "--branches", "tandem", "tandem-ce", "--out", str(tmp_path / "three")]
    assert main(again) == 0  # a tandem-ce that the run lacks branches off from its tandem: the same losses on the same windows
    history = json.loads((tmp_path / "three" / "history.json").read_text())
    assert history["branches"] == ["tandem", "tandem-ce"] and all(row[1] == row[2] for row in history["losses"])
