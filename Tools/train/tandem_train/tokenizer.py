# SPDX-License-Identifier: Apache-2.0
"""Byte-level BPE tokenizer: training on plain text, and reading back with its end-of-text id.

The pre-tokeniser is the one of GPT-2 (Hugging Face ``ByteLevel``, no prefix space), so every byte string has a
tokenisation and decoding is exact. ``<|endoftext|>`` separates documents and is both BOS and EOS.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Iterator

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from .errors import TrainError
from .text import END_OF_TEXT, iter_documents


def train_tokenizer(files: list[Path], vocab_size: int, max_bytes: int | None = None) -> Tokenizer:
    """Trains a byte-level BPE of ``vocab_size`` entries (256 bytes and ``<|endoftext|>`` included) on text files.

    ``max_bytes`` limits how much of each file is read. Raises ``TrainError`` for a size below 257 or missing files.
    """
    if vocab_size < 257:
        raise TrainError(f"vocabulary size {vocab_size} is too small: a byte-level BPE needs at least 257 entries")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(files, max_bytes), trainer)
    return tokenizer


def _texts(files: list[Path], max_bytes: int | None) -> Iterator[str]:
    for file in files:
        seen = 0
        for document in iter_documents(file):
            yield document
            seen += len(document)
            if max_bytes is not None and seen >= max_bytes:
                break


def save_tokenizer(tokenizer: Tokenizer, directory: Path, context: int | None = None) -> None:
    """Writes ``tokenizer.json`` and the ``tokenizer_config.json`` that Hugging Face needs beside it."""
    directory.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(directory / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": END_OF_TEXT,
        "eos_token": END_OF_TEXT,
        "add_bos_token": False,
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
    }
    if context is not None:
        config["model_max_length"] = context
    (directory / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")


def load_tokenizer(path: Path) -> Tokenizer:
    """Reads a ``tokenizer.json`` (or the one inside a directory). Raises ``TrainError`` when missing or malformed."""
    file = path / "tokenizer.json" if path.is_dir() else path
    if not file.is_file():
        raise TrainError(f"no tokenizer at {file}: give a tokenizer.json, or a directory that holds one")
    try:
        return Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises plain Exception
        raise TrainError(f"{file} is not a tokenizer.json: {error}") from error


def end_of_text_id(tokenizer: Tokenizer) -> int:
    """The id of the document separator. Raises ``TrainError`` when the vocabulary has none of the known ones."""
    for name in (END_OF_TEXT, "</s>", "<|end_of_text|>", "<eos>", "<|im_end|>"):
        token = tokenizer.token_to_id(name)
        if token is not None:
            return token
    raise TrainError("the tokenizer has no end-of-text token: tried <|endoftext|>, </s>, <|end_of_text|>, <eos>, <|im_end|>")


def fingerprint(tokenizer: Tokenizer) -> str:
    """A digest of the mapping from strings to ids: two tokenizers with the same digest can form a tandem."""
    state = json.loads(tokenizer.to_str())
    payload = {"vocab": sorted(tokenizer.get_vocab(with_added_tokens=True).items()), "merges": state["model"].get("merges")}
    return hashlib.sha256(json.dumps(payload).encode()).hexdigest()
