# SPDX-License-Identifier: Apache-2.0
"""Tokenised corpora: one flat little-endian file of token ids per source, and the deterministic batch sampler."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from .errors import TrainError
from .text import iter_documents
from .tokenizer import end_of_text_id, fingerprint


def prepare(files: list[Path], tokenizer: Tokenizer, out: Path) -> dict:
    """Tokenises text files into ``out/NAME.bin`` (uint16, or uint32 above 65,536 entries) and ``out/index.json``.

    Every document ends with the end-of-text id. Returns the index.
    """
    out.mkdir(parents=True, exist_ok=True)
    eot = end_of_text_id(tokenizer)
    vocab = tokenizer.get_vocab_size(with_added_tokens=True)
    dtype = np.uint16 if vocab <= 1 << 16 else np.uint32
    index = {
        "vocab_size": vocab,
        "end_of_text": eot,
        "dtype": np.dtype(dtype).name,
        "tokenizer": fingerprint(tokenizer),
        "sources": {},
    }
    for file in files:
        pieces, count, batch = [], 0, []
        for document in iter_documents(file):
            batch.append(document)
            count += 1
            if len(batch) == 256:
                pieces += _encode(tokenizer, batch, eot, dtype)
                batch = []
        pieces += _encode(tokenizer, batch, eot, dtype)
        tokens = np.concatenate(pieces) if pieces else np.zeros(0, dtype)
        tokens.tofile(out / f"{file.stem}.bin")
        index["sources"][file.stem] = {"tokens": int(tokens.size), "documents": count, "bytes": file.stat().st_size}
    (out / "index.json").write_text(json.dumps(index, indent=2) + "\n")
    return index


def _encode(tokenizer: Tokenizer, texts: list[str], eot: int, dtype) -> list[np.ndarray]:
    encodings = tokenizer.encode_batch(texts, add_special_tokens=False)
    return [np.array(encoding.ids + [eot], dtype=dtype) for encoding in encodings]


@dataclass
class Corpus:
    """Memory-mapped tokens of one prepared folder."""

    folder: Path
    index: dict = field(init=False)

    def __post_init__(self) -> None:
        file = self.folder / "index.json"
        if not file.is_file():
            raise TrainError(f"no prepared corpus at {self.folder}: run `tandem_train prepare` first")
        self.index = json.loads(file.read_text())

    def tokens(self, source: str) -> np.ndarray:
        """All token ids of one source. Raises ``TrainError`` for an unknown name or a truncated file."""
        if source not in self.index["sources"]:
            known = ", ".join(sorted(self.index["sources"]))
            raise TrainError(f"no source {source!r} in {self.folder}: it holds {known}")
        array = np.memmap(self.folder / f"{source}.bin", dtype=self.index["dtype"], mode="r")
        if array.size != self.index["sources"][source]["tokens"]:
            raise TrainError(f"{source}.bin holds {array.size} tokens, its index says otherwise: prepare it again")
        return array

    def add(self, source: str, file: Path, entry: dict) -> None:
        """Makes ``file`` the tokens of ``source``, replacing any of that name; ``entry`` describes it in the index, ``tokens``
        and all. A reader sees the folder with the source or without it."""
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)  # several commands may add to one folder
            self.index = json.loads((self.folder / "index.json").read_text())
            self.index["sources"].pop(source, None)
            self._write_index()
            os.replace(file, self.folder / f"{source}.bin")
            self.index["sources"][source] = entry
            self._write_index()
        finally:
            os.close(folder)

    def _write_index(self) -> None:
        temporary = self.folder / f".index.json.{os.getpid()}.tmp"
        temporary.write_text(json.dumps(self.index, indent=2) + "\n")
        os.replace(temporary, self.folder / "index.json")

    def check_fits(self, vocab_size: int) -> None:
        """Raises ``TrainError`` when models with so many vocabulary entries lack some of the corpus."""
        if self.index["vocab_size"] > vocab_size:
            raise TrainError(f"the corpus has {self.index['vocab_size']} vocabulary entries, the models {vocab_size}")

    def check_vocabulary(self, tokenizer: Tokenizer) -> None:
        """Raises ``TrainError`` when the corpus was tokenised with another tokenizer."""
        if self.index["tokenizer"] != fingerprint(tokenizer):
            raise TrainError(f"{self.folder} was prepared with another tokenizer: run `tandem_train prepare` again")


def check_mix(mix: dict[str, float]) -> None:
    """Raises ``TrainError`` unless there are sources and all their weights are above zero."""
    if not mix or min(mix.values()) <= 0:
        raise TrainError("the data mix needs at least one source, every weight above zero")


class Sampler:
    """Deterministic batches from a weighted mix of sources.

    Each source is cut into windows of ``length + 1`` tokens, visited once per epoch in a fresh order and from a fresh
    offset. The sources take turns so that the counts drawn follow the weights; weights that change when a run resumes count
    from there, and no source loses its place. The state is counts and weights alone.
    """

    def __init__(self, corpus: Corpus, mix: dict[str, float], length: int, seed: int) -> None:
        check_mix(mix)
        self.names = list(mix)
        total = sum(mix.values())
        self.weights = [mix[name] / total for name in self.names]
        self.arrays = [corpus.tokens(name) for name in self.names]
        self.length, self.seed = length, seed
        self.drawn = [0] * len(self.names)
        self.turns = [0] * len(self.names)  # drawn since the weights were set
        self._orders: dict[int, tuple[int, int, np.ndarray]] = {}
        for name, array in zip(self.names, self.arrays):
            if array.size < 2 * (length + 1):
                raise TrainError(f"source {name} has {array.size} tokens, too few for windows of {length + 1}")

    def state(self) -> dict:
        """What a checkpoint must keep to continue with the same batches."""
        return {"names": self.names, "weights": self.weights, "drawn": list(self.drawn), "turns": list(self.turns)}

    def restore(self, state: dict) -> None:
        """Continues where ``state`` was taken. Raises ``TrainError`` when the sources differ."""
        if state["names"] != self.names:
            raise TrainError(f"the checkpoint was trained on {state['names']}, not on {self.names}: use the same --mix")
        self.drawn = list(state["drawn"])
        same = state.get("weights", self.weights) == self.weights
        self.turns = list(state.get("turns", self.drawn)) if same else [0] * len(self.names)

    def batch(self, rows: int, rank: int = 0, world: int = 1) -> torch.Tensor:
        """The next ``rows`` windows over all ranks; returns this rank's share, int64 ``[rows / world, length + 1]``."""
        windows = []
        for row in range(rows):
            total = sum(self.turns) + 1
            deficits = [weight * total - turns for weight, turns in zip(self.weights, self.turns)]
            source = int(np.argmax(deficits))
            if row % world == rank:
                windows.append(self._window(source, self.drawn[source]))
            self.drawn[source] += 1
            self.turns[source] += 1
        return torch.from_numpy(np.stack(windows))

    def _window(self, source: int, position: int) -> np.ndarray:
        array, span = self.arrays[source], self.length + 1
        per_epoch = array.size // span - 1
        epoch, place = divmod(position, per_epoch)
        cached = self._orders.get(source)
        if cached is None or cached[0] != epoch:
            rng = np.random.default_rng([self.seed, source, epoch])
            cached = (epoch, int(rng.integers(span)), rng.permutation(per_epoch))
            self._orders[source] = cached
        start = cached[1] + int(cached[2][place]) * span
        return np.asarray(array[start : start + span], dtype=np.int64)
