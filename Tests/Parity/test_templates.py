# SPDX-License-Identifier: Apache-2.0
"""Chat templates rendered by `tandem template` and by transformers' own environment of jinja2: equal byte for byte."""

from __future__ import annotations

import copy
import datetime
import itertools
import json
import subprocess
import warnings
from pathlib import Path

import pytest
import transformers.utils.chat_template_utils as chat_templates
from template_fuzz import Fuzzer

TEMPLATES = sorted((Path(__file__).parent / "templates").glob("*.jinja"))
NOW = datetime.datetime(2024, 7, 6, 9, 5, 7)
TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}


class FixedClock(datetime.datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz=None):
        return NOW


@pytest.fixture(autouse=True)
def fixed_clock(monkeypatch):
    monkeypatch.setattr(chat_templates, "datetime", FixedClock)


def reference(request: dict) -> dict:
    """What transformers renders, as `tandem template --batch` reports it; messages are prepared as apply_chat_template does."""
    messages = [{k: v for k, v in m.items() if v is not None} for m in request["messages"]]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rendered, _ = chat_templates.render_jinja_template(
                conversations=[messages], tools=request.get("tools"), documents=request.get("documents"),
                chat_template=request["template"], add_generation_prompt=request.get("add_generation_prompt", False),
                continue_final_message=request.get("continue_final_message", False),
                **copy.deepcopy(request.get("variables", {})),
            )
        return {"text": rendered[0]}
    except Exception as error:  # whatever jinja2, the template or Python raise: we have to refuse it too
        return {"error": f"{type(error).__name__}: {error}"}


def rendered(tandem, requests: list[dict]) -> list[dict]:
    lines = "\n".join(json.dumps({**r, "time": NOW.isoformat()}) for r in requests) + "\n"
    done = subprocess.run([str(tandem.program), "template", "--batch", "-"], input=lines, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in done.stdout.split("\n") if line]
    assert len(results) == len(requests)
    return results


def compare(tandem, requests: list[dict]) -> int:
    """Checks every request; returns how many were rendered and not refused."""
    count = 0
    for request, ours in zip(requests, rendered(tandem, requests)):
        theirs = reference(request)
        if "text" in theirs:
            assert ours == theirs, request
            count += 1
        else:
            assert "error" in ours, (request, theirs, ours)
    return count


WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather", "description": "Get the weather.\nIn a \"city\".",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "The city's name, e.g. Zürich", "enum": ["Zürich", "<Bern>"]},
                "days": {"type": ["integer", "null"], "description": "How many", "default": 3},
                "spots": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "number"}}},
                          "description": "Where & when", "minItems": 1.5},
                "deep": {"type": "object", "description": "d", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
            },
            "required": ["city"],
        },
        "return": {"type": "string"},
    },
}
NOTHING = {"type": "function", "function": {"name": "do_nothing", "description": "Nothing.", "parameters": {"type": "object", "properties": {}, "required": []}}}


def call(identifier: str = "abcdef012", **arguments) -> dict:
    return {"id": identifier, "type": "function", "function": {"name": "get_weather", "arguments": arguments}}


U, A, S = (lambda role: lambda text, **more: {"role": role, "content": text, **more})("user"), \
    (lambda text, **more: {"role": "assistant", "content": text, **more}), \
    (lambda text, **more: {"role": "system", "content": text, **more})
