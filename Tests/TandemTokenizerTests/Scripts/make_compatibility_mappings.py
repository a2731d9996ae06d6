#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes CompatibilityMappings.swift from Python's copy of the Unicode character database.

    pip install tokenizers && python3 make_compatibility_mappings.py

What the older database of the reference implementation does not decompose yet is left out.
"""

import pathlib
import sys
import unicodedata
from collections.abc import Iterable

from tokenizers import normalizers


def numbers() -> Iterable[int]:
    for value in range(sys.maxunicode + 1):
        if 0xD800 <= value < 0xE000:
            continue
        full = normalizers.NFKD().normalize_str(chr(value))
        if full != unicodedata.normalize("NFD", chr(value)):
            yield len(full) << 21 | value
            yield from map(ord, full)


def main() -> None:
    lines, line = [], ""
    for number in numbers():
        text = f"0x{number:X},"
        if len(line) + len(text) + 1 > 100:
            lines.append(line)
            line = ""
        line += (" " if line else "") + text
    lines.append(line)
    body = "\n".join("        " + line for line in lines)
    path = pathlib.Path(__file__).parents[3] / "Sources/TandemTokenizer/Normalizer/CompatibilityMappings.swift"
    path.write_text(
        "// SPDX-License-Identifier: Apache-2.0\n"
        f"// Made by make_compatibility_mappings.py from Unicode {unicodedata.unidata_version} data.\n\n"
        "/// Compatibility decompositions, complete, where they differ from the canonical ones: the scalar with the number\n"
        "/// of scalars it becomes above bit 21, then those.\n"
        "enum CompatibilityMappings {\n"
        "    static let table: [UInt32] = [\n" + body + "\n    ]\n}\n"
    )


main()
