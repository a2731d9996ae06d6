# SPDX-License-Identifier: Apache-2.0
"""Every refusal is OpenAI's error object, with the right status, and names what is wrong."""

from __future__ import annotations

import json

import openai
import pytest
from conftest import Daemon

COMPLETION = {"model": "demo", "prompt": "Once", "max_tokens": 2}
CHAT = {"model": "demo", "messages": [{"role": "user", "content": "Once"}], "max_tokens": 2}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def check(response, status: int, text: str, param: str | None = None, code: str | None = None) -> None:
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert text in error["message"], error
    if param is not None:
        assert error["param"] == param, error
    if code is not None:
        assert error["code"] == code, error


@pytest.mark.parametrize(
    ("change", "param", "text"),
    [
        ({"prompt": None}, "prompt", "must be a string"),
        ({"prompt": []}, "prompt", "must be a string"),
        ({"prompt": 3}, "prompt", "must be a string"),
        ({"prompt": [1, "a"]}, "prompt", "token ids"),
        ({"prompt": ["a", 1.5]}, "prompt.1", "token ids"),
        ({"prompt": [4096]}, "prompt", "0 to 4095"),
        ({"prompt": [-1]}, "prompt", "0 to 4095"),
        ({"prompt": ""}, "prompt", "no token"),
        ({"temperature": "hot"}, "temperature", "number"),
        ({"temperature": -1}, "temperature", "0.0 to 100.0"),
        ({"top_p": 1.5}, "top_p", "0.0 to 1.0"),
        ({"top_p": 0}, "top_p", "greater than 0"),
        ({"top_k": 1.5}, "top_k", "whole number"),
        ({"presence_penalty": 3}, "presence_penalty", "-2.0 to 2.0"),
        ({"max_tokens": -1}, "max_tokens", "at least 0"),
        ({"max_tokens": 1e300}, "max_tokens", "whole number"),
        ({"n": 0}, "n", "1 to 16"),
        ({"n": 17}, "n", "1 to 16"),
        ({"seed": "x"}, "seed", "whole number"),
        ({"stop": ""}, "stop", "none of them empty"),
        ({"stop": ["a", 1]}, "stop", "strings"),
        ({"stop": ["a"] * 17}, "stop", "up to 16"),
        ({"stream": "yes"}, "stream", "true or false"),
        ({"stream_options": {"include_usage": True}}, "stream_options", "'stream' is true"),
        ({"logprobs": 21}, "logprobs", "0 to 20"),
        ({"logprobs": True}, "logprobs", "whole number"),
        ({"echo": True}, "echo", "not supported"),
        ({"suffix": "end"}, "suffix", "not supported"),
        ({"best_of": 4}, "best_of", "must equal 'n'"),
        ({"logit_bias": {"5": 10}}, "logit_bias", "not supported"),
        ({"priority": "urgent"}, "priority", "'interactive', 'background'"),
        ({"response_format": {"type": "xml"}}, "response_format.type", "json_schema"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema.schema", "JSON Schema"),
        ({"prompt": ["a"] * 100, "n": 3}, "n", "more than 256"),
    ],
)
def test_completions(daemon: Daemon, change: dict, param: str, text: str) -> None:
    response = daemon.http().post("/v1/completions", json={**COMPLETION, **change})
    check(response, 400, text, param)


@pytest.mark.parametrize(
    ("change", "param", "text"),
    [
        ({"messages": None}, "messages", "at least one message"),
        ({"messages": []}, "messages", "at least one message"),
        ({"messages": ["hi"]}, "messages.0", "object"),
        ({"messages": [{"content": "hi"}]}, "messages.0.role", "'user'"),
        ({"messages": [{"role": "user"}]}, "messages.0.content", "string"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content", "string"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            "messages.0.content.0.type", "text only",
        ),
        ({"top_logprobs": 3}, "top_logprobs", "needs 'logprobs'"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "0 to 20"),
        ({"modalities": ["audio"]}, "modalities", "text only"),
        ({"functions": []}, "functions", "use 'tools'"),
        ({"tools": [{"type": "retrieval"}]}, "tools.0.type", "'function'"),
        ({"tools": [{"type": "function"}]}, "tools.0.function", "a name"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools.0.function.name", "letters"),
        ({"tool_choice": "required"}, "tool_choice", "must not be empty"),
        ({"tools": [TOOL], "tool_choice": "maybe"}, "tool_choice", "'required'"),
        (
            {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "g"}}},
            "tool_choice", "not among the tools",
        ),
        ({"messages": [{"role": "assistant", "tool_calls": [{}]}]}, "messages.0.tool_calls.0", "function"),
    ],
)
def test_chat(daemon: Daemon, change: dict, param: str, text: str) -> None:
    check(daemon.http().post("/v1/chat/completions", json={**CHAT, **change}), 400, text, param)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "cannot be read"), (b"{", "cannot be read"), (b"[]", "JSON object"), (b"\xff\xfe", "cannot be read"),
        (b'{"a":1,"a":2}', "repeats the key"), (b"[" * 5000, "nested"), (b'{"prompt": "\\ud800"}', "surrogate"),
        (b'{"prompt": NaN}', "cannot be read"), (b'"' + b"a" * 100_000, "cannot be read"),
    ],
)
def test_bodies_that_are_no_json(daemon: Daemon, body: bytes, text: str) -> None:
    response = daemon.http().post(
        "/v1/completions", content=body, headers={"Content-Type": "application/json"})
    check(response, 400, text, code="invalid_json")


def test_unknown_model(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as error:
        client.completions.create(model="gpt-9", prompt="x")
    assert error.value.code == "model_not_found" and "'demo'" in error.value.message
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-9")


def test_unknown_path_and_method(daemon: Daemon) -> None:
    check(daemon.http().get("/v1/audio"), 404, "/v1/audio")
    response = daemon.http().get("/v1/completions")
    check(response, 405, "POST")
    assert response.headers["allow"] == "POST, OPTIONS"
    check(daemon.http().post("/v1/models", json={}), 405, "GET")


def test_other_types_of_body(daemon: Daemon) -> None:
    response = daemon.http().post("/v1/completions", data={"prompt": "x"})
    check(response, 415, "application/json")
    response = daemon.http().post(
        "/v1/completions", content=json.dumps(COMPLETION), headers={"Content-Type": "application/json; charset=utf-8"})
    assert response.status_code == 200


def test_prompt_longer_than_the_context(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as error:
        client.completions.create(model="demo", prompt="word " * 2000)
    assert error.value.code == "context_length_exceeded" and "512" in error.value.message


def test_errors_of_streams_are_statuses(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError):
        client.completions.create(model="demo", prompt="word " * 2000, stream=True)


def test_every_answer_has_a_name(daemon: Daemon) -> None:
    ids = {daemon.http().get(path).headers["x-request-id"] for path in ("/health", "/nothing", "/v1/models")}
    assert len(ids) == 3
    assert all(f"request={name}" in daemon.log() for name in ids if "nothing" in name)
