# SPDX-License-Identifier: Apache-2.0
"""Builds container files byte by byte, from Formats/tandem-file.md alone.

Independent of the Swift writer and of the decoder beside it (which only lends its checksum). Elements are placed one by
one by the formulas of "Matrix layouts". Same input, same bytes.
"""

import json
import struct

import lz4.block

from tandem_file import xxh64

CODES = {"f32": 0, "n16k1.f32": 16, "n16k4.i8": 17, "n16k4.i4": 18, "n16k4.i4z": 19}
BLOCK = 1 << 20


class Numbers:
    """A small deterministic generator."""

    def __init__(self, seed):
        self.state = seed

    def next(self, limit):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        return (self.state >> 33) % limit


# ---- Tensors -------------------------------------------------------------------------------------------------------


def rounded(format, value):
    """A number as a float of another size holds it."""
    return struct.unpack(format, struct.pack(format, value))[0]


def random_factor(numbers):
    return (1 + numbers.next(1023) / 1024) * 2.0 ** -(numbers.next(20) + 1)


class Scales:
    """f16 scales of one tensor, filled group by group."""

    def __init__(self, panels, kp, group, numbers):
        self.groups, self.group, self.numbers = kp // group, group, numbers
        self.factors = [0.0] * (panels * self.groups * 16)

    def begin(self, n, k):
        self.factor = rounded("<e", random_factor(self.numbers))
        self.factors[n // 16 * self.groups * 16 + k // self.group * 16 + n % 16] = self.factor

    def element(self, integer):
        return integer * self.factor

    def bytes(self):
        return struct.pack(f"<{len(self.factors)}e", *self.factors)


class Codes:
    """Row factors, scale codes and offset codes of one tensor, filled group by group."""

    def __init__(self, panels, kp, group, numbers):
        self.block, self.group, self.numbers = 128 + kp // group * 32, group, numbers
        self.data = bytearray(panels * self.block)

    def begin(self, n, k):
        start = n // 16 * self.block
        if k == 0:
            self.d, self.m = (rounded("<f", random_factor(self.numbers) * (1 + self.numbers.next(1 << 20) / (1 << 20)))
                              for _ in range(2))
            struct.pack_into("<f", self.data, start + n % 16 * 4, self.d)
            struct.pack_into("<f", self.data, start + 64 + n % 16 * 4, self.m)
        self.s, self.o = self.numbers.next(256), self.numbers.next(256) - 128
        at = start + 128 + k // self.group * 32 + n % 16
        struct.pack_into("<B", self.data, at, self.s)
        struct.pack_into("<b", self.data, at + 16, self.o)

    def element(self, integer):
        return rounded("<f", rounded("<f", integer * self.s * self.d) + rounded("<f", self.o * self.m))

    def bytes(self):
        return bytes(self.data)


def make_tensor(name, rows, columns, encoding, group, numbers):
    """A tensor dict with its bytes and the float values [rows][columns] they stand for."""
    panels = (rows + 15) // 16
    scales = b""
    if encoding in ("f32", "n16k1.f32"):
        group, kp = 0, columns
        values = [[(numbers.next(2001) - 1000) / 256 for _ in range(columns)] for _ in range(rows)]
        cells = [0.0] * (rows * columns if encoding == "f32" else panels * 16 * kp)
        for n in range(rows):
            for k in range(columns):
                at = n * columns + k if encoding == "f32" else n // 16 * 16 * kp + k * 16 + n % 16
                cells[at] = values[n][k]
        data = struct.pack(f"<{len(cells)}f", *cells)
    else:
        unit = 128 if group == 128 else 64
        kp = (columns + unit - 1) // unit * unit
        group = kp if group == "row" else group
        low, count = (-127, 255) if encoding == "n16k4.i8" else (-8, 16)
        data = bytearray(panels * 16 * kp) if encoding == "n16k4.i8" else bytearray(b"\x88" * (panels * 8 * kp))
        shifted = encoding == "n16k4.i4z"
        scales = Codes(panels, kp, group, numbers) if shifted else Scales(panels, kp, group, numbers)
        values = [[0.0] * columns for _ in range(rows)]
        for n in range(rows):
            for k in range(columns):
                if k % group == 0:
                    scales.begin(n, k)
                integer = low + numbers.next(count)
                values[n][k] = scales.element(integer)
                if encoding == "n16k4.i8":
                    data[n // 16 * 16 * kp + k // 4 * 64 + n % 16 * 4 + k % 4] = integer % 256
                else:
                    byte = n // 16 * 8 * kp + k // 8 * 64 + n % 16 * 4 + k % 4
                    shift = 0 if k % 8 < 4 else 4
                    data[byte] = data[byte] & ~(15 << shift) | (integer + 8) << shift
        scales = scales.bytes()
    return {"name": name, "rows": rows, "columns": columns, "encoding": encoding, "group_size": group,
            "data": bytes(data), "scales": scales, "values": values}


def model_tensors(role, model, encoding, group, numbers):
    hidden, ffn, vocabulary = model["hidden_size"], model["intermediate_size"], model["vocabulary_size"]
    queries = model["head_count"] * model["head_size"]
    keys = model["key_value_head_count"] * model["head_size"]

    def matrix(name, rows, columns):
        return make_tensor(f"{role}.{name}", rows, columns, encoding, group, numbers)

    def vector(name, length=hidden):
        return make_tensor(f"{role}.{name}", 1, length, "f32", 0, numbers)

    pre, post = model.get("norm_placement") != "post", model.get("norm_placement") in ("post", "pre_post")
    norm = {"head": (model["head_size"],) * 2, "row": (queries, keys)}.get(model.get("query_key_norm"))
    tensors = [matrix("embed", vocabulary, hidden)]
    for index, rope in enumerate(model.get("ropes", [])):
        for suffix in [""] + [".long"] * ("long_above" in rope):
            tensors.append(vector(f"ropes.{index}{suffix}", rope["rotary_size"] // 2))
    for layer in range(model["layer_count"]):
        part = f"layers.{layer}."
        tensors += [vector(part + "attn_norm")] if pre else []
        for name, rows in (("q", queries), ("k", keys), ("v", keys)):
            tensors.append(matrix(part + name, rows, hidden))
            tensors += [vector(f"{part}{name}_bias", rows)] if model.get("attention_bias") else []
        tensors += [vector(part + "q_norm", norm[0]), vector(part + "k_norm", norm[1])] if norm else []
        tensors.append(matrix(part + "o", hidden, queries))
        tensors += [vector(part + "o_bias")] if model.get("output_bias") else []
        tensors += [vector(part + "attn_post_norm")] if post else []
        tensors += [vector(part + "mlp_norm")] if pre else []
        for name, rows, columns in (("gate", ffn, hidden), ("up", ffn, hidden), ("down", hidden, ffn)):
            tensors.append(matrix(part + name, rows, columns))
            tensors += [vector(f"{part}{name}_bias", rows)] if model.get("mlp_bias") else []
        tensors += [vector(part + "mlp_post_norm")] if post else []
    tensors.append(vector("norm"))
    if not model["tied_embeddings"]:
        tensors.append(matrix("head", vocabulary, hidden))
    return tensors


# ---- Files ---------------------------------------------------------------------------------------------------------


def lz4_blocks(raw):
    stored = b""
    for start in range(0, len(raw), BLOCK):
        block = raw[start : start + BLOCK]
        packed = lz4.block.compress(block, store_size=False)
        if len(packed) < len(block):
            stored += struct.pack("<I", len(packed)) + packed
        else:
            stored += struct.pack("<I", len(block) | 1 << 31) + block
    return stored


def plane_blocks(raw):
    """The codec planes+lz4: a bit of every byte after another, each plane compressed where that is shorter."""
    stored = b""
    for start in range(0, len(raw), BLOCK):
        block = raw[start : start + BLOCK]
        payload = plane_payload(block)
        if len(payload) < len(block):
            stored += struct.pack("<I", len(payload)) + payload
        else:
            stored += struct.pack("<I", len(block) | 1 << 31) + block
    return stored


def plane_payload(block):
    size = len(block) // 8
    folded = [byte ^ 0x7F if byte >= 128 else byte for byte in block[: 8 * size]]
    words, bodies = b"", b""
    for plane in range(8):
        bits = bytearray(size)
        for index, byte in enumerate(folded):
            bits[index // 8] |= (byte >> plane & 1) << index % 8
        packed = lz4.block.compress(bytes(bits), store_size=False)
        if len(packed) < size:
            words += struct.pack("<I", len(packed))
            bodies += packed
        else:
            words += struct.pack("<I", size | 1 << 31)
            bodies += bits
    return words + bodies + block[8 * size :]


CODECS = {"raw": (0, bytes), "lz4": (1, lz4_blocks), "planes+lz4": (2, plane_blocks)}


def build(spec, patch=None, order=("string_table", "chunk_table", "tensor_table", "manifest"), tables_first=False,
          header_size=192, chunk_record=64, tensor_record=96):
    """The bytes of a file. `patch` replaces fields, named as in the specification, before checksums are computed."""
    patch = dict(patch or {})
    strings = bytearray()

    def intern(name):
        strings.extend(name if isinstance(name, bytes) else name.encode("ascii"))
        return len(strings)

    chunk_records, tensor_records, bodies = [], [], []
    for index, chunk in enumerate(spec["chunks"]):
        raw, first = bytearray(chunk.get("raw", b"")), len(tensor_records)
        for tensor in chunk.get("tensors", []):
            raw += bytes(-len(raw) % 64)
            data_offset = len(raw)
            raw += tensor["data"]
            scales_offset = 0
            if tensor["scales"]:
                raw += bytes(-len(raw) % 64)
                scales_offset = len(raw)
                raw += tensor["scales"]
            start = len(strings)
            end = intern(tensor["name"])
            tensor_records.append({
                "name_offset": start, "name_length": end - start, "encoding": CODES[tensor["encoding"]],
                "chunk": index, "rows": tensor["rows"], "columns": tensor["columns"], "data_offset": data_offset,
                "data_length": len(tensor["data"]), "scales_offset": scales_offset,
                "scales_length": len(tensor["scales"]), "group_size": tensor["group_size"], "flags": 0,
                "reserved": bytes(tensor_record - 72)})
        raw = bytes(raw)
        codec, encode = CODECS[chunk["codec"]]
        stored = encode(raw)
        stored = chunk.get("change", lambda bytes: bytes)(stored)
        start = len(strings)
        end = intern(chunk["name"])
        bodies.append((stored, 16384 if chunk["codec"] == "raw" and chunk.get("tensors") else 64))
        chunk_records.append({
            "name_offset": start, "name_length": end - start, "offset": 0, "stored_length": len(stored),
            "raw_length": len(raw), "checksum": xxh64(stored), "codec": codec, "flags": 0,
            "first_tensor": first, "tensor_count": len(chunk.get("tensors", [])),
            "reserved": bytes(chunk_record - 56)})
    manifest = spec["manifest"]
    if not isinstance(manifest, bytes):
        manifest = json.dumps(manifest, ensure_ascii=False, separators=(",", ":")).encode("utf-8")

    features = spec.get("features", 0) | (2 if any(record["encoding"] >= 19 for record in tensor_records) else 0)
    features |= 4 if any(record["codec"] == 2 for record in chunk_records) else 0
    header = {
        "version_major": 1, "version_minor": 1 if features else 0, "header_size": header_size,
        "required_features": features,
        "optional_features": 0, "chunk_record_size": chunk_record, "tensor_record_size": tensor_record,
        "chunk_count": len(chunk_records), "tensor_count": len(tensor_records),
        "reserved": bytes(header_size - 8 - 152)}
    sizes = {"string_table": len(strings), "chunk_table": len(chunk_records) * chunk_record,
             "tensor_table": len(tensor_records) * tensor_record, "manifest": len(manifest)}

    position, places = header_size, {}

    def place(size, alignment):
        nonlocal position
        position += -position % alignment
        position += size
        return position - size

    def place_sections():
        for name in order:
            places[name] = place(sizes[name], 64)

    if tables_first:
        place_sections()
    for record, (stored, alignment) in zip(chunk_records, bodies):
        record["offset"] = place(len(stored), alignment)
    chunk_places = [record["offset"] for record in chunk_records]
    if not tables_first:
        place_sections()
    header["file_size"] = position

    for kind, records in (("chunks", chunk_records), ("tensors", tensor_records)):
        for index, record in enumerate(records):
            for field in record:
                record[field] = patch.pop(f"{kind}[{index}].{field}", record[field])
    chunk_table = b"".join(
        struct.pack("<IIQQQQIIII", *list(record.values())[:10]) + record["reserved"] for record in chunk_records)
    tensor_table = b"".join(
        struct.pack("<IIIIQQQQQQII", *list(record.values())[:12]) + record["reserved"] for record in tensor_records)
    contents = {"string_table": bytes(strings), "chunk_table": chunk_table, "tensor_table": tensor_table,
                "manifest": manifest}
    for name, content in contents.items():
        header[f"{name}_offset"], header[f"{name}_length"] = places[name], len(content)
        header[f"{name}_checksum"] = xxh64(content)
    for field in header:
        header[field] = patch.pop(f"header.{field}", header[field])
    assert not patch, patch

    sections = [header[f"{name}_{part}"] for name in ("manifest", "chunk_table", "tensor_table", "string_table")
                for part in ("offset", "length", "checksum")]
    head = b"\x89TNDM\r\n\x1a" + struct.pack(
        "<HHIQQQ12QIIII", header["version_major"], header["version_minor"], header["header_size"],
        header["file_size"], header["required_features"], header["optional_features"], *sections,
        header["chunk_record_size"], header["tensor_record_size"], header["chunk_count"], header["tensor_count"])
    head += header["reserved"]
    output = bytearray(position)
    output[0:header_size] = head + struct.pack("<Q", xxh64(head))
    for at, (stored, _) in zip(chunk_places, bodies):
        output[at : at + len(stored)] = stored
    for name, content in contents.items():
        output[places[name] : places[name] + len(content)] = content
    return bytes(output)


# ---- Models --------------------------------------------------------------------------------------------------------


def configuration(**changes):
    model = {"family": "llama", "vocabulary_size": 17, "hidden_size": 12, "layer_count": 1, "head_count": 2,
             "key_value_head_count": 1, "head_size": 4, "intermediate_size": 20, "max_positions": 64,
             "norm_epsilon": 1e-05, "rope_base": 10000.0, "tied_embeddings": True}
    model.update(changes)
    return model


# Two architectures that differ from version 1.0 in everything, and from each other.
ROPES = [{"rotary_size": 4}, {"rotary_size": 2, "attention_factor": 1.125, "long_above": 32}]
AROUND = dict(family="gemma3", norm_placement="pre_post", query_key_norm="head", activation="gelu_tanh",
              attention_scale=0.25, attention_softcap=50.0, logit_softcap=30.0, embedding_scale=3.5, layer_count=3,
              ropes=ROPES, layer_ropes=[1, None, 0], layer_windows=[5, 0, 64])
AFTER = dict(family="olmo2", norm_placement="post", query_key_norm="row", attention_bias=True, output_bias=True,
             mlp_bias=True, residual_scale=0.22, logit_scale=0.125, layer_count=2, layer_ropes=[0, None],
             tied_embeddings=False)

TINY = dict(vocabulary_size=4, hidden_size=4, head_count=1, head_size=2, intermediate_size=4)


def single(encoding, group, codec="lz4", tokenizer=True, seed=1, features=0, **changes):
    model = configuration(**changes)
    chunks = [{"name": "primary", "codec": codec,
               "tensors": model_tensors("primary", model, encoding, group, Numbers(seed))}]
    manifest = {"kind": "single", "models": {"primary": model}}
    if tokenizer:
        chunks.insert(0, {"name": "tokenizer", "codec": "raw", "raw": b'{"model": {"type": "BPE"}}'})
        manifest["tokenizer"] = {"chunk": 0, "bos": 1, "eos": [2, 3], "add_bos": True,
                                 "chat_template": "{{ messages[0]['content'] }} \u00e9\u2603"}
    return {"features": features, "chunks": chunks, "manifest": manifest}


def double(kind, primary, secondary, tied=False, codec="lz4", **changes):
    numbers = Numbers(7)
    large = configuration(layer_count=2, tied_embeddings=tied, **changes)
    small = configuration(**{"hidden_size": 8, "head_size": 2, "intermediate_size": 10, "tied_embeddings": tied,
                             **changes})
    chunks = [{"name": "secondary", "codec": codec, "tensors": model_tensors("secondary", small, *secondary, numbers)}]
    manifest = {"kind": kind, "models": {"primary": large, "secondary": small}}
    if kind == "tandem":
        projection = make_tensor("tandem.projections.0", small["hidden_size"], large["hidden_size"], *primary, numbers)
        chunks.append({"name": "tandem", "codec": codec, "tensors": [projection]})
        manifest["tandem"] = {"layer_map": [1], "block_length": 2}
    chunks.append({"name": "primary", "codec": codec, "tensors": model_tensors("primary", large, *primary, numbers)})
    return {"chunks": chunks, "manifest": manifest}


def drafting(router=True, vocabulary=True):
    """A tandem with what makes drafting cheaper."""
    spec, numbers = double("tandem", ("n16k4.i8", 64), ("n16k4.i8", 32), tied=True, **TINY), Numbers(11)
    entry, tensors, units, top, width = {}, [], 3, 2, TINY["hidden_size"]
    if router:
        entry["router"] = {"top_count": top, "hidden_size": units}
        tensors.append(make_tensor("drafting.router.hidden", units, 1 + top + top * width, "n16k1.f32", 0, numbers))
        for name, count in (("hidden_bias", units), ("sampled", units), ("sampled_bias", 1), ("greedy", units),
                            ("greedy_bias", 1)):
            tensors.append(make_tensor(f"drafting.router.{name}", 1, count, "f32", 0, numbers))
    if vocabulary:
        entry["vocabulary_size"] = 3
        tokens = make_tensor("drafting.tokens", 1, 3, "f32", 0, numbers)
        tokens.update(data=struct.pack("<3f", 0, 1, 3), values=[[0.0, 1.0, 3.0]])
        tensors += [tokens, make_tensor("drafting.head", 3, width, "n16k4.i8", 32, numbers)]
    spec["manifest"]["drafting"] = entry
    if tensors:
        spec["chunks"].insert(2, {"name": "drafting", "codec": "lz4", "tensors": tensors})
    return spec


def architecture_tandem():
    """Vocabularies of different sizes, and another architecture in each model."""
    numbers = Numbers(9)
    large = configuration(vocabulary_size=23, **{**AROUND, "layer_count": 1, "layer_ropes": [1], "layer_windows": [9]})
    small = configuration(**{**AFTER, "hidden_size": 8, "layer_count": 1, "layer_ropes": []})
    projection = make_tensor("tandem.projections.0", 8, 12, "n16k4.i8", 32, numbers)
    return {"features": 1, "chunks": [
        {"name": "secondary", "codec": "lz4", "tensors": model_tensors("secondary", small, "n16k4.i8", 64, numbers)},
        {"name": "tandem", "codec": "lz4", "tensors": [projection]},
        {"name": "primary", "codec": "lz4", "tensors": model_tensors("primary", large, "n16k4.i4", 32, numbers)}],
        "manifest": {"kind": "tandem", "models": {"primary": large, "secondary": small},
                     "tandem": {"layer_map": [1], "block_length": 3}}}
