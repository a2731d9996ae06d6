#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A second decoder for .tandem files, written from Formats/tandem-file.md for clarity, not speed.

    python3 tandem_file.py FILE                   list chunks and tensors
    python3 tandem_file.py FILE --verify          also check every chunk's checksum and contents
    python3 tandem_file.py FILE --json            the same as one JSON object
    python3 tandem_file.py FILE --dump NAME       one tensor as text, a row per line

Needs numpy, and lz4 for files with lz4 chunks. Exit code 1 and one line on stderr for a file that breaks the rules.
"""

import argparse
import json
import math
import re
import struct
import sys

import numpy

MAGIC = b"\x89TNDM\r\n\x1a"
HEADER_SIZE, CHUNK_RECORD_SIZE, TENSOR_RECORD_SIZE = 192, 64, 96
MAX_RECORDS, MAX_TEXT, MAX_DIMENSION = 65536, 16 << 20, 1 << 24
BLOCK = 1 << 20
CODECS = {0: "raw", 1: "lz4", 2: "planes+lz4"}
ENCODINGS = {0: "f32", 16: "n16k1.f32", 17: "n16k4.i8", 18: "n16k4.i4", 19: "n16k4.i4z"}
MINOR, ARCHITECTURE, ASYMMETRIC, PLANES = 1, 1, 2, 4  # the minor version described here; bits of required_features
CHOICES = {"norm_placement": ("pre", "post", "pre_post"), "query_key_norm": ("none", "head", "row"),
           "activation": ("silu", "gelu_tanh")}
LAYER_PARTS = ("attn_norm", "q", "q_bias", "k", "k_bias", "v", "v_bias", "q_norm", "k_norm", "o", "o_bias",
               "attn_post_norm", "mlp_norm", "gate", "gate_bias", "up", "up_bias", "down", "down_bias", "mlp_post_norm")
FLAGS = ("attention_bias", "output_bias", "mlp_bias")
FACTORS = {"attention_scale": None, "attention_softcap": None, "logit_softcap": None, "embedding_scale": 1,
           "residual_scale": 1, "logit_scale": 1}


class TandemError(Exception):
    """What is wrong (`code`, see the specification's table of checks), with which `field`, at which `offset`."""

    def __init__(self, code, field, offset, reason):
        super().__init__(f"{code}: {field} at offset {offset}: {reason}")
        self.code, self.field, self.offset, self.reason = code, field, offset, reason


def xxh64(data, seed=0):
    """XXH64 of some bytes."""
    mask = (1 << 64) - 1
    p1, p2, p3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
    p4, p5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5

    def rotate(value, count):
        return (value << count | value >> (64 - count)) & mask

    def mix(lane, word):
        return rotate((lane + word * p2) & mask, 31) * p1 & mask

    data = bytes(data)
    size = len(data)
    position = size & ~31
    if size >= 32:
        a, b, c, d = (seed + p1 + p2) & mask, (seed + p2) & mask, seed, (seed - p1) & mask
        for w, x, y, z in struct.iter_unpack("<4Q", data[:position]):
            a, b, c, d = mix(a, w), mix(b, x), mix(c, y), mix(d, z)
        value = (rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18)) & mask
        for lane in (a, b, c, d):
            value = ((value ^ mix(0, lane)) * p1 + p4) & mask
    else:
        value = (seed + p5) & mask
    value = (value + size) & mask
    while position + 8 <= size:
        (word,) = struct.unpack_from("<Q", data, position)
        value = (rotate(value ^ mix(0, word), 27) * p1 + p4) & mask
        position += 8
    if position + 4 <= size:
        (word,) = struct.unpack_from("<I", data, position)
        value = (rotate(value ^ word * p1 & mask, 23) * p2 + p3) & mask
        position += 4
    for byte in data[position:]:
        value = rotate(value ^ byte * p5 & mask, 11) * p1 & mask
    value = (value ^ value >> 33) * p2 & mask
    value = (value ^ value >> 29) * p3 & mask
    return value ^ value >> 32


# ---- Shapes and encodings ("Matrix layouts") -----------------------------------------------------------------------


