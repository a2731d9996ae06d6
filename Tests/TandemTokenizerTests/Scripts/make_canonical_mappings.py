#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes CanonicalMappings.swift from Python's copy of the Unicode character database."""

import pathlib
import sys
import unicodedata

COMPOSES = 1 << 31
HANGUL = range(0xAC00, 0xD7A4)


def entries():
    for value in range(sys.maxunicode + 1):
        mapping = unicodedata.decomposition(chr(value))
        if not mapping or mapping.startswith("<") or value in HANGUL:
            continue
        parts = [int(part, 16) for part in mapping.split()]
        first, second = parts[0], parts[1] if len(parts) > 1 else 0
        pair = chr(first) + chr(second)
        composes = second != 0 and unicodedata.normalize("NFC", pair) == chr(value)
        yield value | (COMPOSES if composes else 0), first, second


def main():
    numbers = [number for entry in entries() for number in entry]
    lines = []
    line = ""
    for number in numbers:
        text = f"0x{number:X},"
        if len(line) + len(text) + 1 > 100:
            lines.append(line)
            line = ""
        line += (" " if line else "") + text
    lines.append(line)
    body = "\n".join("        " + line for line in lines)
    path = pathlib.Path(__file__).parents[3] / "Sources/TandemTokenizer/Normalizer/CanonicalMappings.swift"
    path.write_text(
        "// SPDX-License-Identifier: Apache-2.0\n"
        f"// Made by make_canonical_mappings.py from Unicode {unicodedata.unidata_version} data.\n\n"
        "/// Canonical decompositions but Hangul's, three numbers each, ordered by scalar: the scalar, with bit 31\n"
        "/// set when the pair composes to it again; the first scalar it becomes; the second, or 0.\n"
        "enum CanonicalMappings {\n"
        "    static let table: [UInt32] = [\n" + body + "\n    ]\n}\n"
    )


main()
