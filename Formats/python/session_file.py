#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A second decoder for session files, written from Formats/session-file.md for clarity, not speed.

    python3 session_file.py SESSION --model MODEL.tandem      check a file, and say what it holds

Needs numpy. Exit code 1 and one line on stderr for a file that breaks the rules.
"""

import argparse
import struct
import sys

import numpy
from tandem_file import TandemError, TandemFile, xxh64

MAGIC = b"\x89TNDS\r\n\x1a"
HEADER_SIZE = 192
LEADS = ("primary", "secondary")
CONTENTS = ("nothing", "derived", "own")
TYPES = ("f32", "f16", "int8")
BLOCK = 32


def row_bytes(kind, head_size):
    """Bytes of one position of one head."""
    if kind == "int8":
        return head_size + 2 * -(-head_size // BLOCK)
    return head_size * {"f32": 4, "f16": 2}[kind]


def numbers(kind, content, shape):
    """The numbers of a cache: floats of its type, for int8 the products of codes and scales as f32."""
    if kind != "int8":
        return numpy.frombuffer(content, dtype={"f32": "<f4", "f16": "<f2"}[kind]).reshape(shape)
    size = shape[-1]
    blocks = -(-size // BLOCK)
    rows = numpy.frombuffer(content, dtype=numpy.uint8).reshape(*shape[:-1], row_bytes(kind, size))
    scales = rows[..., : 2 * blocks].copy().view("<f2").astype(numpy.float32)
    codes = rows[..., 2 * blocks :].view(numpy.int8).astype(numpy.float32)
    return codes * numpy.repeat(scales, BLOCK, axis=-1)[..., :size]


class SessionFile:
    """A checked file.

    `tokens`; `primary` and `secondary`: None, or [layers, 2 (keys, values), heads, positions, head size]; `lead`,
    `content`.
    """

    def __init__(self, data, model):
        self.data = data
        self._read_header(model)
        end = HEADER_SIZE
        end = self._check_gap(end, self.sections["tokens"])
        self.tokens = self._read_tokens(model)
        end = self._check_gap(end, self.sections["primary_cache"])
        self._check_gap(end, self.sections["secondary_cache"])
        self.primary = self._read_cache("primary_cache", self.shapes["primary_cache"])
        self.secondary = self._read_cache("secondary_cache", self.shapes["secondary_cache"])

    @classmethod
    def open(cls, path, model_path):
        with open(path, "rb") as file:
            return cls(file.read(), TandemFile.open(model_path))

    def _read_header(self, model):
        data = self.data
        if data[:8] != MAGIC[: len(data)]:
            raise TandemError("not-session", "header.magic", 0, "wrong magic")
        if len(data) < HEADER_SIZE:
            raise TandemError("truncated", "header.file_size", 16, f"{len(data)} bytes")
        (major, minor, size, file_size, fingerprint, kind, lead, content, stage, count, positions) = struct.unpack_from(
            "<HHIQQIIIIQQ", data, 8)
        if major != 1 or minor > 1:
            raise TandemError("version", "header.version_major", 8, f"{major}.{minor}")
        (checksum,) = struct.unpack_from("<Q", data, HEADER_SIZE - 8)
        if checksum != xxh64(data[: HEADER_SIZE - 8]):
            raise TandemError("checksum", "header", HEADER_SIZE - 8, "stored and computed differ")

        def require(condition, field, offset, reason):
            if not condition:
                raise TandemError("invalid", f"header.{field}", offset, reason)

        require(size == HEADER_SIZE, "header_size", 12, f"{size}")
        require(not any(data[136:184]), "reserved", 136, "not 0")
        (length,) = struct.unpack_from("<I", model.data, 12)
        (own,) = struct.unpack_from("<Q", model.data, length - 8)
        if fingerprint != own:
            raise TandemError("model", "header.model", 24, "another model file")
        require(kind < (3 if minor else 2), "key_value_type", 32, f"{kind}")
        require(lead < 2, "lead", 36, f"{lead}")
        models = model.manifest["models"]
        ropes = [rope for one in models.values() for rope in one.get("ropes") or []]
        limits = {rope["long_above"] for rope in ropes if rope.get("long_above")}
        require(stage <= len(limits), "rope_stage", 44, f"{stage}")
        require(positions <= count, "secondary_positions", 56, f"{positions}")
        possible = {0: lead == 0, 1: lead == 0 and model.manifest["kind"] == "tandem",
                    2: "secondary" in models and (lead == 0 or positions == count)}
        require(possible.get(content, False), "secondary", 40, f"{content}")
        require(positions == {0: 0, 1: count, 2: positions}[content], "secondary_positions", 56, f"{positions}")
        self.type, self.lead, self.content, self.rope_stage = TYPES[kind], LEADS[lead], CONTENTS[content], stage
        self.count = count

        self.shapes = {"primary_cache": self._shape(models["primary"], count if lead == 0 else 0),
                       "secondary_cache": self._shape(models.get("secondary"), positions)}
        lengths = {"tokens": 4 * count}
        for name, shape in self.shapes.items():
            rows = int(numpy.prod(shape[:-1], dtype=object)) if shape else 0
            lengths[name] = rows * row_bytes(self.type, shape[-1]) if shape else 0
        self.sections = {}
        end = HEADER_SIZE
        for index, (name, length) in enumerate(lengths.items()):
            at = 64 + 24 * index
            offset, stored, checksum = struct.unpack_from("<QQQ", data, at)
            begin = -(-end // 64) * 64 if length else 0
            require(offset == begin, f"{name}_offset", at, f"{offset}")
            require(stored == length, f"{name}_length", at + 8, f"{stored}")
            require(length or not checksum, f"{name}_checksum", at + 16, f"{checksum}")
            self.sections[name] = (offset, length, checksum)
            end = begin + length if length else end
        require(file_size == end, "file_size", 16, f"{file_size}")
        if len(data) < end:
            raise TandemError("truncated", "header.file_size", 16, f"{len(data)} bytes of {end}")
        require(len(data) == end, "file_size", 16, f"{len(data)} bytes")

    @staticmethod
    def _shape(model, positions):
        if model is None or positions == 0:
            return None
        return (model["layer_count"], 2, model["key_value_head_count"], positions, model["head_size"])

    def _check_gap(self, end, section):
        offset, length, _ = section
        if not length:
            return end
        if any(self.data[end:offset]):
            raise TandemError("invalid", "padding", end, "not 0")
        return offset + length

    def _bytes(self, name):
        offset, length, checksum = self.sections[name]
        content = self.data[offset : offset + length]
        if length and xxh64(content) != checksum:
            raise TandemError("checksum", name, offset, "stored and computed differ")
        return content

    def _read_tokens(self, model):
        tokens = numpy.frombuffer(self._bytes("tokens"), dtype="<u4")
        sizes = [one["vocabulary_size"] for one in model.manifest["models"].values()]
        vocabulary = model.manifest["models"]["primary"]["vocabulary_size"] if self.lead == "primary" else min(sizes)
        for index in numpy.flatnonzero(tokens >= vocabulary)[:1]:
            raise TandemError("invalid", "tokens", self.sections["tokens"][0] + 4 * int(index), f"{tokens[index]}")
        return tokens.tolist()

    def _read_cache(self, name, shape):
        content = self._bytes(name)
        return numbers(self.type, content, shape) if shape else None


def main():
    parser = argparse.ArgumentParser(description="Check a session file, and say what it holds.")
    parser.add_argument("session")
    parser.add_argument("--model", required=True, help="the .tandem file it was saved with")
    arguments = parser.parse_args()
    try:
        file = SessionFile.open(arguments.session, arguments.model)
    except (TandemError, OSError) as error:
        sys.exit(f"error: {error}")
    print(f"{file.count} tokens, {file.lead} leads, {file.type} caches")
    for name in ("primary", "secondary"):
        cache = getattr(file, name)
        print(f"{name}: {'nothing' if cache is None else 'x'.join(map(str, cache.shape))}")


if __name__ == "__main__":
    main()