def padded_columns(encoding, columns, group):
    """Kp: columns as stored."""
    if encoding in ("f32", "n16k1.f32"):
        return columns
    unit = 128 if group == 128 else 64
    return -(-columns // unit) * unit


def layout(encoding, rows, columns, group):
    """(data_length, scales_length) of a tensor, or raises ValueError(member, reason)."""
    if not 1 <= rows <= MAX_DIMENSION:
        raise ValueError("rows", f"{rows} is outside 1...{MAX_DIMENSION}")
    if not 1 <= columns <= MAX_DIMENSION:
        raise ValueError("columns", f"{columns} is outside 1...{MAX_DIMENSION}")
    panels, kp = -(-rows // 16), padded_columns(encoding, columns, group)
    if encoding in ("f32", "n16k1.f32"):
        if group != 0:
            raise ValueError("group_size", f"{group} must be 0")
        return (rows if encoding == "f32" else 16 * panels) * columns * 4, 0
    if group not in (32, 64, 128, kp):
        raise ValueError("group_size", f"{group} is not 32, 64, 128 or {kp}")
    factors = 128 if encoding == "n16k4.i4z" else 0
    return panels * kp * (16 if encoding == "n16k4.i8" else 8), panels * (factors + 32 * (kp // group))


def decode_tensor(encoding, rows, columns, group, data, scales):
    """The tensor as a float32 array [rows, columns]."""
    if encoding == "f32":
        return numpy.frombuffer(data, "<f4").reshape(rows, columns)
    panels, kp = -(-rows // 16), padded_columns(encoding, columns, group)
    if encoding == "n16k1.f32":
        values = numpy.frombuffer(data, "<f4").reshape(panels, kp, 16).transpose(0, 2, 1)
        return values.reshape(panels * 16, kp)[:rows, :columns]
    if encoding == "n16k4.i8":
        # [panel, k / 4, row, k % 4] -> [panel, row, k / 4, k % 4]
        values = numpy.frombuffer(data, "i1").reshape(panels, kp // 4, 16, 4).transpose(0, 2, 1, 3)
    else:
        pairs = numpy.frombuffer(data, "u1").reshape(panels, kp // 8, 16, 4)
        # [panel, k / 8, row, half, k % 4] -> [panel, row, k / 8, half, k % 4]
        halves = numpy.stack([pairs & 15, pairs >> 4], axis=3)
        values = halves.transpose(0, 2, 1, 3, 4).astype("i1") - 8
    values = values.reshape(panels * 16, kp).astype("f4")
    if encoding == "n16k4.i4z":
        return apply_codes(values, group, scales)[:rows, :columns]
    factors = numpy.frombuffer(scales, "<f2").astype("f4").reshape(panels, kp // group, 16).transpose(0, 2, 1)
    return (values * factors.reshape(panels * 16, kp // group).repeat(group, axis=1))[:rows, :columns]


def apply_codes(values, group, scales):
    """Elements of `n16k4.i4z` [rows, kp] from the 4-bit values; products and sum round to float32."""
    panels, groups = len(values) // 16, values.shape[1] // group
    blocks = numpy.frombuffer(scales, "u1").reshape(panels, 128 + 32 * groups)
    # [panel, factor, row] -> [factor, row]; [panel, group, code, row] -> [code, row, group]
    factors = blocks[:, :128].copy().view("<f4").reshape(panels, 2, 16).transpose(1, 0, 2).reshape(2, panels * 16, 1)
    codes = blocks[:, 128:].reshape(panels, groups, 2, 16).transpose(2, 0, 3, 1).reshape(2, panels * 16, groups)
    s = codes[0].astype("f4").repeat(group, axis=1)
    o = codes[1].astype("i1").astype("f4").repeat(group, axis=1)
    return (values * s) * factors[0] + o * factors[1]


# ---- The file ------------------------------------------------------------------------------------------------------


class TandemFile:
    """A checked file: `header`, `manifest`, `chunks`, `tensors` (lists of dicts), and their contents."""

    def __init__(self, data):
        self.data = data
        self.trusted = False  # whether chunks are read unchecked: for large files that `tandem verify` has checked
        self.header = self._read_header()
        self.strings = self._section("string_table")
        chunk_table = self._section("chunk_table")
        tensor_table = self._section("tensor_table")
        text = self._section("manifest")
        self.manifest = read_manifest(text, self.header["manifest"][0], self.header["required"])
        self.chunks = self._read_chunks(chunk_table)
        self._check_overlaps()
        self.tensors = self._read_tensors(tensor_table)
        self._check_model()

    @classmethod
    def open(cls, path):
        with open(path, "rb") as file:
            return cls(file.read())

    # Header

    def _read_header(self):
        data, size = self.data, len(self.data)
        if size == 0:
            raise TandemError("empty", "", 0, "the file has no bytes")
        if bytes(data[:8]) != MAGIC[:size]:
            raise TandemError("not-tandem", "header.magic", 0, "wrong magic")
        if size < HEADER_SIZE:
            raise TandemError("truncated", "header.file_size", 0, f"{size} bytes, a header has {HEADER_SIZE}")
        major, minor, header_size, file_size, required, _ = struct.unpack_from("<HHIQQQ", data, 8)
        if major != 1:
            raise TandemError("version", "header.version_major", 8, f"version {major}.{minor}")
        if not 192 <= header_size <= 4096 or header_size % 8:
            raise TandemError("invalid", "header.header_size", 12, f"{header_size}")
        if size < header_size:
            raise TandemError("truncated", "header.file_size", 0, f"{size} bytes, the header has {header_size}")
        (checksum,) = struct.unpack_from("<Q", data, header_size - 8)
        if checksum != xxh64(data[: header_size - 8]):
            raise TandemError("checksum", "header", header_size - 8, "the file is damaged")
        if required & ~(ARCHITECTURE | ASYMMETRIC | PLANES):
            raise TandemError("features", "header.required_features", 24, f"{required:#x}")
        if file_size >= 1 << 63:
            raise TandemError("invalid", "header.file_size", 16, f"{file_size} is larger than any file")
        if file_size > size:
            raise TandemError("truncated", "header.file_size", 16, f"{file_size} expected, {size} present")
        if file_size < size:
            raise TandemError("invalid", "header.file_size", 16, f"{file_size}, but there are {size} bytes")
        if minor <= MINOR and any(data[152 : header_size - 8]):
            raise TandemError("invalid", "header.reserved", 152, "not zero")
        header = {"minor": minor, "size": header_size, "file_size": file_size, "required": required}

        for kind, at, least in (("chunk", 136, CHUNK_RECORD_SIZE), ("tensor", 140, TENSOR_RECORD_SIZE)):
            (value,) = struct.unpack_from("<I", data, at)
            if value < least or value > 4096 or value % 8 or (minor <= MINOR and value != least):
                raise TandemError("invalid", f"header.{kind}_record_size", at, f"{value}")
            header[f"{kind}_record_size"] = value
        for kind, at in (("chunk", 144), ("tensor", 148)):
            (value,) = struct.unpack_from("<I", data, at)
            if value > MAX_RECORDS:
                raise TandemError("invalid", f"header.{kind}_count", at, f"{value} is above {MAX_RECORDS}")
            header[f"{kind}_count"] = value

        chunk_bytes = header["chunk_count"] * header["chunk_record_size"]
        tensor_bytes = header["tensor_count"] * header["tensor_record_size"]
        for name, at, low, high in (
            ("manifest", 40, 2, MAX_TEXT),
            ("string_table", 112, 0, MAX_TEXT),
            ("chunk_table", 64, chunk_bytes, chunk_bytes),
            ("tensor_table", 88, tensor_bytes, tensor_bytes),
        ):
            offset, length, checksum = struct.unpack_from("<QQQ", data, at)
            if offset >= 1 << 63:
                raise TandemError("invalid", f"header.{name}_offset", at, f"{offset} is larger than any file")
            if not low <= length <= high:
                raise TandemError("invalid", f"header.{name}_length", at + 8, f"{length} is outside {low}...{high}")
            if offset < header_size or offset % 64 or offset + length > file_size:
                raise TandemError("invalid", f"header.{name}_offset", at, f"{length} bytes at {offset}")
            header[name] = (offset, length, checksum)
        return header

    def _section(self, name):
        offset, length, checksum = self.header[name]
        data = self.data[offset : offset + length]
        if xxh64(data) != checksum:
            raise TandemError("checksum", name, offset, "the file is damaged")
        return data

    # Tables

    def _name(self, offset, length, field, at):
        if offset + length > len(self.strings):
            raise TandemError("invalid", f"{field}.name_offset", at, "outside of the string table")
        name = self.strings[offset : offset + length]
        if not 1 <= length <= 255 or not all(0x21 <= byte <= 0x7E for byte in name):
            raise TandemError("invalid", f"{field}.name", at, "not 1...255 printable ASCII characters")
        return bytes(name).decode("ascii")

    def _read_chunks(self, table):
        chunks, names, tensors = [], set(), 0
        stride, file_size = self.header["chunk_record_size"], self.header["file_size"]
        for index in range(self.header["chunk_count"]):
            field, base = f"chunks[{index}]", index * stride
            at = self.header["chunk_table"][0] + base

            def fail(member, where, reason):
                raise TandemError("invalid", f"{field}.{member}", at + where, reason)

            (name_offset, name_length, offset, stored, raw, checksum, codec, flags, first, count) = struct.unpack_from(
                "<IIQQQQIIII", table, base)
            name = self._name(name_offset, name_length, field, at)
            if name in names:
                fail("name", 0, f"'{name}' is used twice")
            names.add(name)
            if codec not in CODECS:
                fail("codec", 40, f"{codec} is unknown")
            if codec == 2 and not self.header["required"] & PLANES:
                fail("codec", 40, "needs bit 2 of required_features")
            if flags:
                fail("flags", 44, f"{flags} must be 0")
            if self.header["minor"] <= MINOR and any(table[base + 56 : base + 64]):
                fail("reserved", 56, "not zero")
            if first != tensors:
                fail("first_tensor", 48, f"{first} must be {tensors}")
            if first + count > self.header["tensor_count"]:
                fail("tensor_count", 52, f"{count} from {first} are too many")
            tensors = first + count
            for member, where, value in (("offset", 8, offset), ("stored_length", 16, stored), ("raw_length", 24, raw)):
                if value >= 1 << 63:
                    fail(member, where, f"{value} is larger than any file")
            if stored < 1 or offset < self.header["size"] or offset + stored > file_size:
                fail("offset", 8, f"{stored} bytes at {offset} do not fit")
            if offset % (16384 if codec == 0 and count else 64):
                fail("offset", 8, f"{offset} is not aligned")
            if codec == 0:
                possible = raw == stored
            else:
                possible = raw >= 1 and raw // 255 <= stored <= raw + 4 * -(-raw // BLOCK)
            if not possible:
                fail("raw_length", 24, f"{raw} is not possible for {stored} stored bytes")
            chunks.append({
                "name": name, "offset": offset, "stored_length": stored, "raw_length": raw, "checksum": checksum,
                "codec": CODECS[codec], "first_tensor": first, "tensor_count": count})
        if tensors != self.header["tensor_count"]:
            raise TandemError("invalid", "header.tensor_count", 148, f"the chunks hold {tensors}")
        return chunks

    def _check_overlaps(self):
        regions = [(0, self.header["size"], "header")]
        for name in ("manifest", "chunk_table", "tensor_table", "string_table"):
            offset, length, _ = self.header[name]
            regions.append((offset, offset + length, name))
        for index, chunk in enumerate(self.chunks):
            regions.append((chunk["offset"], chunk["offset"] + chunk["stored_length"], f"chunks[{index}]"))
        regions = sorted(region for region in regions if region[0] < region[1])
        for before, after in zip(regions, regions[1:]):
            if after[0] < before[1]:
                raise TandemError("invalid", f"{after[2]}.offset", after[0], f"overlaps {before[2]}")

    def _read_tensors(self, table):
        tensors, names = [], set()
        stride = self.header["tensor_record_size"]
        for chunk_index, chunk in enumerate(self.chunks):
            cursor = 0
            for index in range(chunk["first_tensor"], chunk["first_tensor"] + chunk["tensor_count"]):
                field, base = f"tensors[{index}]", index * stride
                at = self.header["tensor_table"][0] + base

                def fail(member, where, reason):
                    raise TandemError("invalid", f"{field}.{member}", at + where, reason)

                (name_offset, name_length, encoding, owner, rows, columns, data_offset, data_length, scales_offset,
                 scales_length, group, flags) = struct.unpack_from("<IIIIQQQQQQII", table, base)
                name = self._name(name_offset, name_length, field, at)
                if owner != chunk_index:
                    fail("chunk", 12, f"{owner}, but chunk {chunk_index} lists this tensor")
                if flags:
                    fail("flags", 68, f"{flags} must be 0")
                if self.header["minor"] <= MINOR and any(table[base + 72 : base + 96]):
                    fail("reserved", 72, "not zero")
                if encoding not in ENCODINGS:
                    fail("encoding", 8, f"{encoding} is unknown")
                if encoding >= 19 and not self.header["required"] & ASYMMETRIC:
                    fail("encoding", 8, f"{encoding}, but the header does not announce the feature")
                try:
                    expected = layout(ENCODINGS[encoding], rows, columns, group)
                except ValueError as error:
                    fail(error.args[0], {"rows": 16, "columns": 24}.get(error.args[0], 64), error.args[1])
                for part, where, offset, length, wanted in (
                    ("data", 32, data_offset, data_length, expected[0]),
                    ("scales", 48, scales_offset, scales_length, expected[1]),
                ):
                    if length != wanted:
                        fail(f"{part}_length", where + 8, f"{length}, the shape needs {wanted}")
                    if offset % 64 or offset + length > chunk["raw_length"]:
                        fail(f"{part}_offset", where, f"{length} bytes at {offset}")
                if data_offset < cursor:
                    fail("data_offset", 32, "overlaps the tensor before")
                data_end = data_offset + data_length
                if (scales_offset != 0) if scales_length == 0 else (scales_offset < data_end):
                    fail("scales_offset", 48, "overlaps the data, or is not 0 without scales")
                cursor = max(data_end, scales_offset + scales_length)
                if name in names:
                    fail("name", 0, f"'{name}' is used twice")
                names.add(name)
                tensors.append({
                    "name": name, "encoding": ENCODINGS[encoding], "chunk": chunk_index, "rows": rows,
                    "columns": columns, "group_size": group, "data_offset": data_offset, "data_length": data_length,
                    "scales_offset": scales_offset, "scales_length": scales_length})
        return tensors

    def _check_model(self):
        manifest, offset = self.manifest, self.header["manifest"][0]
        tokenizer = manifest.get("tokenizer")
        if tokenizer is not None:
            index = int(tokenizer["chunk"])
            if not 0 <= index < len(self.chunks) or self.chunks[index]["tensor_count"]:
                raise TandemError("invalid", "manifest.tokenizer.chunk", offset, f"{index} is not a blob chunk")
        by_name = {tensor["name"]: tensor for tensor in self.tensors}
        for name, rows, columns, kind in required_tensors(manifest):
            tensor = by_name.get(name)
            if tensor is None:
                raise TandemError("missing-tensor", name, self.header["tensor_table"][0], "the models need it")
            if (tensor["rows"], tensor["columns"]) != (rows, columns):
                raise TandemError("invalid", f"tensors[{name}].shape", 0, f"must be [{rows}, {columns}]")
            encoding = tensor["encoding"]
            if (kind == "vector") != (encoding == "f32") or (kind == "floats" and encoding != "n16k1.f32"):
                raise TandemError("invalid", f"tensors[{name}].encoding", 0, encoding)

    # Contents

    def stored(self, index):
        chunk = self.chunks[index]
        return self.data[chunk["offset"] : chunk["offset"] + chunk["stored_length"]]

    def chunk_bytes(self, index):
        """A chunk's raw bytes, after checking its checksum (unless `trusted`)."""
        chunk, stored = self.chunks[index], self.stored(index)
        if not self.trusted and xxh64(stored) != chunk["checksum"]:
            raise TandemError("checksum", f"chunks[{chunk['name']}]", chunk["offset"], "the file is damaged")
        if chunk["codec"] == "raw":
            return stored
        return decode_blocks(stored, chunk)

    def verify(self):
        for index in range(len(self.chunks)):
            self.chunk_bytes(index)

    def tensor(self, name):
        """One tensor as a float32 array [rows, columns]."""
        info = next(tensor for tensor in self.tensors if tensor["name"] == name)
        raw = self.chunk_bytes(info["chunk"])
        data = raw[info["data_offset"] : info["data_offset"] + info["data_length"]]
        scales = raw[info["scales_offset"] : info["scales_offset"] + info["scales_length"]]
        return decode_tensor(info["encoding"], info["rows"], info["columns"], info["group_size"], data, scales)


def decode_blocks(stored, chunk):
    """The codecs lz4 and planes+lz4: blocks of 1 MiB, each after its length."""
    output, cursor, total = bytearray(), 0, chunk["raw_length"]
    blocks = []

    def fail(reason):
        raise TandemError("corrupt-block", chunk["name"], chunk["offset"] + cursor, reason)

    for start in range(0, total, BLOCK):
        raw = min(BLOCK, total - start)
        if cursor + 4 > len(stored):
            fail("the chunk ends before this block")
        (word,) = struct.unpack_from("<I", stored, cursor)
        length, plain = word & 0x7FFFFFFF, word >> 31
        if (length != raw) if plain else not 1 <= length < raw:
            fail(f"stored length {length} is not possible")
        if cursor + 4 + length > len(stored):
            fail("the block runs past the end of the chunk")
        blocks.append((plain, bytes(stored[cursor + 4 : cursor + 4 + length]), raw))
        cursor += 4 + length
    if cursor != len(stored):
        fail("bytes follow the last block")
    for plain, block, raw in blocks:
        if not plain:
            try:
                block = (decode_lz4 if chunk["codec"] == "lz4" else decode_planes)(block, raw)
            except ValueError as error:
                fail(str(error))
        output += block
    return bytes(output)


def decode_lz4(block, length):
    """An LZ4 block of exactly `length` bytes; ValueError when it is not."""
    import lz4.block

    try:
        decoded = lz4.block.decompress(block, uncompressed_size=length)
    except lz4.block.LZ4BlockError as error:
        raise ValueError(str(error)) from error
    if len(decoded) != length:
        raise ValueError(f"decodes to {len(decoded)} bytes, not {length}")
    return decoded


def decode_planes(block, length):
    """The payload of a block of the codec planes+lz4, which holds `length` bytes; ValueError when it does not."""
    size = length // 8
    if len(block) < 32 or size == 0:
        raise ValueError("too short for bit planes")
    cursor, planes = 32, []
    for word in struct.unpack_from("<8I", block):
        stored, plain = word & 0x7FFFFFFF, word >> 31
        if (stored != size) if plain else not 1 <= stored < size:
            raise ValueError(f"length {stored} is not possible for a plane of {size} bytes")
        plane = block[cursor : cursor + stored]
        if len(plane) < stored:
            raise ValueError("a plane runs past the end")
        planes.append(plane if plain else decode_lz4(plane, size))
        cursor += stored
    if len(block) - cursor != length - 8 * size:
        raise ValueError("wrong number of bytes behind the planes")
    # bits[p, i]: bit p of byte i.
    bits = numpy.unpackbits(numpy.frombuffer(b"".join(planes), numpy.uint8).reshape(8, size), axis=1, bitorder="little")
    folded = numpy.packbits(bits, axis=0, bitorder="little")[0]
    return numpy.where(folded >= 128, folded ^ 0x7F, folded).astype(numpy.uint8).tobytes() + block[cursor:]


# ---- Manifest ------------------------------------------------------------------------------------------------------


def read_manifest(text, offset, features=0):
    """The manifest, checked; `features` are the header's required features."""

    def fail(field, reason):
        raise TandemError("invalid", field, offset, reason)

    def unique(pairs):
        if len({key for key, _ in pairs}) != len(pairs):
            raise ValueError("a member is named twice")
        return dict(pairs)

    def finite(text):
        if math.isinf(float(text)):
            raise ValueError("a number is out of range")
        return float(text)

    def constant(name):
        raise ValueError(f"{name} is not JSON")

    def depth(value):
        if isinstance(value, dict):
            return 1 + max(map(depth, value.values()), default=0)
        if isinstance(value, list):
            return 1 + max(map(depth, value), default=0)
        return 0

    try:
        if text[:3] == b"\xef\xbb\xbf":
            raise ValueError("starts with a byte order mark")
        root = json.loads(bytes(text).decode("utf-8"), object_pairs_hook=unique, parse_float=finite,
                          parse_constant=constant)
        if depth(root) > 64:
            raise ValueError("nested too deeply")
        json.dumps(root, ensure_ascii=False).encode("utf-8")  # refuses lone surrogates
    except (ValueError, RecursionError) as error:
        fail("manifest", str(error))
    if not isinstance(root, dict):
        fail("manifest", "not an object")

    def member(owner, path, key, kinds, what, optional=False):
        value = owner.get(key)
        if value is None:
            if optional:
                return None
            fail(f"{path}.{key}", "is missing")
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            fail(f"{path}.{key}", f"is not {what}")
        return value

    def integral(value):
        return isinstance(value, (int, float)) and not isinstance(value, bool) and value == int(value)

    def integer(owner, path, key, low, high, optional=False):
        value = member(owner, path, key, (int, float), "an integer", optional)
        if value is None:
            return None
        if not integral(value):
            fail(f"{path}.{key}", "is not an integer")
        if not low <= value <= high:
            fail(f"{path}.{key}", f"{value} is outside {low}...{high}")
        return int(value)

    def array(owner, path, key, limit, optional=False):
        values = member(owner, path, key, (list,), "an array", optional) or []
        if len(values) > limit:
            fail(f"{path}.{key}", f"{len(values)} entries, the limit is {limit}")
        return values

    def integers(owner, path, key, limit, optional=False, nulls=False):
        values = array(owner, path, key, limit, optional)
        for index, value in enumerate(values):
            if not integral(value) and not (nulls and value is None):
                fail(f"{path}.{key}[{index}]", "is not an integer")
        return [None if value is None else int(value) for value in values]

    def factor(owner, path, key):
        value = member(owner, path, key, (int, float), "a number", optional=True)
        if value is None:
            return None
        with numpy.errstate(over="ignore"):
            value = numpy.float32(value)
        if not numpy.float32(1) / numpy.float32(1e6) <= value <= 1e6:
            fail(f"{path}.{key}", f"{value} is outside 1e-6...1e6")
        return value

    def per_layer(values, path, key, layers):
        if len(values) not in (0, layers):
            fail(f"{path}.{key}", f"{len(values)} entries, the model has {layers} layers")

    def architecture(owner, path, sizes):
        """The first member that version 1.0 does not have and that has another value than its default."""
        used = []
        for key, names in CHOICES.items():
            value = member(owner, path, key, (str,), "a string", optional=True) or names[0]
            if value not in names:
                fail(f"{path}.{key}", f"'{value}' is not one of {', '.join(names)}")
            used += [key] if value != names[0] else []
        for key in FLAGS:
            used += [key] if member(owner, path, key, (bool,), "true or false", optional=True) else []
        for key, default in FACTORS.items():
            value = factor(owner, path, key)
            used += [key] if value is not None and value != default else []
        ropes = array(owner, path, "ropes", 16, optional=True)
        for index, rope in enumerate(ropes):
            at = f"{path}.ropes[{index}]"
            if not isinstance(rope, dict):
                fail(at, "is not an object")
            if integer(rope, at, "rotary_size", 2, sizes["head_size"]) % 2:
                fail(f"{at}.rotary_size", "is odd")
            factor(rope, at, "attention_factor")
            integer(rope, at, "long_above", 1, 1 << 24, optional=True)
        layer_ropes = integers(owner, path, "layer_ropes", 1024, optional=True, nulls=True)
        per_layer(layer_ropes, path, "layer_ropes", sizes["layer_count"])
        for index, rope in enumerate(layer_ropes):
            if rope is not None and not 0 <= rope < max(1, len(ropes)):
                fail(f"{path}.layer_ropes[{index}]", f"{rope} is no entry of ropes")
        windows = integers(owner, path, "layer_windows", 1024, optional=True)
        per_layer(windows, path, "layer_windows", sizes["layer_count"])
        for index, window in enumerate(windows):
            if not 0 <= window <= 1 << 24:
                fail(f"{path}.layer_windows[{index}]", f"{window} is outside 0...2^24")
        used += [key for key, value in (("ropes", ropes), ("layer_ropes", layer_ropes), ("layer_windows", windows))
                 if value]
        return used[0] if used else None

    def model(owner, role):
        path = f"manifest.models.{role}"
        family = member(owner, path, "family", (str,), "a string")
        if not re.fullmatch(r"[a-z0-9_.-]{1,64}", family, re.ASCII):
            fail(f"{path}.family", f"'{family}' is not 1...64 lower-case letters, digits, '_', '-' and '.'")
        limits = {
            "vocabulary_size": 1 << 24, "hidden_size": 1 << 20, "layer_count": 1024, "head_count": 4096,
            "key_value_head_count": 4096, "head_size": 4096, "intermediate_size": 1 << 22, "max_positions": 1 << 24}
        sizes = {key: integer(owner, path, key, 1, high) for key, high in limits.items()}
        with numpy.errstate(over="ignore"):
            epsilon = numpy.float32(member(owner, path, "norm_epsilon", (int, float), "a number"))
            base = numpy.float32(member(owner, path, "rope_base", (int, float), "a number"))
        sizes["tied_embeddings"] = member(owner, path, "tied_embeddings", (bool,), "true or false")
        if sizes["head_count"] % sizes["key_value_head_count"]:
            fail(f"{path}.key_value_head_count", "does not divide head_count")
        if sizes["head_size"] % 2 or sizes["head_count"] * sizes["head_size"] > 1 << 20:
            fail(f"{path}.head_size", "is odd, or head_count * head_size is above 2^20")
        if not 0 < epsilon < 1:
            fail(f"{path}.norm_epsilon", f"{epsilon}")
        if not 1 <= base <= numpy.float32(1e12):
            fail(f"{path}.rope_base", f"{base}")
        changed = architecture(owner, path, sizes)
        sizes["unlike_1.0"] = f"{path}.family" if family != "llama" else changed and f"{path}.{changed}"
        return sizes

    kind = member(root, "manifest", "kind", (str,), "a string")
    if kind not in ("single", "pair", "tandem"):
        fail("manifest.kind", f"'{kind}'")
    models = member(root, "manifest", "models", (dict,), "an object")
    tandem = member(root, "manifest", "tandem", (dict,), "an object", optional=True)
    primary = model(member(models, "manifest.models", "primary", (dict,), "an object"), "primary")
    secondary = member(models, "manifest.models", "secondary", (dict,), "an object", optional=True)
    if secondary is not None:
        secondary = model(secondary, "secondary")
    if tandem is not None:
        layer_map = integers(tandem, "manifest.tandem", "layer_map", 1024)
        integer(tandem, "manifest.tandem", "block_length", 1, 64)
    drafting = member(root, "manifest", "drafting", (dict,), "an object", optional=True)
    if drafting is not None:
        router = member(drafting, "manifest.drafting", "router", (dict,), "an object", optional=True)
        any_integer = (-(1 << 63), (1 << 63) - 1)
        counts = {"router.top_count": (32, router and integer(router, "manifest.drafting.router", "top_count", *any_integer)),
                  "router.hidden_size": (1024, router and integer(router, "manifest.drafting.router", "hidden_size", *any_integer)),
                  "vocabulary_size": (1 << 24, integer(drafting, "manifest.drafting", "vocabulary_size", *any_integer, optional=True))}
    tokenizer = member(root, "manifest", "tokenizer", (dict,), "an object", optional=True)
    vocabulary = primary["vocabulary_size"]
    if tokenizer is not None:
        path = "manifest.tokenizer"
        integer(tokenizer, path, "chunk", -(1 << 63), (1 << 63) - 1)
        bos = integer(tokenizer, path, "bos", -(1 << 63), (1 << 63) - 1, optional=True)
        eos = integers(tokenizer, path, "eos", 64)
        add_bos = member(tokenizer, path, "add_bos", (bool,), "true or false")
        member(tokenizer, path, "chat_template", (str,), "a string", optional=True)
    for key in ("quantization", "generation", "provenance"):
        member(root, "manifest", key, (dict,), "an object", optional=True)

    if tandem is not None:
        if not secondary:
            fail("manifest.tandem", "present, but there is no secondary model")
        if len(layer_map) != secondary["layer_count"]:
            fail("manifest.tandem.layer_map", f"{len(layer_map)} entries")
        for index, tap in enumerate(layer_map):
            if not 0 <= tap <= primary["layer_count"]:
                fail(f"manifest.tandem.layer_map[{index}]", f"{tap}")
    if drafting is not None:
        if not secondary:
            fail("manifest.drafting", "present, but there is no secondary model")
        shared = min(vocabulary, secondary["vocabulary_size"])
        for name, (limit, value) in counts.items():
            limit = limit if name == "router.hidden_size" else min(limit, shared)
            if value is not None and not 1 <= value <= limit:
                fail(f"manifest.drafting.{name}", f"{value} is outside 1...{limit}")
    if tokenizer is not None:
        if not 0 <= tokenizer["chunk"] < MAX_RECORDS:
            fail("manifest.tokenizer.chunk", "is not a chunk index")
        if bos is not None and not 0 <= bos < vocabulary:
            fail("manifest.tokenizer.bos", f"{bos} is outside the vocabulary")
        for index, token in enumerate(eos):
            if not 0 <= token < vocabulary:
                fail(f"manifest.tokenizer.eos[{index}]", f"{token} is outside the vocabulary")
        if add_bos and bos is None:
            fail("manifest.tokenizer.add_bos", "true, but there is no bos token")
    actual = "tandem" if tandem is not None else "pair" if secondary else "single"
    if kind != actual:
        fail("manifest.kind", f"'{kind}', but the models present make it '{actual}'")
    unlike = [config["unlike_1.0"] for config in (primary, secondary) if config and config["unlike_1.0"]]
    if secondary and secondary["vocabulary_size"] != vocabulary:
        unlike.append("manifest.models.secondary.vocabulary_size")
    if unlike and not features & ARCHITECTURE:
        fail(unlike[0], "needs bit 0 of required_features")
    return root


def required_tensors(manifest):
    """(name, rows, columns, kind) of every tensor the models need; kind is `vector`, `matrix`, or `floats`: a matrix that
    must hold 32-bit floats."""
    models, result = manifest["models"], []
    primary, secondary = models["primary"], models.get("secondary")

    def add(role, model):
        hidden, ffn, vocabulary = model["hidden_size"], model["intermediate_size"], model["vocabulary_size"]
        queries = model["head_count"] * model["head_size"]
        keys = model["key_value_head_count"] * model["head_size"]
        placement = model.get("norm_placement") or "pre"
        norms = model.get("query_key_norm") or "none"
        attention, output, mlp = (bool(model.get(key)) for key in FLAGS)
        vectors = {
            "attn_norm": placement != "post" and hidden, "q_bias": attention and queries, "k_bias": attention and keys,
            "v_bias": attention and keys, "q_norm": {"none": 0, "head": model["head_size"], "row": queries}[norms],
            "k_norm": {"none": 0, "head": model["head_size"], "row": keys}[norms], "o_bias": output and hidden,
            "attn_post_norm": placement != "pre" and hidden, "mlp_norm": placement != "post" and hidden,
            "gate_bias": mlp and ffn, "up_bias": mlp and ffn, "down_bias": mlp and hidden,
            "mlp_post_norm": placement != "pre" and hidden}
        matrices = {
            "q": (queries, hidden), "k": (keys, hidden), "v": (keys, hidden), "o": (hidden, queries),
            "gate": (ffn, hidden), "up": (ffn, hidden), "down": (hidden, ffn)}
        result.append((f"{role}.embed", vocabulary, hidden, "matrix"))
        for index, rope in enumerate(model.get("ropes") or []):
            result.append((f"{role}.ropes.{index}", 1, int(rope["rotary_size"]) // 2, "vector"))
            if rope.get("long_above") is not None:
                result.append((f"{role}.ropes.{index}.long", 1, int(rope["rotary_size"]) // 2, "vector"))
        for layer in range(int(model["layer_count"])):
            for part in LAYER_PARTS:
                if part in matrices:
                    result.append((f"{role}.layers.{layer}.{part}", *matrices[part], "matrix"))
                elif vectors[part]:
                    result.append((f"{role}.layers.{layer}.{part}", 1, vectors[part], "vector"))
        result.append((f"{role}.norm", 1, hidden, "vector"))
        if not model["tied_embeddings"]:
            result.append((f"{role}.head", vocabulary, hidden, "matrix"))

    if secondary:
        add("secondary", secondary)
        if manifest.get("tandem"):
            for layer in range(int(secondary["layer_count"])):
                shape = (secondary["hidden_size"], primary["hidden_size"])
                result.append((f"tandem.projections.{layer}", *shape, "matrix"))
        drafting = manifest.get("drafting") or {}
        width = secondary["hidden_size"]
        if drafting.get("router"):
            units, top = (int(drafting["router"][key]) for key in ("hidden_size", "top_count"))
            result.append(("drafting.router.hidden", units, 1 + top + top * width, "floats"))
            result.append(("drafting.router.hidden_bias", 1, units, "vector"))
            for name in ("sampled", "greedy"):
                result.append((f"drafting.router.{name}", 1, units, "vector"))
                result.append((f"drafting.router.{name}_bias", 1, 1, "vector"))
        if drafting.get("vocabulary_size") is not None:
            count = int(drafting["vocabulary_size"])
            result.append(("drafting.tokens", 1, count, "vector"))
            result.append(("drafting.head", count, width, "matrix"))
    add("primary", primary)
    return result


# ---- Command line --------------------------------------------------------------------------------------------------


def main():
    parser = argparse.ArgumentParser(description="Reads a .tandem file.")
    parser.add_argument("file")
    parser.add_argument("--verify", action="store_true", help="check every chunk's checksum and contents")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--dump", metavar="NAME", help="print one tensor as text, a row per line")
    arguments = parser.parse_args()
    try:
        file = TandemFile.open(arguments.file)
        if arguments.verify:
            file.verify()
        if arguments.dump is not None:
            if not any(tensor["name"] == arguments.dump for tensor in file.tensors):
                sys.exit(f"{arguments.file}: there is no tensor '{arguments.dump}'")
            for row in file.tensor(arguments.dump):
                print(" ".join(str(value) for value in row))
        elif arguments.json:
            chunks = [dict(chunk, checksum=f"{chunk['checksum']:016x}") for chunk in file.chunks]
            print(json.dumps({
                "file_size": file.header["file_size"], "manifest": file.manifest, "chunks": chunks,
                "tensors": file.tensors}, indent=1))
        else:
            print(f"kind {file.manifest['kind']}, {len(file.chunks)} chunks, {len(file.tensors)} tensors, "
                  f"{file.header['file_size']} bytes")
            for index, chunk in enumerate(file.chunks):
                print(f"{chunk['offset']:>12} {chunk['stored_length']:>12} {chunk['codec']:4} {chunk['name']}")
                for tensor in file.tensors[chunk["first_tensor"] : chunk["first_tensor"] + chunk["tensor_count"]]:
                    shape = f"[{tensor['rows']}, {tensor['columns']}]"
                    print(f"{'':30} {tensor['name']} {tensor['encoding']} {shape} group {tensor['group_size']}")
    except (TandemError, OSError) as error:
        sys.exit(f"{arguments.file}: {error}")


if __name__ == "__main__":
    main()
