#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes Formats/golden: good files with the values they hold, bad files with the verdict readers must reach.

    python3 make_golden.py [FOLDER]

The files are put together by golden_build.py.
"""

import copy
import json
import os
import shutil
import struct
import sys

import lz4.block

from golden_build import (AFTER, AROUND, BLOCK, ROPES, TINY, Numbers, architecture_tandem, build, double, drafting, lz4_blocks,
                          make_tensor, single)


def good_files():
    yield "single-f32", single("n16k1.f32", 0, tokenizer=False), {}
    for group in (32, 64, 128, "row"):
        yield f"single-i8-{group}", single("n16k4.i8", group, codec="raw" if group == 64 else "lz4"), {}
        yield f"single-i4-{group}", single("n16k4.i4", group, codec="raw" if group == 32 else "lz4"), {}
        yield f"single-i4z-{group}", single("n16k4.i4z", group, codec="raw" if group == 128 else "lz4"), {}
    yield "single-i4z-wide", single("n16k4.i4z", 32, hidden_size=70, vocabulary_size=33), {}
    yield "single-i4-row-wide", single("n16k4.i4", "row", hidden_size=70, vocabulary_size=33), {}
    yield "single-untied", single("n16k4.i8", 32, tied_embeddings=False), {}
    yield "pair", double("pair", ("n16k4.i8", 64), ("n16k1.f32", 0), tied=True), {}
    yield "tandem", double("tandem", ("n16k4.i8", 64), ("n16k4.i4", 32)), {}
    yield "architecture-around", single("n16k4.i8", 32, features=1, **AROUND), {}
    yield "architecture-after", single("n16k4.i4", 64, features=1, codec="raw", **AFTER), {}
    yield "architecture-tandem", architecture_tandem(), {}
    # Members with their defaults need no feature.
    yield "architecture-defaults", single(
        "n16k4.i8", 32, norm_placement="pre", query_key_norm="none", activation=None, attention_bias=False,
        attention_scale=None, embedding_scale=1, residual_scale=1.0, logit_scale=1, ropes=[], layer_ropes=None,
        layer_windows=[], **TINY), {}
    yield "architecture-announced-only", single("n16k4.i8", 32, features=1, **TINY), {}
    yield "tandem-raw", double("tandem", ("n16k4.i4", 64), ("n16k4.i4", 64), tied=True, codec="raw", **TINY), {}

    yield "drafting", drafting(), {}
    yield "drafting-router", drafting(vocabulary=False), {}
    yield "drafting-vocabulary", drafting(router=False), {}
    yield "drafting-nothing", drafting(router=False, vocabulary=False), {}

    blocks = single("n16k4.i8", 64, **TINY)
    numbers = Numbers(5)
    text = bytes(numbers.next(3) for _ in range(64)) * (BLOCK // 64)
    blocks["chunks"][0] = {"name": "tokenizer", "codec": "lz4",
                           "raw": text + bytes(numbers.next(256) for _ in range(300))}
    yield "lz4-blocks", blocks, {}
    for encoding, group in (("n16k4.i8", 32), ("n16k4.i8", "row"), ("n16k4.i4z", 32)):
        yield f"planes-{encoding[6:]}-{group}", single(encoding, group, codec="planes+lz4"), {}
    tail = single("n16k4.i8", 64, codec="raw", **TINY)
    tail["chunks"][0] = {"name": "tokenizer", "codec": "planes+lz4", "raw": b"[1, 2, 3]" * 80 + b"\xff\x80\x81"}
    yield "planes-tail", tail, {}

    future = single("n16k4.i8", 32, **TINY)
    future["manifest"].update({"router": {"kind": "mlp"}, "generation": {"temperature": 0.7}})
    future["manifest"]["models"]["primary"]["attention_bias"] = False
    future["chunks"][1]["tensors"].insert(3, make_tensor("router.up", 3, 5, "n16k1.f32", 0, numbers))
    yield "future-minor", future, {
        "patch": {"header.version_minor": 9, "header.optional_features": 0x8000000000000001,
                  "header.reserved": b"\1" * 72, "chunks[0].reserved": b"\2" * 24, "tensors[2].reserved": b"\3" * 32},
        "header_size": 232, "chunk_record": 80, "tensor_record": 104}

    yield "tables-first", single("n16k4.i4", 64, **TINY), {
        "tables_first": True, "order": ("manifest", "tensor_table", "string_table", "chunk_table")}
    numbers_as_floats = single("n16k4.i8", 64, **TINY)
    numbers_as_floats["manifest"]["models"]["primary"].update(layer_count=1.0, norm_epsilon=0.00001, rope_base=500000)
    numbers_as_floats["manifest"]["tokenizer"].update(bos=None, add_bos=False, chat_template=None, eos=[])
    yield "numbers-and-nulls", numbers_as_floats, {}


# ---- Bad files -----------------------------------------------------------------------------------------------------


def bad_files():
    """Yields (name, bytes, verdict, field)."""
    base = single("n16k4.i8", 32, **TINY)
    whole = build(base)
    header_size = 192

    def patched(name, field, value, verdict="invalid", reported=None, spec=base):
        return name, build(spec, {field: value}), verdict, reported or field

    def flipped(name, at, field):
        data = bytearray(whole)
        data[at] ^= 0x40
        return name, bytes(data), "checksum", field

    def section(name):
        at = {"manifest": 40, "chunk_table": 64, "tensor_table": 88, "string_table": 112}[name]
        return struct.unpack_from("<QQ", whole, at)

    # Not ours, or not whole.
    yield "empty", b"", "empty", ""
    yield "gguf", b"GGUF\3\0\0\0" + bytes(300), "not-tandem", "header.magic"
    yield "safetensors", struct.pack("<Q", 60) + b'{"a":{"dtype":"F32"}}' + bytes(300), "not-tandem", "header.magic"
    yield "zip", b"PK\3\4" + bytes(300), "not-tandem", "header.magic"
    yield "text", b"hello, this is no model\n", "not-tandem", "header.magic"
    yield "zeros", bytes(512), "not-tandem", "header.magic"
    yield "newline-conversion", whole.replace(b"\r\n", b"\n", 1), "not-tandem", "header.magic"
    yield "three-bytes", whole[:3], "truncated", "header.file_size"
    yield "half-header", whole[:100], "truncated", "header.file_size"
    yield "header-only", whole[:192], "truncated", "header.file_size"
    yield "last-byte-missing", whole[:-1], "truncated", "header.file_size"
    yield "trailing-byte", whole + b"\0", "invalid", "header.file_size"

    # Header.
    yield patched("major-2", "header.version_major", 2, "version")
    yield patched("major-0", "header.version_major", 0, "version")
    for name, size in (("small", 184), ("odd", 196), ("huge", 1 << 31)):
        data = bytearray(whole)
        data[12:16] = struct.pack("<I", size)
        yield f"header-size-{name}", bytes(data), "invalid", "header.header_size"
    yield flipped("header-bit", 150, "header")
    yield patched("required-feature", "header.required_features", 1 << 40, "features")
    yield patched("required-feature-next", "header.required_features", 1 << 3, "features")
    yield patched("file-size-huge", "header.file_size", 1 << 62, "truncated")
    yield patched("file-size-overflow", "header.file_size", 1 << 63)
    yield patched("header-reserved", "header.reserved", bytes(31) + b"\1")
    yield patched("chunk-record-size", "header.chunk_record_size", 72)
    yield patched("tensor-record-size", "header.tensor_record_size", 95)
    yield patched("chunk-count-limit", "header.chunk_count", 65537)
    yield patched("tensor-count-limit", "header.tensor_count", 0xFFFFFFFF)
    yield patched("chunk-count-more", "header.chunk_count", 3, reported="header.chunk_table_length")
    yield patched("tensor-count-less", "header.tensor_count", 1, reported="header.tensor_table_length")
    for name in ("manifest", "chunk_table", "tensor_table", "string_table"):
        field, offset = f"header.{name}_offset", section(name)[0]
        slug = name.replace("_", "-")
        yield patched(f"{slug}-misaligned", field, offset - 1)
        yield patched(f"{slug}-in-header", field, 128)
        yield patched(f"{slug}-outside", field, (len(whole) + 63) // 64 * 64)
        yield patched(f"{slug}-offset-overflow", field, (1 << 64) - 64)
        yield patched(f"{slug}-offset-wraps", field, (1 << 63) - 64)
        yield patched(f"{slug}-length-overflow", f"header.{name}_length", (1 << 64) - 1)
        yield flipped(f"{slug}-bit", offset + 5, name)
    yield patched("manifest-length-limit", "header.manifest_length", (16 << 20) + 1)
    yield patched("manifest-empty", "header.manifest_length", 0)
    yield patched("string-table-length-limit", "header.string_table_length", (16 << 20) + 1)

    # Manifest.
    text = json.dumps(base["manifest"]).encode()

    def document(name, content, field="manifest"):
        return f"manifest-{name}", build(dict(base, manifest=content)), "invalid", field

    yield document("not-json", b"kind: single")
    yield document("cut", text[:-1])
    yield document("trailing", text + b"x")
    yield document("byte-order-mark", b"\xef\xbb\xbf" + text)
    yield document("latin-1", text.replace(b'"single"', b'"single\xe9"'))
    yield document("lone-surrogate", text.replace(b'"single"', b'"\\ud800"'))
    yield document("duplicate", text.replace(b'{"kind"', b'{"kind": "single", "kind"'))
    yield document("nan", text.replace(b"1e-05", b"NaN"))
    yield document("infinite", text.replace(b"1e-05", b"1e999"))
    yield document("too-deep", text.replace(b'{"kind"', b'{"x": ' + b"[" * 70 + b"]" * 70 + b', "kind"'))
    yield document("very-deep", b"[" * 5000)
    yield document("array", b"[1, 2]")
    yield document("comment", text.replace(b'{"kind"', b'{/* */"kind"'))

    def changed(name, path, value, field=None, spec=base):
        spec = copy.deepcopy(spec)
        owner = spec["manifest"]
        for key in path[:-1]:
            owner = owner[key]
        if value is KeyError:
            del owner[path[-1]]
        else:
            owner[path[-1]] = value
        return f"manifest-{name}", build(spec), "invalid", field or "manifest." + ".".join(map(str, path))

    primary = ("models", "primary")
    yield changed("no-kind", ("kind",), KeyError)
    yield changed("kind-unknown", ("kind",), "triple")
    yield changed("kind-number", ("kind",), 1)
    yield changed("kind-wrong", ("kind",), "pair")
    yield changed("no-models", ("models",), KeyError)
    yield changed("models-list", ("models",), [])
    yield changed("no-primary", primary, KeyError)
    yield changed("family", primary + ("family",), "gpt-17")
    for key, limit in (("vocabulary_size", 1 << 24), ("hidden_size", 1 << 20), ("layer_count", 1024),
                       ("head_count", 4096), ("key_value_head_count", 4096), ("head_size", 4096),
                       ("intermediate_size", 1 << 22), ("max_positions", 1 << 24)):
        slug = key.replace("_", "-")
        yield changed(f"{slug}-missing", primary + (key,), KeyError)
        yield changed(f"{slug}-zero", primary + (key,), 0)
        yield changed(f"{slug}-limit", primary + (key,), limit + (2 if key == "head_size" else 1))
    yield changed("size-negative", primary + ("hidden_size",), -4)
    yield changed("size-fraction", primary + ("hidden_size",), 4.5)
    yield changed("size-huge", primary + ("hidden_size",), 1e300)
    yield changed("size-bignum", primary + ("hidden_size",), 1 << 70)
    yield changed("size-string", primary + ("hidden_size",), "4")
    yield changed("size-boolean", primary + ("hidden_size",), True)
    yield changed("key-value-heads", primary + ("key_value_head_count",), 2)
    yield changed("head-size-odd", primary + ("head_size",), 3)
    heads = copy.deepcopy(base)
    heads["manifest"]["models"]["primary"].update(head_count=4096, head_size=258)
    yield "manifest-heads-product", build(heads), "invalid", "manifest.models.primary.head_size"
    yield changed("epsilon-zero", primary + ("norm_epsilon",), 0)
    yield changed("epsilon-one", primary + ("norm_epsilon",), 1)
    yield changed("epsilon-rounds-to-zero", primary + ("norm_epsilon",), 1e-60)
    yield changed("epsilon-string", primary + ("norm_epsilon",), "1e-5")
    yield changed("rope-base-small", primary + ("rope_base",), 0.5)
    yield changed("rope-base-large", primary + ("rope_base",), 1e39)
    yield changed("tied-number", primary + ("tied_embeddings",), 1)
    yield changed("tokenizer-number", ("tokenizer",), 0)
    yield changed("tokenizer-chunk-missing", ("tokenizer", "chunk"), KeyError)
    yield changed("tokenizer-chunk-outside", ("tokenizer", "chunk"), 2)
    yield changed("tokenizer-chunk-negative", ("tokenizer", "chunk"), -1)
    yield changed("tokenizer-chunk-tensors", ("tokenizer", "chunk"), 1)
    yield changed("bos-outside", ("tokenizer", "bos"), 4)
    yield changed("eos-outside", ("tokenizer", "eos"), [1, -1], "manifest.tokenizer.eos[1]")
    yield changed("eos-string", ("tokenizer", "eos"), [1, "2"], "manifest.tokenizer.eos[1]")
    yield changed("eos-number", ("tokenizer", "eos"), 2)
    yield changed("eos-limit", ("tokenizer", "eos"), [1] * 65)
    yield changed("add-bos", ("tokenizer", "bos"), KeyError, "manifest.tokenizer.add_bos")
    yield changed("template-number", ("tokenizer", "chat_template"), 5)
    yield changed("provenance-list", ("provenance",), [])

    tandem = double("tandem", ("n16k4.i8", 32), ("n16k4.i8", 32), tied=True, **TINY)
    yield changed("vocabularies", ("models", "secondary", "vocabulary_size"), 5, spec=tandem)
    yield changed("secondary-empty", ("models", "secondary"), {}, "manifest.models.secondary.family", spec=tandem)
    yield changed("no-secondary", ("models", "secondary"), KeyError, "manifest.tandem", spec=tandem)
    yield changed("no-tandem", ("tandem",), KeyError, "manifest.kind", spec=tandem)
    yield changed("layer-map-short", ("tandem", "layer_map"), [], spec=tandem)
    yield changed("layer-map-outside", ("tandem", "layer_map"), [3], "manifest.tandem.layer_map[0]", spec=tandem)
    yield changed("layer-map-negative", ("tandem", "layer_map"), [-1], "manifest.tandem.layer_map[0]", spec=tandem)
    yield changed("layer-map-limit", ("tandem", "layer_map"), [1] * 1025, spec=tandem)
    yield changed("block-length-zero", ("tandem", "block_length"), 0, spec=tandem)
    yield changed("block-length-limit", ("tandem", "block_length"), 65, spec=tandem)

    # Drafting: sizes within the models, tensors that fit them.
    drafts = drafting()
    for name, path, value in (
        ("router-tokens-zero", ("router", "top_count"), 0), ("router-tokens-limit", ("router", "top_count"), 5),
        ("router-tokens-missing", ("router", "top_count"), KeyError),
        ("router-units-zero", ("router", "hidden_size"), 0), ("router-units-limit", ("router", "hidden_size"), 1025),
        ("vocabulary-zero", ("vocabulary_size",), 0), ("vocabulary-limit", ("vocabulary_size",), 5),
        ("vocabulary-string", ("vocabulary_size",), "3")):
        yield changed(f"drafting-{name}", ("drafting", *path), value, spec=drafts)
    yield changed("drafting-router-list", ("drafting", "router"), [], spec=drafts)
    alone = single("n16k4.i8", 32, **TINY)
    yield changed("drafting-alone", ("drafting",), {}, spec=alone)
    for name, index, verdict, field, change in (
        ("router-missing", 0, "missing-tensor", "drafting.router.hidden", {"name": "drafting.router.up"}),
        ("tokens-missing", 6, "missing-tensor", "drafting.tokens", {"name": "drafting.token"}),
        ("router-codes", 0, "invalid", "tensors[drafting.router.hidden].encoding",
         make_tensor("drafting.router.hidden", 3, 11, "n16k4.i8", 32, Numbers(2))),
        ("head-shape", 7, "invalid", "tensors[drafting.head].shape",
         make_tensor("drafting.head", 4, 4, "n16k4.i8", 32, Numbers(2)))):
        spec = copy.deepcopy(drafts)
        spec["chunks"][2]["tensors"][index].update(change)
        yield f"drafting-{name}", build(spec), verdict, field

    # Architectures: what they need must be announced, fit the model, and be there.
    around = single("n16k4.i8", 32, features=1, **{**TINY, **AROUND, "head_size": 4})
    after = single("n16k4.i8", 32, features=1, **{**TINY, **AFTER})
    quiet = {"family": "llama"}
    for name, change in (
        ("norm-placement", {"norm_placement": "post"}), ("query-key-norm", {"query_key_norm": "row"}),
        ("activation", {"activation": "gelu_tanh"}), ("attention-bias", {"attention_bias": True}),
        ("output-bias", {"output_bias": True}), ("mlp-bias", {"mlp_bias": True}),
        ("attention-scale", {"attention_scale": 1}), ("attention-softcap", {"attention_softcap": 1}),
        ("logit-softcap", {"logit_softcap": 1}), ("embedding-scale", {"embedding_scale": 2}),
        ("residual-scale", {"residual_scale": 0.5}), ("logit-scale", {"logit_scale": 0.5}),
        ("ropes", {"ropes": [{"rotary_size": 2}]}), ("layer-ropes", {"layer_ropes": [None]}),
        ("layer-windows", {"layer_windows": [4]})):
        spec = single("n16k4.i8", 32, **{**TINY, **quiet, **change})
        field = f"manifest.models.primary.{name.replace('-', '_')}"
        yield f"architecture-unannounced-{name}", build(spec), "invalid", field
    unannounced = double("pair", ("n16k4.i8", 32), ("n16k4.i8", 32), tied=True, **TINY)
    unannounced["manifest"]["models"]["secondary"]["logit_scale"] = 0.5
    yield ("architecture-unannounced-secondary", build(unannounced), "invalid",
           "manifest.models.secondary.logit_scale")
    for name, key, value, field in (
        ("family-case", "family", "Gemma3", None), ("family-empty", "family", "", None),
        ("family-long", "family", "x" * 65, None), ("family-number", "family", 3, None),
        ("placement", "norm_placement", "sandwich", None), ("placement-number", "norm_placement", 1, None),
        ("key-norm", "query_key_norm", "layer", None), ("activation", "activation", "relu", None),
        ("bias-number", "attention_bias", 1, None), ("bias-string", "mlp_bias", "false", None),
        ("output-bias", "output_bias", [], None),
        ("scale-zero", "attention_scale", 0, None), ("scale-negative", "attention_scale", -0.25, None),
        ("scale-string", "embedding_scale", "2", None), ("scale-huge", "embedding_scale", 1e39, None),
        ("softcap-zero", "attention_softcap", 0, None), ("softcap-tiny", "logit_softcap", 1e-7, None),
        ("residual-large", "residual_scale", 1e7, None), ("logit-scale-boolean", "logit_scale", True, None),
        ("ropes-object", "ropes", {}, None), ("ropes-entry", "ropes", [ROPES[0], 4], "ropes[1]"),
        ("ropes-limit", "ropes", [{"rotary_size": 2}] * 17, None),
        ("rotary-odd", "ropes", [{"rotary_size": 1}, ROPES[1]], "ropes[0].rotary_size"),
        ("rotary-large", "ropes", [{"rotary_size": 4}, {"rotary_size": 6}], "ropes[1].rotary_size"),
        ("rotary-missing", "ropes", [{}, ROPES[1]], "ropes[0].rotary_size"),
        ("rotary-fraction", "ropes", [{"rotary_size": 2.5}, ROPES[1]], "ropes[0].rotary_size"),
        ("rope-factor", "ropes", [{"rotary_size": 2, "attention_factor": 0}, ROPES[1]], "ropes[0].attention_factor"),
        ("rope-long", "ropes", [{"rotary_size": 2, "long_above": 0}, ROPES[1]], "ropes[0].long_above"),
        ("rope-long-limit", "ropes", [{"rotary_size": 2, "long_above": (1 << 24) + 1}], "ropes[0].long_above"),
        ("layer-ropes-short", "layer_ropes", [0], None), ("layer-ropes-long", "layer_ropes", [0] * 4, None),
        ("layer-ropes-limit", "layer_ropes", [0] * 1025, None),
        ("layer-ropes-outside", "layer_ropes", [0, 2, 0], "layer_ropes[1]"),
        ("layer-ropes-negative", "layer_ropes", [0, 0, -1], "layer_ropes[2]"),
        ("layer-ropes-string", "layer_ropes", ["0", 0, 0], "layer_ropes[0]"),
        ("layer-windows-short", "layer_windows", [0, 0], None), ("layer-windows-number", "layer_windows", 8, None),
        ("layer-windows-null", "layer_windows", [0, None, 0], "layer_windows[1]"),
        ("layer-windows-negative", "layer_windows", [0, -1, 0], "layer_windows[1]"),
        ("layer-windows-limit", "layer_windows", [(1 << 24) + 1, 0, 0], "layer_windows[0]")):
        spec = copy.deepcopy(around)
        spec["manifest"]["models"]["primary"][key] = value
        yield f"architecture-{name}", build(spec), "invalid", f"manifest.models.primary.{field or key}"

    def with_tensors(spec, change):
        spec = copy.deepcopy(spec)
        tensors = {tensor["name"]: tensor for tensor in spec["chunks"][1]["tensors"]}
        spec["chunks"][1]["tensors"] = [tensor for tensor in (change(tensor) for tensor in tensors.values()) if tensor]
        return build(spec)

    for spec, names in ((around, ("ropes.0", "ropes.1.long", "layers.2.q_norm", "layers.0.attn_post_norm",
                                  "layers.1.mlp_post_norm", "layers.1.mlp_norm")),
                        (after, ("layers.0.q_bias", "layers.1.k_bias", "layers.0.v_bias", "layers.0.o_bias",
                                 "layers.1.gate_bias", "layers.1.up_bias", "layers.0.down_bias", "layers.0.k_norm"))):
        for name in names:
            data = with_tensors(spec, lambda tensor, name=name: None if tensor["name"] == f"primary.{name}" else tensor)
            yield f"architecture-no-{name.replace('.', '-')}", data, "missing-tensor", f"primary.{name}"

    def replaced(label, spec, name, *shape, member):
        def change(tensor):
            return make_tensor(name, *shape, Numbers(1)) if tensor["name"] == name else tensor

        return f"architecture-{label}", with_tensors(spec, change), "invalid", f"tensors[{name}].{member}"

    yield replaced("rope-length", around, "primary.ropes.1", 1, 2, "f32", 0, member="shape")
    yield replaced("rope-panel", around, "primary.ropes.1", 1, 1, "n16k1.f32", 0, member="encoding")
    yield replaced("head-norm-length", around, "primary.layers.1.k_norm", 1, 2, "f32", 0, member="shape")
    yield replaced("row-norm-length", after, "primary.layers.1.k_norm", 1, 4, "f32", 0, member="shape")
    yield replaced("bias-panel", after, "primary.layers.0.down_bias", 1, 4, "n16k4.i8", 32, member="encoding")
    yield replaced("bias-column", after, "primary.layers.0.down_bias", 4, 1, "f32", 0, member="shape")

    # Chunk table. Chunk 0 is the tokenizer blob, chunk 1 holds the tensors with lz4.
    stored, raw_length = len(lz4_blocks_of(base["chunks"][1])), len(raw_of(base["chunks"][1]))
    yield patched("chunk-name-outside", "chunks[1].name_offset", 0xFFFFFFF0)
    yield patched("chunk-name-empty", "chunks[1].name_length", 0, reported="chunks[1].name")
    yield patched("chunk-name-long", "chunks[1].name_length", 256, reported="chunks[1].name_offset")
    yield patched("chunk-codec", "chunks[1].codec", 3)
    yield patched("chunk-codec-unannounced", "chunks[1].codec", 2, reported="chunks[1].codec")
    yield patched("chunk-flags", "chunks[1].flags", 1)
    yield patched("chunk-reserved", "chunks[0].reserved", bytes(7) + b"\1")
    yield patched("chunk-first-tensor", "chunks[1].first_tensor", 1)
    yield patched("chunk-tensor-count-more", "chunks[1].tensor_count", 12)
    yield patched("chunk-tensor-count-wraps", "chunks[1].tensor_count", 0xFFFFFFFF)
    yield patched("chunk-tensor-count-less", "chunks[1].tensor_count", 10, reported="header.tensor_count")
    yield patched("chunk-outside", "chunks[1].offset", len(whole) // 64 * 64)
    yield patched("chunk-in-header", "chunks[0].offset", 128)
    yield patched("chunk-offset-overflow", "chunks[1].offset", 1 << 63)
    yield patched("chunk-offset-wraps", "chunks[1].offset", (1 << 63) - 64)
    yield patched("chunk-misaligned", "chunks[0].offset", 200)
    yield patched("chunk-empty", "chunks[0].stored_length", 0, reported="chunks[0].offset")
    yield patched("chunk-stored-overflow", "chunks[0].stored_length", (1 << 64) - 1)
    yield patched("chunk-raw-length", "chunks[0].raw_length", 25)
    yield patched("chunk-bomb", "chunks[1].raw_length", 255 * stored + 255)
    yield patched("chunk-bomb-huge", "chunks[1].raw_length", (1 << 63) - 1)
    yield patched("chunk-raw-short", "chunks[1].raw_length", stored - 5)
    yield patched("chunk-raw-zero", "chunks[1].raw_length", 0)
    yield patched("chunk-overlaps-chunk", "chunks[1].offset", header_size)
    yield patched("chunk-overlaps-table", "chunks[0].offset", section("string_table")[0],
                  reported="string_table.offset")
    duplicate = copy.deepcopy(base)
    duplicate["chunks"][1]["name"] = "tokenizer"
    yield "chunk-name-twice", build(duplicate), "invalid", "chunks[1].name"
    accent = copy.deepcopy(base)
    accent["chunks"][1]["name"] = "primär".encode()
    yield "chunk-name-accent", build(accent), "invalid", "chunks[1].name"
    raw = single("n16k4.i8", 32, codec="raw", tokenizer=False, **TINY)
    yield patched("chunk-page-misaligned", "chunks[0].offset", 16384 - 64, spec=raw)

    # Tensor table. Tensor 0 is primary.embed, 1 a vector, 2 primary.layers.0.q.
    yield patched("tensor-name-outside", "tensors[2].name_offset", 1 << 20)
    yield patched("tensor-name-empty", "tensors[2].name_length", 0, reported="tensors[2].name")
    names = copy.deepcopy(base)
    names["chunks"][1]["tensors"][3]["name"] = "primary.layers.0.q"
    yield "tensor-name-twice", build(names), "invalid", "tensors[3].name"
    space = copy.deepcopy(base)
    space["chunks"][1]["tensors"][3]["name"] = "primary layers"
    yield "tensor-name-space", build(space), "invalid", "tensors[3].name"
    long = copy.deepcopy(base)
    long["chunks"][1]["tensors"].append(make_tensor("x" * 256, 1, 1, "f32", 0, Numbers(1)))
    yield "tensor-name-long", build(long), "invalid", "tensors[11].name"
    yield patched("tensor-chunk", "tensors[2].chunk", 0)
    yield patched("tensor-flags", "tensors[2].flags", 0x80000000)
    yield patched("tensor-reserved", "tensors[2].reserved", b"\1" + bytes(23))
    yield patched("tensor-encoding", "tensors[2].encoding", 1)
    codes = single("n16k4.i4z", 32, **TINY)
    yield patched("tensor-codes-unannounced", "header.required_features", 0, reported="tensors[0].encoding", spec=codes)
    yield patched("tensor-codes-encoding", "tensors[2].encoding", 20, spec=codes)
    yield patched("tensor-codes-factors", "tensors[2].scales_length", 64, spec=codes)
    yield patched("tensor-codes-as-scales", "tensors[2].encoding", 18, reported="tensors[2].scales_length", spec=codes)
    yield patched("tensor-codes-group", "tensors[2].group_size", 16, spec=codes)
    yield patched("tensor-rows-zero", "tensors[2].rows", 0)
    yield patched("tensor-rows-limit", "tensors[2].rows", (1 << 24) + 1)
    yield patched("tensor-rows-overflow", "tensors[2].rows", 1 << 63)
    yield patched("tensor-columns-zero", "tensors[2].columns", 0)
    yield patched("tensor-columns-huge", "tensors[2].columns", 1 << 60)
    yield patched("tensor-rows-more", "tensors[2].rows", 17, reported="tensors[2].data_length")
    yield patched("tensor-largest-shape", "tensors[2].rows", 1 << 24, reported="tensors[2].data_length")
    yield patched("tensor-group-zero", "tensors[2].group_size", 0)
    yield patched("tensor-group-48", "tensors[2].group_size", 48)
    yield patched("tensor-group-huge", "tensors[2].group_size", 0xFFFFFFFF)
    yield patched("tensor-group-other", "tensors[2].group_size", 64, reported="tensors[2].scales_length")
    yield patched("tensor-group-128", "tensors[2].group_size", 128, reported="tensors[2].data_length")
    yield patched("tensor-group-vector", "tensors[1].group_size", 64)
    yield patched("tensor-data-short", "tensors[2].data_length", 1023)
    yield patched("tensor-data-overflow", "tensors[2].data_length", (1 << 64) - 1)
    yield patched("tensor-data-misaligned", "tensors[10].data_offset", raw_length - 16 - 16)
    yield patched("tensor-data-outside", "tensors[10].data_offset", (raw_length + 63) // 64 * 64)
    yield patched("tensor-data-offset-overflow", "tensors[10].data_offset", (1 << 64) - 64)
    yield patched("tensor-data-offset-wraps", "tensors[10].data_offset", (1 << 63) - 64)
    yield patched("tensor-data-overlap", "tensors[2].data_offset", 0)
    yield patched("tensor-scales-short", "tensors[2].scales_length", 0)
    yield patched("tensor-scales-misaligned", "tensors[2].scales_offset", 2402)
    yield patched("tensor-scales-outside", "tensors[2].scales_offset", raw_length // 64 * 64)
    yield patched("tensor-scales-wraps", "tensors[2].scales_offset", (1 << 63) - 64)
    yield patched("tensor-scales-overlap", "tensors[2].scales_offset", 64)
    yield patched("tensor-scales-vector", "tensors[1].scales_offset", 64)
    yield patched("tensor-scales-vector-length", "tensors[1].scales_length", 64)

    # The tensors the models need.
    missing = copy.deepcopy(base)
    del missing["chunks"][1]["tensors"][6]
    yield "model-tensor-missing", build(missing), "missing-tensor", "primary.layers.0.mlp_norm"
    untied = copy.deepcopy(base)
    untied["manifest"]["models"]["primary"]["tied_embeddings"] = False
    yield "model-head-missing", build(untied), "missing-tensor", "primary.head"
    layers = copy.deepcopy(base)
    layers["manifest"]["models"]["primary"]["layer_count"] = 1024
    yield "model-layer-missing", build(layers), "missing-tensor", "primary.layers.1.attn_norm"
    projection = copy.deepcopy(tandem)
    projection["chunks"][1]["tensors"][0]["name"] = "tandem.projection.0"
    yield "model-projection-missing", build(projection), "missing-tensor", "tandem.projections.0"
    shape = copy.deepcopy(base)
    shape["manifest"]["models"]["primary"]["intermediate_size"] = 5
    yield "model-shape", build(shape), "invalid", "tensors[primary.layers.0.gate].shape"
    for name, index, encoding in (("vector-in-panels", 1, "n16k1.f32"), ("matrix-in-rows", 2, "f32")):
        encodings = copy.deepcopy(base)
        old = encodings["chunks"][1]["tensors"][index]
        encodings["chunks"][1]["tensors"][index] = make_tensor(
            old["name"], old["rows"], old["columns"], encoding, 0, Numbers(1))
        yield f"model-{name}", build(encodings), "invalid", f"tensors[{old['name']}].encoding"

    # Chunk contents.
    at = struct.unpack_from("<Q", whole, section("chunk_table")[0] + 8)[0]
    yield flipped("contents-blob-bit", at + 3, "chunks[tokenizer]")
    at = struct.unpack_from("<Q", whole, section("chunk_table")[0] + 64 + 8)[0]
    yield flipped("contents-lz4-bit", at + 30, "chunks[primary]")
    raw_whole = bytearray(build(raw))
    raw_whole[16384 + 77] ^= 1
    yield "contents-raw-bit", bytes(raw_whole), "checksum", "chunks[primary]"

    def contents(name, change):
        spec = copy.deepcopy(base)
        spec["chunks"][1]["change"] = change
        return f"lz4-{name}", build(spec), "corrupt-block", "primary"

    yield contents("length-zero", lambda stored: bytes(4) + stored[4:])
    yield contents("length-past-end", lambda stored: struct.pack("<I", len(stored)) + stored[4:])
    yield contents("length-too-long", lambda stored: struct.pack("<I", raw_length) + stored[4:])
    yield contents("plain-wrong-length", lambda stored: struct.pack("<I", (len(stored) - 4) | 1 << 31) + stored[4:])
    yield contents("trailing", lambda stored: stored + b"\0")
    yield contents("no-length", lambda stored: struct.pack("<I", len(stored) - 4 - 200) + stored[4:])
    yield contents("garbage", lambda stored: stored[:4] + b"\xff" * (len(stored) - 4))
    noise = lz4_blocks_of(base["chunks"][1])
    yield contents("decodes-short", lambda stored: decodes_short(noise))

    planes = single("n16k4.i8", 32, codec="planes+lz4", **TINY)
    length = len(raw_of(planes["chunks"][1])) // 8

    def planes_with(name, change):
        spec = copy.deepcopy(planes)
        spec["chunks"][1]["change"] = lambda stored: framed(change(bytearray(stored[4:])))
        return f"planes-{name}", build(spec), "corrupt-block", "primary"

    def word(index, value):
        def change(payload):
            struct.pack_into("<I", payload, 4 * index, value)
            return payload
        return change

    yield planes_with("short", lambda payload: payload[:31])
    yield planes_with("length-zero", word(0, 0))
    yield planes_with("length-long", word(3, length))
    yield planes_with("plain-wrong-length", word(5, (length - 1) | 1 << 31))
    yield planes_with("past-end", word(7, length - 1))
    yield planes_with("trailing", lambda payload: payload + b"\0")
    yield planes_with("garbage", lambda payload: payload[:32] + b"\xff" * (len(payload) - 32))


def raw_of(chunk):
    raw = bytearray()
    for tensor in chunk["tensors"]:
        for part in (tensor["data"], tensor["scales"]):
            raw += bytes(-len(raw) % 64 if part else 0) + part
    return bytes(raw)


def lz4_blocks_of(chunk):
    return lz4_blocks(raw_of(chunk))


def framed(payload):
    return struct.pack("<I", len(payload)) + bytes(payload)


def decodes_short(stored):
    """The block of a chunk, compressed again without its last 64 bytes: valid LZ4, but too short."""
    raw = lz4.block.decompress(stored[4:], uncompressed_size=BLOCK)
    packed = lz4.block.compress(raw[:-64], store_size=False)
    return struct.pack("<I", len(packed)) + packed


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..", "golden")
    for part in ("good", "bad"):
        shutil.rmtree(os.path.join(folder, part), ignore_errors=True)
        os.makedirs(os.path.join(folder, part))
    rows, total = [], 0
    for name, spec, options in good_files():
        with open(os.path.join(folder, "good", f"{name}.tandem"), "wb") as file:
            total += file.write(build(spec, **options))
        values = [value for chunk in spec["chunks"] for tensor in chunk.get("tensors", [])
                  for row in tensor["values"] for value in row]
        with open(os.path.join(folder, "good", f"{name}.values"), "wb") as file:
            total += file.write(struct.pack(f"<{len(values)}f", *values))
        rows.append((f"good/{name}.tandem", "ok", ""))
    for name, data, verdict, field in bad_files():
        with open(os.path.join(folder, "bad", f"{name}.tandem"), "wb") as file:
            total += file.write(data)
        rows.append((f"bad/{name}.tandem", verdict, field))
    assert len({row[0] for row in rows}) == len(rows)
    with open(os.path.join(folder, "expected.tsv"), "w", encoding="ascii", newline="\n") as file:
        file.write("file\tverdict\tfield\n")
        for row in rows:
            file.write("\t".join(row) + "\n")
    print(f"{len(rows)} files, {total} bytes")


if __name__ == "__main__":
    main()