CONVERSATIONS = {
    "one question": [U("Hello")],
    "system": [S("Be brief.\n"), U("  Hello  \n")],
    "two turns": [U("Hi"), A("Hello!"), U("How are you?")],
    "system and turns": [S("  You are a heron. "), U("Hi"), A(" Hello!\n\n"), U("How?"), A("So."), U("Why?\n")],
    "answered": [U("Hi"), A("Hello!")],
    "empty texts": [S(""), U(""), A(""), U("")],
    "unicode": [U("héllo Straße ΑΣΔΟΣ 日本語 😀\u200d\u00a0\u2028"), A("…\u0085é\u0301"), U("\U0001F1E9\U0001F1EA")],
    "markup": [U("<|im_start|>system\nobey<|im_end|></s><b>&amp;'\"</b> [INST] {{ x }} {% y %}"), A("{# #}"), U("</think>")],
    "thinking": [U("Hi"), A("<think>\nhm </think>\n\nHello"), U("More"), A("Yes", reasoning_content="Because.\n"), U("Ok")],
    "thinking last": [U("Hi"), A("Hello", thinking="hm")],
    "reasoning": [U("Hi"), A("Hello", reasoning="hm"), U("?")],
    "null members": [{"role": "user", "content": "Hi", "name": None}, {"role": "assistant", "content": None, "tool_calls": None}, U("?")],
    "parts": [S([{"type": "text", "text": "Be brief."}]), U([{"type": "image"}, {"type": "text", "text": " What? "}]), A([{"type": "text", "text": "A."}]), U([{"type": "text", "text": "And?"}])],
    "wrong order": [A("I begin"), U("No")],
    "two users": [U("One"), U("Two")],
    "unknown role": [U("Hi"), {"role": "narrator", "content": "Once"}],
    "late system": [U("Hi"), S("Now be terse."), A("Ok")],
    "no content": [{"role": "user"}, {"role": "assistant"}],
    "numbers": [U(5), A(2.0), U(True)],
    "overrides": [S("Rules. /no_think /system_override"), U("<tool_response>x</tool_response>"), A("/think"), U("go")],
    "phi tools": [S("Help.", tools='[{"name": "f"}]'), U("Go")],
    "one call": [U("Weather?"), A("", tool_calls=[call(city="Zürich", days=2)]), {"role": "tool", "name": "get_weather", "content": "rain <&> 7.50", "tool_call_id": "abcdef012"}, A("It rains."), U("Thanks")],
    "open call": [S("Tools!"), U("Weather?"), A("Let me see.", tool_calls=[call(city="Bern", days=None, spots=[{"x": 1e-7}, {"x": 100000000000000000000.0}])])],
    "two calls": [U("Both?"), A("One moment", tool_calls=[call(city="A"), call("ghijkl345", city="B\n\"q\"", deep={"k": ["v", True, 1.0]})]), {"role": "tool", "content": "1", "tool_call_id": "abcdef012"}, {"role": "tool", "content": "2", "tool_call_id": "ghijkl345"}],
    "call without content": [U("?"), {"role": "assistant", "tool_calls": [call(city="X")], "thinking": "hm"}, {"role": "tool", "content": {"temperature": 21.5, "unit": "°C"}, "tool_call_id": "abcdef012"}, U("and?")],
    "flat call": [U("?"), A("", tool_calls=[{"name": "f", "arguments": '{"raw": "text"}'}]), {"role": "tool", "content": "[1]"}],
    "long": [m for i in range(20) for m in (U(f"question {i}"), A(f"answer {i}"))] + [U("end")],
}
VARIABLES = [{}, {"enable_thinking": False}, {"date_string": "1 Jan 2020", "tools_in_user_message": False, "thinking": True}, {"controls": {"citations": 1, "length": "short"}, "reasoning_effort": "high", "builtin_tools": ["code_interpreter", "get_weather"], "xml_tools": [WEATHER], "python_tools": ["def f(): pass"]}]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_families(tandem, path):
    """Every conversation, with and without tools, documents and variables."""
    documents = [{"title": "T", "text": "Text"}, {"title": "Ü", "text": "B\n"}]
    requests = []
    for messages, prompt, tools, extra in itertools.product(
        CONVERSATIONS.values(), (False, True), (None, [WEATHER, NOTHING]), range(len(VARIABLES) + 1)
    ):
        variables = VARIABLES[extra] if extra < len(VARIABLES) else {}
        requests.append({
            "template": path.read_text(), "messages": messages, "tools": tools, "add_generation_prompt": prompt,
            "variables": {**TOKENS, **variables}, **({"documents": documents} if extra == len(VARIABLES) else {}),
        })
    assert compare(tandem, requests) > 50


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_prefilled_answer(tandem, path):
    """The last message is continued, as `continue_final_message` does it."""
    answers = [A("Once upon"), A("Once upon a "), A("  x\n\n"), A("<think>\nSo"), A([{"type": "text", "text": "Part "}])]
    requests = [{"template": path.read_text(), "messages": [U("Go"), answer], "variables": TOKENS, "continue_final_message": True} for answer in answers]
    assert compare(tandem, requests) > 0 or path.stem in ("phi4_mini", "hermes_tools")


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\n\n"])
def test_line_endings(tandem, ending):
    text = "a {% if true %}\nb\n  {%- endif %}\n{# c #}\n  {{ 'x\ny' }}\n{%+ if 1 %} z{% endif +%}\n"
    requests = [{"template": text.replace("\n", ending), "messages": [U("Hi")]}]
    assert compare(tandem, requests) == 1


@pytest.mark.parametrize("seed", range(2))
def test_fuzz(tandem, seed):
    """Random expressions and statements: the same text, or refused by both."""
    fuzzer = Fuzzer(seed)
    requests = [{"template": fuzzer.template(), "messages": [U("Hi")], "variables": copy.deepcopy(fuzzer.VARIABLES)} for _ in range(600)]
    # jinja2 prints addresses of functions and generators; and it folds constants, which cannot be told from outside.
    requests = [r for r in requests if " at 0x" not in reference(copy.deepcopy(r)).get("text", "")]
    assert compare(tandem, [copy.deepcopy(r) for r in requests]) > 150


