#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the Unicode tables of the split patterns from the Unicode character database.

    pip install unicodedata2==16.0.0 regex && python3 make_unicode_tables.py

General categories come from `unicodedata2`; scripts and the Alphabetic property, which it lacks, from `regex`, whose
database may be newer: scalars that version 16 does not assign are left out.
"""

import pathlib
from collections.abc import Callable, Iterable

import regex
import unicodedata2 as unicodedata

SOURCES = pathlib.Path(__file__).parents[3] / "Sources/TandemTokenizer"
SCALARS = range(0x110000)
CATEGORIES = "Cn Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co Cs".split()
SCRIPTS = """
Common Latin Greek Cyrillic Armenian Hebrew Arabic Syriac Thaana Devanagari Bengali Gurmukhi Gujarati Oriya Tamil Telugu
Kannada Malayalam Sinhala Thai Lao Tibetan Myanmar Georgian Hangul Ethiopic Cherokee Canadian_Aboriginal Ogham Runic
Khmer Mongolian Hiragana Katakana Bopomofo Han Yi Old_Italic Gothic Deseret Inherited Tagalog Hanunoo Buhid Tagbanwa
Limbu Tai_Le Linear_B Ugaritic Shavian Osmanya Cypriot Braille Buginese Coptic New_Tai_Lue Glagolitic Tifinagh
Syloti_Nagri Old_Persian Kharoshthi Balinese Cuneiform Phoenician Phags_Pa Nko Sundanese Lepcha Ol_Chiki Vai Saurashtra
Kayah_Li Rejang Lycian Carian Lydian Cham Tai_Tham Tai_Viet Avestan Egyptian_Hieroglyphs Samaritan Lisu Bamum Javanese
Meetei_Mayek Imperial_Aramaic Old_South_Arabian Inscriptional_Parthian Inscriptional_Pahlavi Old_Turkic Kaithi Batak
Brahmi Mandaic Chakma Adlam
""".split()


def runs(value_of: Callable[[int], int]) -> Iterable[int]:
    """The first scalar of every run of one value in the upper 24 bits, the value in the lower 8."""
    last = None
    for scalar in SCALARS:
        value = value_of(scalar)
        if value != last:
            yield scalar << 8 | value
            last = value


def members(pattern: str) -> set[int]:
    """All scalars of version 16 that match a pattern of `regex`."""
    compiled = regex.compile(pattern)
    return {c for c in SCALARS if unicodedata.category(chr(c)) != "Cn" and compiled.match(chr(c))}


def categories() -> Iterable[int]:
    alphabetic = members(r"\p{Alphabetic}")
    return runs(lambda c: CATEGORIES.index(unicodedata.category(chr(c))) | (32 if c in alphabetic else 0))


def scripts() -> Iterable[int]:
    found = {}
    for index, name in enumerate(SCRIPTS):
        found.update(dict.fromkeys(members(rf"\p{{Script={name}}}"), index + 1))
    return runs(lambda c: found.get(c, 0))


def foldings() -> Iterable[int]:
    for scalar in SCALARS:
        folded = chr(scalar).casefold()
        if 0xD800 <= scalar < 0xE000 or folded == chr(scalar):
            continue
        if len(folded) == 1:
            yield scalar
            yield ord(folded)
        elif len(chr(scalar).lower()) == 1 and chr(scalar).lower() != chr(scalar):
            yield scalar
            yield ord(chr(scalar).lower())


def write(path: str, name: str, comment: str, numbers: Iterable[int]) -> None:
    lines, line = [], ""
    for number in numbers:
        text = f"0x{number:X},"
        if len(line) + len(text) + 1 > 100:
            lines.append(line)
            line = ""
        line += (" " if line else "") + text
    lines.append(line)
    body = "\n".join("        " + line for line in lines)
    documentation = "\n".join(f"/// {part}" for part in comment.splitlines())
    (SOURCES / path).write_text(
        "// SPDX-License-Identifier: Apache-2.0\n"
        f"// Made by make_unicode_tables.py from Unicode {unicodedata.unidata_version} data.\n\n"
        f"{documentation}\nenum {name} {{\n    static let table: [UInt32] = [\n{body}\n    ]\n}}\n"
    )


def main() -> None:
    write(
        "Unicode/GeneralCategoryRuns.swift",
        "GeneralCategoryRuns",
        "Runs of scalars of one general category, in order and without gaps: the first scalar in the upper 24\n"
        "bits, the raw value of ``GeneralCategory`` in the lower 5, bit 5 for the property Alphabetic.",
        categories(),
    )
    write(
        "Unicode/ScriptRuns.swift",
        "ScriptRuns",
        "Runs of scalars of one script, in order and without gaps: the first scalar in the upper 24 bits, one\n"
        "more than the position in ``ScalarProperty/scripts`` in the lower 8, or 0 for any other script.",
        scripts(),
    )
    write(
        "Unicode/CaseFoldings.swift",
        "CaseFoldings",
        "Simple case folding: pairs of a scalar and the one it folds to, ordered by the first.",
        foldings(),
    )


main()
