# SPDX-License-Identifier: Apache-2.0
"""``tokenizer`` and ``prepare``: from text files to token files."""

from __future__ import annotations

import argparse
from pathlib import Path

from .. import data, tokenizer
from ..errors import TrainError


def register(commands: argparse._SubParsersAction) -> None:
    """Adds the subcommands."""
    one = commands.add_parser("tokenizer", help="train a byte-level BPE tokenizer on text files")
    _texts(one)
    one.add_argument("--vocab-size", type=int, default=4096, help="entries, bytes and <|endoftext|> included (default 4096)")
    one.add_argument("--max-bytes", type=int, help="read at most this many characters of each file")
    one.add_argument("--context", type=int, help="context length to note in tokenizer_config.json")
    one.add_argument("--out", type=Path, required=True, help="folder for tokenizer.json and tokenizer_config.json")
    one.set_defaults(run=_tokenizer)

    two = commands.add_parser("prepare", help="tokenise text files into memory-mapped token files")
    _texts(two)
    two.add_argument("--tokenizer", type=Path, required=True, help="tokenizer.json, or a folder that holds one")
    two.add_argument("--out", type=Path, required=True, help="folder for NAME.bin and index.json")
    two.set_defaults(run=_prepare)


def _texts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--corpus", type=Path, required=True, help="folder of text files; documents end with <|endoftext|> lines")
    parser.add_argument("--texts", nargs="+", required=True, metavar="NAME", help="file names in the corpus, with or without .txt")


def _files(options: argparse.Namespace) -> list[Path]:
    files = []
    for name in options.texts:
        file = options.corpus / (name if name.endswith(".txt") else f"{name}.txt")
        if not file.is_file():
            raise TrainError(f"no text file at {file}")
        files.append(file)
    return files


def _tokenizer(options: argparse.Namespace) -> None:
    trained = tokenizer.train_tokenizer(_files(options), options.vocab_size, options.max_bytes)
    tokenizer.save_tokenizer(trained, options.out, options.context)
    print(f"{trained.get_vocab_size()} entries in {options.out / 'tokenizer.json'}")


def _prepare(options: argparse.Namespace) -> None:
    index = data.prepare(_files(options), tokenizer.load_tokenizer(options.tokenizer), options.out)
    for name, source in index["sources"].items():
        print(f"{name:32} {source['documents']:>7,} documents {source['tokens']:>13,} tokens "
              f"{source['bytes'] / max(1, source['tokens']):.2f} bytes/token")
