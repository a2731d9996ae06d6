# SPDX-License-Identifier: Apache-2.0
"""Answers of a form: JSON, schemas, grammars, and calls of functions."""

from __future__ import annotations

import json
from pathlib import Path

import openai
import pytest
from conftest import TEMPLATES, Daemon

MESSAGES = [{"role": "user", "content": "Once upon a time"}]
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12}, "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 3},
    },
    "required": ["name", "age", "tags"], "additionalProperties": False,
}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather", "description": "The weather of a place.",
        "parameters": {
            "type": "object",
            "properties": {"place": {"type": "string", "maxLength": 10}, "unit": {"enum": ["C", "F"]}},
            "required": ["place", "unit"], "additionalProperties": False,
        },
    },
}
CLOCK = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}, "additionalProperties": False}}}


def _schema(schema: dict) -> dict:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}


def _is_person(value: dict) -> bool:
    return (
        set(value) == {"name", "age", "tags"} and isinstance(value["name"], str) and len(value["name"]) <= 12
        and 0 <= value["age"] <= 120 and len(value["tags"]) <= 3 and set(value["tags"]) <= {"a", "b"})


@pytest.mark.parametrize("seed", range(4))
def test_schema(client: openai.OpenAI, seed: int) -> None:
    answer = client.chat.completions.create(
        model="demo", messages=MESSAGES, response_format=_schema(PERSON), temperature=1, seed=seed, max_tokens=300)
    assert answer.choices[0].finish_reason == "stop"
    assert _is_person(json.loads(answer.choices[0].message.content))


def test_schema_in_streams_and_completions(client: openai.OpenAI) -> None:
    options = {"temperature": 0, "max_tokens": 300}
    stream = client.chat.completions.create(
        model="demo", messages=MESSAGES, response_format=_schema(PERSON), stream=True, **options)
    text = "".join(part.choices[0].delta.content or "" for part in stream)
    assert _is_person(json.loads(text))
    answer = client.completions.create(
        model="demo", prompt="Once upon a time", extra_body={"response_format": _schema(PERSON)}, **options)
    assert answer.choices[0].text == text


def test_any_object(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="demo", messages=MESSAGES, response_format={"type": "json_object"}, temperature=1, seed=3,
        max_tokens=60)
    text = answer.choices[0].message.content
    assert text.startswith("{")
    if answer.choices[0].finish_reason == "stop":
        assert isinstance(json.loads(text), dict)


def test_grammar(client: openai.OpenAI) -> None:
    grammar = 'root ::= ("yes" | "no") [0-9]{3}'
    answer = client.completions.create(
        model="demo", prompt="Is it?", temperature=1, seed=1, extra_body={"grammar": grammar})
    text = answer.choices[0].text
    assert text[:-3] in ("yes", "no") and text[-3:].isdigit()
    assert answer.choices[0].finish_reason == "stop"


@pytest.mark.parametrize(
    ("body", "param", "text"),
    [
        ({"grammar": "root ::= (\n"}, "grammar", "line"),
        ({"grammar": "start ::= \"a\""}, "grammar", "root"),
        ({"grammar": 5}, "grammar", "string"),
        ({"response_format": _schema({"type": "strange"})}, "response_format.json_schema.schema", "#"),
        ({"response_format": _schema({"not": {"type": "string"}})}, "response_format.json_schema.schema", "#"),
        ({"grammar": "root ::= \"a\"", "response_format": {"type": "json_object"}}, "grammar", "exclude"),
        (
            {"tools": [CLOCK], "tool_choice": "required", "response_format": {"type": "json_object"}},
            "tool_choice", "form of its own",
        ),
    ],
)
def test_refusals(daemon: Daemon, body: dict, param: str, text: str) -> None:
    response = daemon.http().post("/v1/chat/completions", json={"messages": MESSAGES, **body})
    assert response.status_code == 400, response.text
    assert response.json()["error"]["param"] == param and text in response.json()["error"]["message"]


@pytest.fixture(scope="module", params=["hermes", "llama", "mistral", "story"])
def tool_daemon(request: pytest.FixtureRequest, launch) -> Daemon:
    daemon = launch(chat_template=TEMPLATES / f"{request.param}.jinja")
    daemon.format = request.param if request.param != "story" else "unknown"
    return daemon


