# SPDX-License-Identifier: Apache-2.0
"""What `tandem generate --json-schema` writes, judged by the jsonschema package; the demo model draws the tokens."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

STRING = {"type": "string", "maxLength": 12}
TREE = {
    "$defs": {"node": {
        "type": "object",
        "properties": {"value": {"type": "integer", "minimum": -9, "maximum": 9},
                       "left": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/node"}]}},
        "required": ["value", "left"], "additionalProperties": False,
    }},
    "$ref": "#/$defs/node",
}
SCHEMAS: dict[str, dict] = {
    "scalars": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "number"}, "c": {"type": "boolean"},
                                                 "d": {"type": "null"}, "e": STRING},
                "required": ["a", "b", "c", "d", "e"], "additionalProperties": False},
    "optional": {"type": "object", "properties": {"x": STRING, "y": {"type": "integer"}, "z": {"const": [1, {"k": "é"}]}}},
    "closed": {"type": "object", "properties": {"name": STRING, "other": {"type": "integer"}}, "required": ["other"],
               "maxProperties": 2, "additionalProperties": False},
    "bounds": {"type": "array", "items": {"type": "integer", "minimum": -17, "exclusiveMaximum": 1042}, "minItems": 3,
               "maxItems": 5},
    "decimals": {"type": "array", "items": {"type": "number", "exclusiveMinimum": -0.75, "maximum": 12.5}, "minItems": 4,
                 "maxItems": 4},
    "one sided": {"type": "array", "items": {"type": "number", "exclusiveMinimum": 0}, "minItems": 3, "maxItems": 3},
    "tuple": {"type": "array", "prefixItems": [{"type": "integer"}, STRING], "items": {"type": "boolean"}, "minItems": 3,
              "maxItems": 6},
    "lengths": {"type": "array", "items": {"type": "string", "minLength": 2, "maxLength": 5}, "minItems": 4, "maxItems": 4},
    "pattern": {"type": "array", "items": {"type": "string", "pattern": "^[A-Z][a-z]{2,6}-[0-9]{1,4}x?$"}, "minItems": 2,
                "maxItems": 2},
    "enum": {"type": "array", "items": {"enum": ["red", "green", 3, None, True, {"a": [1.5]}]}, "minItems": 5, "maxItems": 5},
    "any of": {"type": "array", "items": {"anyOf": [STRING, {"type": "integer", "maximum": 5}, {"type": "null"}]},
               "minItems": 4, "maxItems": 4},
    "one of": {"oneOf": [{"type": "object", "properties": {"kind": {"const": "circle"}, "r": {"type": "number"}},
                          "required": ["kind", "r"]},
                         {"type": "object", "properties": {"kind": {"const": "box"}, "w": {"type": "integer"}},
                          "required": ["kind"]}]},
    "all of": {"allOf": [{"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]},
                         {"properties": {"a": {"minimum": 2, "maximum": 3}, "b": {"enum": ["x", "y"]}}, "required": ["b"]}]},
    "tree": TREE,
    "types": {"type": "array", "items": {"type": ["integer", "boolean", "null"]}, "minItems": 6, "maxItems": 6},
} | {f"format {name}": {"type": "array", "items": {"type": "string", "format": name}, "minItems": 2, "maxItems": 2}
     for name in ("date", "time", "date-time", "ipv4", "ipv6", "uuid", "email")}
PROMPTS = ["Once upon a time there was a ", "The result, as JSON: ", "{\"name\": \"Tom\", \"a\": 3} and then "]


@pytest.fixture(scope="module")
def model(tmp_path_factory, tandem, demo_model) -> Path:
    path = tmp_path_factory.mktemp("grammar") / "demo.tandem"
    tandem("pack", demo_model, "-o", path, "--quantize", "int8", "--quiet")
    return path


@pytest.mark.parametrize("name", SCHEMAS)
def test_documents_are_valid(tandem, model, tmp_path, name):
    """Sampled documents of every kind of schema, in every mode."""
    schema = SCHEMAS[name]
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(schema))
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    # The model would go on and on building the tree.
    temperature = 8 if name == "tree" else 1.2
    seen = set()
    for seed, mode in enumerate(("speed", "primary", "tandem", "secondary")):
        result = tandem.json("generate", "-m", model, "-p", PROMPTS[seed % 3], "--temp", temperature, "--seed", seed, "--top-p", 1,
                             "--min-p", 0, "--decode", mode, "-j", f"@{path}")
        assert result["finish_reason"] == "stop", result["text"]
        value = json.loads(result["text"])
        errors = [error.message for error in validator.iter_errors(value)]
        assert not errors, f"{result['text']}: {errors}"
        seen.add(result["text"])
    assert len(seen) > 1


@pytest.mark.parametrize("name", ["scalars", "optional", "tree", "pattern", "format date-time"])
def test_drafts_change_nothing(tandem, model, name):
    """Greedy SPEED under a schema is the primary alone under it."""
    for prompt in PROMPTS:
        texts = {json.dumps(tandem.json("generate", "-m", model, "-p", prompt, "--temp", 0, "--decode", mode, "-n", 120,
                                        "-j", json.dumps(SCHEMAS[name]))["tokens"])
                 for mode in ("speed", "primary")}
        assert len(texts) == 1


def test_gbnf(tandem, model):
    """A grammar as llama.cpp's users write them, against the same language as a regular expression."""
    grammar = r"""
    # a list of moves
    root  ::= move (", " move){2,4} "."
    move  ::= [a-h] [1-8] "-" [a-h] [1-8] promotion?
    promotion ::= "=" ("Q" | [RBN])
    """
    for seed in range(6):
        result = tandem.json("generate", "-m", model, "-p", "The moves were ", "--temp", 1.5, "--seed", seed, "--grammar",
                             grammar)
        assert result["finish_reason"] == "stop"
        assert re.fullmatch(r"[a-h][1-8]-[a-h][1-8](=[QRBN])?(, [a-h][1-8]-[a-h][1-8](=[QRBN])?){2,4}\.", result["text"])
