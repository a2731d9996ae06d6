#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes ScalarClassRuns.swift from the Unicode character database.

    pip install unicodedata2==16.0.0 && python3 make_scalar_classes.py
"""

import pathlib

import unicodedata2 as unicodedata

SPACES = {*range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000}
LETTER, NUMBER, SPACE, PUNCTUATION, UPPER, LOWER, MARK = (1 << bit for bit in range(7))


def scalar_class(value):
    category = unicodedata.category(chr(value))
    result = {"L": LETTER, "N": NUMBER, "P": PUNCTUATION, "M": MARK}.get(category[0], 0)
    result |= UPPER if category in ("Lu", "Lt") else LOWER if category == "Ll" else 0
    return result | (SPACE if value in SPACES else 0)


def main():
    runs = []
    for value in range(0x110000):
        found = scalar_class(value)
        if not runs or runs[-1][1] != found:
            runs.append((value, found))
    lines, line = [], ""
    for start, found in runs:
        text = f"0x{start << 8 | found:X},"
        if len(line) + len(text) + 1 > 100:
            lines.append(line)
            line = ""
        line += (" " if line else "") + text
    lines.append(line)
    path = pathlib.Path(__file__).parents[3] / "Sources/TandemTokenizer/PreTokenizer/ScalarClassRuns.swift"
    path.write_text(
        "// SPDX-License-Identifier: Apache-2.0\n"
        f"// Made by make_scalar_classes.py from Unicode {unicodedata.unidata_version} data.\n\n"
        "/// Runs of scalars of one class, in order and without gaps: the first scalar in the upper 24 bits, the\n"
        "/// bits of ``ScalarClass`` in the lower 8.\n"
        "enum ScalarClassRuns {\n"
        "    static let table: [UInt32] = [\n" + "\n".join("        " + line for line in lines) + "\n    ]\n}\n"
    )


main()
