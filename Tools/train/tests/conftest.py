# SPDX-License-Identifier: Apache-2.0
"""A small synthetic corpus with its tokenizer, and a pair of untrained models, shared by the tests."""

import random
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the tests run from a clone, without installing

from tandem_train.config import ModelConfig
from tandem_train.data import prepare
from tandem_train.hf import save_model
from tandem_train.model import LlamaLM
from tandem_train.tokenizer import save_tokenizer, train_tokenizer

torch.set_num_threads(2)


def write_text(file: Path, documents: int, seed: int) -> None:
    rng = random.Random(seed)
    names, verbs = ["Lily", "Tom", "the cat", "a bird"], ["saw", "liked", "found", "lost"]
    things = ["a red ball", "the old tree", "some honey", "the moon"]
    with file.open("w") as out:
        for _ in range(documents):
            for _ in range(rng.randint(3, 9)):
                out.write(f"{rng.choice(names)} {rng.choice(verbs)} {rng.choice(things)}.\n")
            out.write("<|endoftext|>\n")


@pytest.fixture(scope="session")
def work(tmp_path_factory) -> Path:
    """``texts/``, ``tokenizer/``, ``data/`` and two model directories ``primary/``, ``secondary/``."""
    root = tmp_path_factory.mktemp("work")
    (root / "texts").mkdir()
    write_text(root / "texts" / "train.txt", 400, 1)
    write_text(root / "texts" / "more.txt", 200, 2)
    write_text(root / "texts" / "valid.txt", 40, 3)
    tokenizer = train_tokenizer([root / "texts" / "train.txt"], 300)
    save_tokenizer(tokenizer, root / "tokenizer")
    prepare([root / "texts" / f"{name}.txt" for name in ("train", "more", "valid")], tokenizer, root / "data")
    for name, config in {
        "primary": ModelConfig(300, 64, 2, 2, 1, 32, 96, 64, bos=0, eos=0),
        "secondary": ModelConfig(300, 32, 2, 2, 2, 16, 64, 64, rope_theta=5000.0, bos=0, eos=0),
    }.items():
        model = LlamaLM(config)
        model.initialise(7)
        save_model(model, root / name)
        save_tokenizer(tokenizer, root / name)
    return root


@pytest.fixture
def options(work) -> list[str]:
    """What every small training run shares."""
    return [
        "--data", str(work / "data"), "--mix", "train=0.7", "more=0.3", "--length", "32", "--batch-tokens", "256",
        "--warmup", "2", "--dtype", "fp32", "--device", "cpu", "--threads", "1", "--save-every", "2",
    ]


@pytest.fixture
def pair(work) -> list[str]:
    """The pair of models for ``train``."""
    return ["--primary", str(work / "primary"), "--secondary", str(work / "secondary")]
