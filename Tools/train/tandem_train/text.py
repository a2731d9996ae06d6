# SPDX-License-Identifier: Apache-2.0
"""Reading the training texts: documents separated by ``<|endoftext|>`` lines, with mojibake repaired."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

from .errors import TrainError

END_OF_TEXT = "<|endoftext|>"

# UTF-8 punctuation that was once decoded as Windows-1252 (found in TinyStories), and what it stood for.
_MOJIBAKE = {
    character.encode("utf-8").decode("cp1252", errors="replace"): character
    for character in "‘’“–—…é"
} | {"â€\x9d": "”", "â€\u009d": "”"}


def repair(text: str) -> str:
    """Puts back quotes, dashes and dots whose UTF-8 bytes had been read as Windows-1252."""
    if "â€" not in text and "Ã©" not in text:
        return text
    for wrong, right in _MOJIBAKE.items():
        text = text.replace(wrong, right)
    return text.replace("â€", "”")


def iter_documents(file: Path) -> Iterator[str]:
    """Yields the documents of a text file, stripped, without their separator. Raises ``TrainError`` when missing."""
    if not file.is_file():
        raise TrainError(f"no text file at {file}")
    lines: list[str] = []
    with file.open(encoding="utf-8", errors="replace") as handle:
        for line in handle:
            if line.strip() != END_OF_TEXT:
                lines.append(line)
                continue
            document = repair("".join(lines)).strip()
            lines = []
            if document:
                yield document
    document = repair("".join(lines)).strip()
    if document:
        yield document