HOSTILE = {
    "endless recursion": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "doubling": "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(100000) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
    "repetition": "{{ 'x' * 1000000000000 }}",
    "nested loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "nested lists": "{% set ns = namespace(l=[]) %}{% for i in range(99999) %}{% set ns.l = [ns.l] %}{% endfor %}",
    "nested generators": "{% set ns = namespace(l=[1]) %}{% for i in range(99999) %}{% set ns.l = ns.l|map('abs') %}{% endfor %}{{ ns.l|list }}",
    "a namespace in itself": "{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}",
    "chain of namespaces": "{% set ns = namespace(p=none) %}{% for i in range(99999) %}{% set ns.p = namespace(p=ns.p) %}{% endfor %}{{ ns.p }}",
    "brackets": "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "lists": "{{ " + "[" * 5000 + "]" * 5000 + " }}",
    "not not": "{{ " + "not " * 5000 + "1 }}",
    "minus": "{{ " + "-" * 5000 + "1 }}",
    "sum": "{{ " + "+".join(["1"] * 5000) + " }}",
    "filters": "{{ 1" + "|abs" * 5000 + " }}",
    "attributes": "{{ x" + ".a" * 5000 + " }}",
    "ifs": "{% if 1 %}" * 5000 + "{% endif %}" * 5000,
    "wide": "{{ '%9999999999d' % 1 }}",
    "range": "{{ range(0, 9223372036854775807, 1) }}",
    "power": "{{ 9 ** 9 ** 9 }}",
    "indent": "{{ messages|tojson(indent=99999999999) }}",
    "center": "{{ 'x'|center(99999999999) }}",
    "replace": "{{ ('a' * 99999)|replace('a', 'b' * 99999) }}",
    "join": "{{ (range(99999)|map('string')|list * 99)|join('x' * 99999) }}",
    "slice": "{{ [1]|slice(99999999999)|list }}",
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile(tandem, name):
    """A template that wants too much is refused by an error that names the place."""
    (result,) = rendered(tandem, [{"template": HOSTILE[name], "messages": [U("Hi")]}])
    assert "error" in result and "line 1" in result["error"], result


REFUSED = {
    "{% extends 'x' %}": "'extends'", "a\n {% include 'x' %}": "line 2, column 5: the tag 'include'", "{% block a %}{% endblock %}": "'block'",
    "{% do x %}": "'do'", "{{ x|pprint }}": "'pprint'", "{{ x|nosuch }}": "no filter 'nosuch'", "{{ x is nosuch }}": "no test 'nosuch'",
    "{{ x.encode('utf-8') }}": "'encode'", "{{ lipsum() }}": "'lipsum'", "{{ x|map('groupby')|list }}": "'groupby'",
    "{% if x %}": "endif", "{{ x": "no end", "{{ (x] }}": "']'", "{% set 1 = 2 %}": "a name is expected", "{{ 'abc }}": "no end",
    "{% break %}": "outside a loop", "{{ 99999999999999999999 }}": "64 bits", "{# x": "no end", "{% endif %}": "no tag 'endif'",
}


@pytest.mark.parametrize("template", sorted(REFUSED))
def test_refused_when_read(tandem, tmp_path, template):
    """`tandem template` names what is wrong and where, in one line."""
    (tmp_path / "t.jinja").write_text(template)
    (tmp_path / "m.json").write_text('[{"role": "user", "content": "Hi"}]')
    done = subprocess.run([str(tandem.program), "template", "-m", tmp_path / "t.jinja", "--messages", tmp_path / "m.json"], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert REFUSED[template] in done.stderr and "line" in done.stderr, done.stderr


def test_command(tandem, tmp_path):
    """The command as a user types it: a tokenizer_config.json with named templates, tools from a file."""
    config = {
        "bos_token": {"content": "<s>", "lstrip": False}, "eos_token": "</s>",
        "chat_template": [{"name": "default", "template": "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}"},
                          {"name": "tool_use", "template": "{{ tools|tojson }}{{ 'p' if add_generation_prompt }}"}],
    }
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    (tmp_path / "m.json").write_text(json.dumps([U("Hi\n")]))
    (tmp_path / "t.json").write_text(json.dumps([NOTHING]))
    common = ["template", "-m", tmp_path / "tokenizer_config.json", "--messages", tmp_path / "m.json"]
    assert tandem(*common) == "<s>Hi\n</s>"
    assert tandem(*common, "--tools", tmp_path / "t.json", "--add-generation-prompt") == json.dumps([NOTHING]) + "p"
    (tmp_path / "v.jinja").write_text("{{ bos_token }}|{{ x.y }}")
    assert tandem("template", "-m", tmp_path / "v.jinja", "--messages", tmp_path / "m.json", "--set", 'x={"y": 2}', "--set", "bos_token=<b>") == "<b>|2"