def test_formats_are_told(tool_daemon: Daemon) -> None:
    assert tool_daemon.http().get("/v1/models").json()["data"][0]["tandem"]["tools"] == tool_daemon.format


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "get_weather"}}])
def test_forced_calls(tool_daemon: Daemon, stream: bool, choice: object) -> None:
    tools = [WEATHER] if choice == "required" else [CLOCK, WEATHER]
    answer = tool_daemon.client().chat.completions.create(
        model="demo", messages=MESSAGES, tools=tools, tool_choice=choice, temperature=1, seed=2, max_tokens=200,
        stream=stream)
    if stream:
        parts = [part.choices[0] for part in answer]
        calls = [call for part in parts for call in part.delta.tool_calls or []]
        content = "".join(part.delta.content or "" for part in parts)
        finish = parts[-1].finish_reason
    else:
        calls = answer.choices[0].message.tool_calls
        content = answer.choices[0].message.content or ""
        finish = answer.choices[0].finish_reason
    assert finish == "tool_calls" and content == ""
    assert len(calls) == 1 and calls[0].function.name == "get_weather" and calls[0].id.startswith("call_")
    arguments = json.loads(calls[0].function.arguments)
    assert set(arguments) == {"place", "unit"} and arguments["unit"] in ("C", "F")


CALL = '{"name": "get_weather", "arguments": {"place": "Rome", "unit": "C"}}'
TEXTS = {
    "hermes": {
        f"<tool_call>\n{CALL}\n</tool_call>": ("", 1),
        f"I see.\n<tool_call>{CALL}</tool_call>\n<tool_call>{CALL}</tool_call>": ("I see.", 2),
        f"<tool_call>{CALL}": ("", 1),
        "<tool_call>no JSON</tool_call> after": ("<tool_call>no JSON</tool_call> after", 0),
        "1 <tool 2 < 3 </tool_call>": ("1 <tool 2 < 3 </tool_call>", 0),
    },
    "llama": {
        CALL.replace("arguments", "parameters"): ("", 1),
        '{"answer": 42}': ('{"answer": 42}', 0),
        "No. {": ("No. {", 0),
    },
    "mistral": {
        f"[TOOL_CALLS][{CALL}, {CALL}]": ("", 2),
        f"[{CALL}]": ("", 1),
        "[1] is a note": ("[1] is a note", 0),
        "Nothing": ("Nothing", 0),
    },
    "unknown": {CALL: (CALL, 0)},
}


@pytest.mark.parametrize("stream", [False, True])
def test_calls_are_told_from_text(tool_daemon: Daemon, stream: bool) -> None:
    """A grammar of one text makes the model say it, token by token."""
    for text, (content, count) in TEXTS[tool_daemon.format].items():
        answer = tool_daemon.client().chat.completions.create(
            model="demo", messages=MESSAGES, tools=[WEATHER], temperature=0, max_tokens=200, stream=stream,
            extra_body={"grammar": f"root ::= {json.dumps(text)}"})
        if stream:
            parts = [part.choices[0] for part in answer]
            calls = [call for part in parts for call in part.delta.tool_calls or []]
            said = "".join(part.delta.content or "" for part in parts)
            finish = parts[-1].finish_reason
            assert [call.index for call in calls] == list(range(len(calls)))
        else:
            calls = answer.choices[0].message.tool_calls or []
            said = answer.choices[0].message.content or ""
            finish = answer.choices[0].finish_reason
        assert said == content, text
        assert len(calls) == count, text
        assert finish == ("tool_calls" if count else "stop")
        for call in calls:
            assert call.function.name == "get_weather"
            assert json.loads(call.function.arguments) == {"place": "Rome", "unit": "C"}
        assert len({call.id for call in calls}) == len(calls)


def test_tools_reach_the_template(launch, tmp_path: Path) -> None:
    daemon = launch(chat_template=TEMPLATES / "hermes.jinja")

    def text(**body: object) -> str:
        tokens = daemon.http().post("/tokenize", json={"messages": MESSAGES, **body}).json()["tokens"]
        return daemon.http().post("/detokenize", json={"tokens": tokens}).json()["content"]

    assert "get_weather: <tool_call>" in text(tools=[WEATHER])
    assert "get_weather" not in text(tools=[WEATHER], tool_choice="none")
    # Arguments of earlier calls are values for the template, results are messages.
    call = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": '{"place":"Rome"}'}}
    history = [
        *MESSAGES, {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "Sunny"},
    ]
    rendered = text(messages=history)
    assert '<tool_call>{"name": "get_weather", "arguments": {"place": "Rome"}}</tool_call>' in rendered
    assert "tool: Sunny" in rendered
