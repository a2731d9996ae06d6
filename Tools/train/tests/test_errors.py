# SPDX-License-Identifier: Apache-2.0
"""Bad input as a user would give it: exit code 2 and one clear line on stderr."""

import json
import shutil

import pytest

from tandem_train.bundle import read_bundle, read_manifest
from tandem_train.cli import main
from tandem_train.config import ModelConfig, from_hf
from tandem_train.errors import TrainError
from tandem_train.hf import save_model
from tandem_train.model import LlamaLM
from tandem_train.tiny import write_tiny
from tandem_train.tokenizer import save_tokenizer, train_tokenizer


def fails(capsys, arguments: list[str], words: str) -> None:
    capsys.readouterr()
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("tandem_train: error: ") and error.count("\n") == 1 and words in error, error


def test_train_input(work, pair, options, tmp_path, capsys):
    end = [*options, "--steps", "2", "--out", str(tmp_path / "out")]
    primary, secondary = pair[:2], pair[2:]
    fails(capsys, ["train", *primary, "--secondary", str(tmp_path / "none"), *end], "no model directory")
    fails(capsys, ["train", *pair, *end, "--layer-map", "1"], "1 entries, the secondary has 2 layers")
    fails(capsys, ["train", *pair, *end, "--layer-map", "1,9"], "outside 0...2")
    fails(capsys, ["train", *pair, *end, "--layer-map", "x"], "integers")
    fails(capsys, ["train", *pair, *end, "--branches", "gecko"], "no branch gecko")
    fails(capsys, ["train", *pair, *end, "--length", "128"], "exceed the models' context of 64")
    fails(capsys, ["train", *pair, *end, "--mix", "train=x"], "must be a number")
    fails(capsys, ["train", *pair, *end, "--data", str(tmp_path)], "prepare")
    fails(capsys, ["pretrain", "--tokenizer", str(tmp_path), *end], "no tokenizer")
    fails(capsys, ["pretrain", "--tokenizer", str(work / "tokenizer"), *end, "--heads", "5"], "do not divide")

    fails(capsys, ["pretrain", "--from-model", str(tmp_path / "none"), "--tokenizer", str(work / "tokenizer"), *end], "no model directory")

    other = tmp_path / "other"
    shutil.copytree(work / "secondary", other)
    save_tokenizer(train_tokenizer([work / "texts" / "valid.txt"], 290), other)
    fails(capsys, ["train", *primary, "--secondary", str(other), *end], "tokenizers in")
    save_model(LlamaLM(ModelConfig(290, 32, 1, 2, 1, 16, 64, 64)), tmp_path / "smaller")
    begin = ["--from-model", str(tmp_path / "smaller"), "--tokenizer", str(work / "tokenizer")]
    fails(capsys, ["pretrain", *begin, *end], "290 vocabulary entries")
    config = json.loads((work / "secondary" / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"vocab_size": 310}))
    fails(capsys, ["train", *primary, "--secondary", str(other), *end], "has shape [300, 32], config.json calls for [310, 32]")
    (other / "config.json").write_text(json.dumps(config | {"model_type": "gpt2"}))
    fails(capsys, ["train", *primary, "--secondary", str(other), *end], "model_type 'gpt2' is not supported")
    (other / "model.safetensors").write_bytes(b"\x00" * 40)
    (other / "config.json").write_text(json.dumps(config))
    fails(capsys, ["train", *primary, "--secondary", str(other), *end], "not a readable safetensors file")
    (other / "config.json").write_text("{")
    fails(capsys, ["train", *primary, "--secondary", str(other), *end], "is not JSON")
    assert not (tmp_path / "out").exists()


def test_other_commands(tmp_path, capsys):
    fails(capsys, ["tokenizer", "--corpus", str(tmp_path), "--texts", "a", "--out", str(tmp_path)], "no text file")
    fails(capsys, ["export", "--training", str(tmp_path), "--out", str(tmp_path / "o")], "no training checkpoint")
    fails(capsys, ["verify", str(tmp_path)], "no tandem.json")
    fails(capsys, ["tiny", "--variant", "huge", "--out", str(tmp_path / "o")], "no tiny variant")
    write_tiny("tied", 0, tmp_path / "t")
    given = ["reference", "--checkpoint", str(tmp_path / "t"), "--json", "--prompt-ids"]
    fails(capsys, [*given, "1,300"], "outside the vocabulary of 300")
    fails(capsys, [*given, "1,x"], "must be integers")
    fails(capsys, [*given, "1", "-n", "256"], "do not fit the context")
    fails(capsys, [*given, "1", "--gamma", "0"], "at least 1")


@pytest.mark.parametrize("change, words", [
    ({"model_type": "mamba"}, "model_type"),
    ({"rope_scaling": {"rope_type": "yarn", "factor": 2.0}}, "rope scaling 'yarn'"),
    ({"attention_bias": True}, "bias"),
    ({"hidden_act": "gelu"}, "hidden_act"),
    ({"sliding_window": 64}, "sliding_window"),
    ({"num_key_value_heads": 3}, "do not divide"),
    ({"head_dim": 15}, "odd"),
    ({"hidden_size": -1}, "hidden_size"),
])
def test_unsupported_architectures(work, change, words):
    raw = json.loads((work / "primary" / "config.json").read_text())
    with pytest.raises(TrainError, match=words):
        from_hf(raw | change, "config.json")


def test_missing_config_member(work):
    raw = json.loads((work / "primary" / "config.json").read_text())
    del raw["hidden_size"]
    with pytest.raises(TrainError, match="lacks 'hidden_size'"):
        from_hf(raw, "config.json")


@pytest.mark.parametrize("change, words", [
    ({"format": "x"}, "format"),
    ({"version": 2}, "version 2"),
    ({"kind": "trio"}, "kind"),
    ({"primary": "/etc"}, "inside the directory"),
    ({"secondary": "../secondary"}, "inside the directory"),
    ({"projections": None}, "projections"),
    ({"layer_map": [1.5, 2]}, "layer_map"),
    ({"layer_map": [1]}, "1 entries"),
    ({"layer_map": [1, 4]}, "outside 0...3"),
    ({"gamma": 0}, "gamma"),
    ({"baselines": {"distilled": "../x"}}, "baselines.distilled"),
])
def test_bad_manifests(tmp_path, change, words):
    write_tiny("tied", 0, tmp_path)
    manifest = json.loads((tmp_path / "tandem.json").read_text())
    (tmp_path / "tandem.json").write_text(json.dumps(manifest | change))
    with pytest.raises(TrainError, match=words):
        read_bundle(tmp_path)


def test_manifest_that_is_not_json(tmp_path):
    (tmp_path / "tandem.json").write_text("{]")
    with pytest.raises(TrainError, match="not JSON"):
        read_manifest(tmp_path)
