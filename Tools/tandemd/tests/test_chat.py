# SPDX-License-Identifier: Apache-2.0
"""`/v1/chat/completions` through OpenAI's client."""

from __future__ import annotations

import math
from pathlib import Path

import openai
import pytest
from conftest import Daemon

MESSAGES = [{"role": "system", "content": "A story."}, {"role": "user", "content": "Once upon a time"}]
GREEDY = {"model": "demo", "messages": MESSAGES, "temperature": 0}


def test_answer(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(**GREEDY, max_tokens=20)
    assert answer.object == "chat.completion"
    message = answer.choices[0].message
    assert message.role == "assistant" and message.content and message.tool_calls is None
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 20


def test_the_template_is_followed(daemon: Daemon, client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(**GREEDY, max_completion_tokens=20)
    plain = client.completions.create(
        model="demo", prompt="A story.\nOnce upon a time", max_tokens=20, temperature=0)
    assert answer.choices[0].message.content == plain.choices[0].text
    tokens = daemon.http().post("/tokenize", json={"messages": MESSAGES}).json()
    text = daemon.http().post("/tokenize", json={"content": "A story.\nOnce upon a time"}).json()
    assert tokens["tokens"] == text["tokens"]
    assert answer.usage.prompt_tokens == tokens["count"]


def test_parts_are_joined(client: openai.OpenAI) -> None:
    parts = [{"type": "text", "text": "Once upon"}, {"type": "text", "text": " a time"}]
    messages = [MESSAGES[0], {"role": "user", "content": parts}]
    answer = client.chat.completions.create(model="demo", messages=messages, temperature=0, max_tokens=12)
    whole = client.chat.completions.create(**GREEDY, max_tokens=12)
    assert answer.choices[0].message.content == whole.choices[0].message.content


def test_stream(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(**GREEDY, max_tokens=30).choices[0].message.content
    parts = list(
        client.chat.completions.create(
            **GREEDY, max_tokens=30, stream=True, stream_options={"include_usage": True}))
    assert parts[0].choices[0].delta.role == "assistant"
    text = "".join(part.choices[0].delta.content or "" for part in parts if part.choices)
    assert text == whole
    assert parts[-2].choices[0].finish_reason == "length"
    assert parts[-1].usage.completion_tokens == 30
    assert len({part.id for part in parts}) == 1


def test_logprobs(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(**GREEDY, max_tokens=10, logprobs=True, top_logprobs=4)
    choice = answer.choices[0]
    tokens = choice.logprobs.content
    assert len(tokens) == 10
    assert b"".join(bytes(token.bytes) for token in tokens).decode() == choice.message.content
    for token in tokens:
        assert len(token.top_logprobs) == 4
        assert token.logprob == token.top_logprobs[0].logprob
        values = [other.logprob for other in token.top_logprobs]
        assert values == sorted(values, reverse=True)
        assert sum(map(math.exp, values)) <= 1.0001
    parts = client.chat.completions.create(**GREEDY, max_tokens=10, logprobs=True, top_logprobs=4, stream=True)
    streamed = [token for part in parts if part.choices[0].logprobs for token in part.choices[0].logprobs.content]
    assert [token.token for token in streamed] == [token.token for token in tokens]
    plain = client.chat.completions.create(**GREEDY, max_tokens=10, logprobs=True)
    assert all(token.top_logprobs == [] for token in plain.choices[0].logprobs.content)
    assert client.chat.completions.create(**GREEDY, max_tokens=2).choices[0].logprobs is None


def test_several_answers(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="demo", messages=MESSAGES, n=3, temperature=2, seed=5, max_tokens=24)
    texts = [choice.message.content for choice in answer.choices]
    assert len(set(texts)) > 1
    for index, text in enumerate(texts):
        alone = client.chat.completions.create(
            model="demo", messages=MESSAGES, temperature=2, seed=5 + index, max_tokens=24)
        assert alone.choices[0].message.content == text


def test_a_model_without_template_says_so(launch, model: Path) -> None:
    client = launch(chat_template=None).client()
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(**GREEDY)
    assert error.value.code == "no_chat_template"
    assert "/v1/completions" in error.value.message


def test_what_a_template_refuses_is_the_requests_fault(launch, tmp_path: Path) -> None:
    template = tmp_path / "picky.jinja"
    template.write_text("{{ raise_exception('roles must alternate') }}")
    client = launch(chat_template=template).client()
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(**GREEDY)
    assert "roles must alternate" in error.value.message and error.value.param == "messages"


def test_template_variables(launch, tmp_path: Path) -> None:
    template = tmp_path / "variables.jinja"
    template.write_text("{{ mood }} {{ reasoning_effort }} {{ messages[0].role }}")
    daemon = launch(chat_template=template)
    body = {
        "messages": [{"role": "developer", "content": "x"}], "chat_template_kwargs": {"mood": "happy"},
        "reasoning_effort": "low",
    }
    tokens = daemon.http().post("/tokenize", json=body).json()["tokens"]
    text = daemon.http().post("/detokenize", json={"tokens": tokens}).json()["content"]
    assert text == "happy low system"
