# SPDX-License-Identifier: Apache-2.0
"""Holds the decoder against the golden files: python3 -m pytest Formats/python"""

import csv
import os
import struct
import subprocess
import sys

import lz4
import numpy
import pytest

import make_golden
import tandem_file

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden")


def expected():
    with open(os.path.join(GOLDEN, "expected.tsv"), encoding="ascii", newline="") as file:
        return [tuple(row.values()) for row in csv.DictReader(file, delimiter="\t")]


@pytest.mark.parametrize("name,verdict,field", expected())
def test_verdict(name, verdict, field):
    path = os.path.join(GOLDEN, name)
    if verdict != "ok":
        with pytest.raises(tandem_file.TandemError) as caught:
            tandem_file.TandemFile.open(path).verify()
        assert (caught.value.code, caught.value.field) == (verdict, field)
        return
    file = tandem_file.TandemFile.open(path)
    file.verify()
    values = numpy.fromfile(path.removesuffix(".tandem") + ".values", "<f4")
    for tensor in file.tensors:
        size = tensor["rows"] * tensor["columns"]
        decoded = file.tensor(tensor["name"])
        assert decoded.dtype == numpy.float32 and decoded.shape == (tensor["rows"], tensor["columns"])
        assert numpy.array_equal(decoded.ravel(), values[:size]), tensor["name"]
        values = values[size:]
    assert len(values) == 0


@pytest.mark.skipif(lz4.library_version_string() != "1.9.4", reason="another LZ4 may compress to other bytes")
def test_golden_files_are_what_the_generator_makes(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["make_golden.py", str(tmp_path)])
    make_golden.main()
    assert (tmp_path / "expected.tsv").read_bytes() == open(os.path.join(GOLDEN, "expected.tsv"), "rb").read()
    for part in ("good", "bad"):
        names = sorted(os.listdir(tmp_path / part))
        assert names == sorted(os.listdir(os.path.join(GOLDEN, part)))
        for name in names:
            made = (tmp_path / part / name).read_bytes()
            assert made == open(os.path.join(GOLDEN, part, name), "rb").read(), name


@pytest.mark.parametrize("text,value", [
    (b"", 0xEF46DB3751D8E999), (b"a", 0xD24EC4F1A98C6E5B), (b"abc", 0x44BC2CF5AD770999),
    (b"Nobody inspects the spammish repetition", 0xFBCEA83C8A378BF1)])
def test_xxh64(text, value):
    assert tandem_file.xxh64(text) == value


def test_worked_example():
    """The example of the specification's section "Matrix layouts"."""
    data, scales = bytearray(b"\x88" * 2048), bytearray(256)
    data[1349] = 0x3A
    scales[162:164] = numpy.float16(0.5).tobytes()
    assert tandem_file.layout("n16k4.i4", 20, 70, 32) == (2048, 256)
    decoded = tandem_file.decode_tensor("n16k4.i4", 20, 70, 32, bytes(data), bytes(scales))
    assert decoded[17, 45] == -2.5
    scales = bytearray(512)
    struct.pack_into("<f", scales, 260, 0.0625)
    struct.pack_into("<f", scales, 324, 0.125)
    scales[417], scales[433] = 8, 0xFC
    assert tandem_file.layout("n16k4.i4z", 20, 70, 32) == (2048, 512)
    decoded = tandem_file.decode_tensor("n16k4.i4z", 20, 70, 32, bytes(data), bytes(scales))
    assert decoded[17, 45] == -3.0 and decoded[17, 44] == -0.5 and numpy.count_nonzero(decoded) == 32
    data, scales = bytearray(4096), bytearray(256)
    scales[162:164] = numpy.float16(0.5).tobytes()
    data[2757] = 0xFB
    assert tandem_file.layout("n16k4.i8", 20, 70, 32) == (4096, 256)
    decoded = tandem_file.decode_tensor("n16k4.i8", 20, 70, 32, bytes(data), bytes(scales))
    assert decoded[17, 45] == -2.5 and numpy.count_nonzero(decoded) == 1


def run(*arguments):
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tandem_file.py")
    return subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, check=False)


def test_command_line():
    good = os.path.join(GOLDEN, "good", "tandem.tandem")
    assert "tandem.projections.0" in run(good, "--verify").stdout
    assert '"kind": "tandem"' in run(good, "--json").stdout
    rows = run(good, "--dump", "tandem.projections.0").stdout.splitlines()
    assert len(rows) == 8 and all(len(row.split()) == 12 for row in rows)
    for name, verdict in (("bad/half-header.tandem", "truncated"), ("nowhere.tandem", "No such file")):
        result = run(os.path.join(GOLDEN, name))
        assert result.returncode == 1 and verdict in result.stderr and result.stderr.count("\n") == 1
