# SPDX-License-Identifier: Apache-2.0
"""`/v1/completions` and `/v1/models` through OpenAI's client."""

from __future__ import annotations

import math

import openai
import pytest
from conftest import ENDLESS, Daemon

PROMPT = "Once upon a time"
GREEDY = {"model": "demo", "prompt": PROMPT, "temperature": 0}


def test_models(client: openai.OpenAI) -> None:
    models = client.models.list().data
    assert [model.id for model in models] == ["demo"]
    model = client.models.retrieve("demo")
    assert model.object == "model"
    assert model.to_dict()["tandem"]["context_size"] == 512


def test_text_and_usage(client: openai.OpenAI) -> None:
    answer = client.completions.create(**GREEDY, max_tokens=24)
    choice = answer.choices[0]
    assert choice.text.startswith(", there was a")
    assert choice.finish_reason == "length"
    assert answer.usage.completion_tokens == 24
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 24


def test_prompt_tokens_found_in_caches_are_told(launch) -> None:
    client = launch().client()
    text = PROMPT + ", there was a little girl named Lily. She loved to play"
    first = client.completions.create(model="demo", prompt=text, max_tokens=4, temperature=0)
    again = client.completions.create(model="demo", prompt=text + " with", max_tokens=4, temperature=0)
    assert first.usage.prompt_tokens_details.cached_tokens == 0
    assert again.usage.prompt_tokens_details.cached_tokens >= first.usage.prompt_tokens - 1


@pytest.mark.parametrize("tree", [0, 1, 200])
def test_trees_of_drafts_change_no_text(client: openai.OpenAI, launch, tree: int) -> None:
    other = launch(draft_tree=tree).client()
    for options in ({"temperature": 0}, {"temperature": 0.8, "seed": 5}):
        request = {"model": "demo", "prompt": PROMPT, "max_tokens": 48, **options}
        assert (other.completions.create(**request).choices[0].text
                == client.completions.create(**request).choices[0].text)


def test_stream_is_the_same_text(client: openai.OpenAI) -> None:
    whole = client.completions.create(**GREEDY, max_tokens=40).choices[0].text
    parts = list(client.completions.create(**GREEDY, max_tokens=40, stream=True))
    assert "".join(part.choices[0].text for part in parts) == whole
    assert len(parts) > 20
    assert parts[-1].choices[0].finish_reason == "length"
    assert all(part.usage is None for part in parts)


def test_stream_usage_comes_last(client: openai.OpenAI) -> None:
    options = {"include_usage": True}
    parts = list(client.completions.create(**GREEDY, max_tokens=8, stream=True, stream_options=options))
    assert parts[-1].choices == []
    assert parts[-1].usage.completion_tokens == 8
    assert all(part.usage is None for part in parts[:-1])


def test_events_end_with_done(daemon: Daemon) -> None:
    response = daemon.http().post("/v1/completions", json={**GREEDY, "max_tokens": 2, "stream": True})
    assert response.headers["content-type"].startswith("text/event-stream")
    events = response.text.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    assert all(event.startswith("data: ") for event in events[:-1])


@pytest.mark.parametrize("stop", [" girl", [" nothing", " girl"]])
def test_stop_texts(client: openai.OpenAI, stop: str | list[str]) -> None:
    answer = client.completions.create(**GREEDY, max_tokens=40, stop=stop)
    assert answer.choices[0].text == ", there was a little"
    assert answer.choices[0].finish_reason == "stop"
    parts = client.completions.create(**GREEDY, max_tokens=40, stop=stop, stream=True)
    assert "".join(part.choices[0].text for part in parts) == ", there was a little"


def test_stop_text_across_tokens(client: openai.OpenAI) -> None:
    answer = client.completions.create(**GREEDY, max_tokens=40, stop="was a lit")
    assert answer.choices[0].text == ", there "


def test_logprobs(client: openai.OpenAI) -> None:
    answer = client.completions.create(**GREEDY, max_tokens=12, logprobs=3).choices[0]
    logprobs = answer.logprobs
    assert "".join(logprobs.tokens) == answer.text
    assert len(logprobs.token_logprobs) == len(logprobs.top_logprobs) == len(logprobs.text_offset) == 12
    for token, value, top, offset in zip(
        logprobs.tokens, logprobs.token_logprobs, logprobs.top_logprobs, logprobs.text_offset
    ):
        assert len(top) == 3
        # Greedy: the token is the most probable one.
        assert math.isclose(value, max(top.values())) and top[token] == value
        assert sum(math.exp(other) for other in top.values()) <= 1.0001
        assert answer.text[offset:].startswith(token)
    parts = list(client.completions.create(**GREEDY, max_tokens=12, logprobs=3, stream=True))
    streamed = [token for part in parts if part.choices[0].logprobs for token in part.choices[0].logprobs.tokens]
    assert streamed == logprobs.tokens


def test_same_seed_same_text(client: openai.OpenAI) -> None:
    def run(seed: int) -> str:
        return client.completions.create(
            model="demo", prompt=PROMPT, max_tokens=40, temperature=1, seed=seed
        ).choices[0].text

    assert run(7) == run(7)
    assert len({run(seed) for seed in range(4)}) > 1
    assert len({run(-1), run(-1)}) == 1


def test_several_answers_and_prompts(client: openai.OpenAI) -> None:
    answer = client.completions.create(
        model="demo", prompt=[PROMPT, "The dog"], n=2, max_tokens=24, temperature=2, seed=3)
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    assert answer.choices[0].text != answer.choices[1].text
    assert answer.usage.completion_tokens == 96
    # The first of several answers is the one that is given alone.
    alone = client.completions.create(model="demo", prompt=PROMPT, max_tokens=24, temperature=2, seed=3)
    assert alone.choices[0].text == answer.choices[0].text
    texts = {index: "" for index in range(4)}
    for part in client.completions.create(
        model="demo", prompt=[PROMPT, "The dog"], n=2, max_tokens=24, temperature=2, seed=3, stream=True
    ):
        texts[part.choices[0].index] += part.choices[0].text
    assert [texts[index] for index in range(4)] == [choice.text for choice in answer.choices]


def test_prompt_as_tokens(daemon: Daemon, client: openai.OpenAI) -> None:
    tokens = daemon.http().post("/tokenize", json={"content": PROMPT}).json()["tokens"]
    by_text = client.completions.create(**GREEDY, max_tokens=10).choices[0].text
    for prompt in (tokens, [tokens]):
        answer = client.completions.create(model="demo", prompt=prompt, max_tokens=10, temperature=0)
        assert answer.choices[0].text == by_text


def test_sampling_parameters_act(client: openai.OpenAI) -> None:
    base = client.completions.create(**GREEDY, max_tokens=60, extra_body=ENDLESS).choices[0].text
    top1 = client.completions.create(
        model="demo", prompt=PROMPT, temperature=1, max_tokens=60, extra_body={"top_k": 1, **ENDLESS})
    assert top1.choices[0].text == base
    narrow = client.completions.create(
        model="demo", prompt=PROMPT, temperature=1, max_tokens=60, extra_body={"min_p": 1.0, **ENDLESS})
    assert narrow.choices[0].text == base
    penalised = client.completions.create(
        **GREEDY, max_tokens=60, presence_penalty=2, frequency_penalty=2, extra_body=ENDLESS).choices[0].text
    assert len(set(penalised.split())) > len(set(base.split()))


def test_answer_fills_the_context_and_no_more(client: openai.OpenAI) -> None:
    answer = client.completions.create(**GREEDY, max_tokens=100_000, extra_body=ENDLESS)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.total_tokens == 512


def test_nothing_to_generate(client: openai.OpenAI) -> None:
    answer = client.completions.create(**GREEDY, max_tokens=0)
    assert answer.choices[0].text == "" and answer.choices[0].finish_reason == "length"


def test_default_length_is_that_of_openai(client: openai.OpenAI) -> None:
    assert client.completions.create(**GREEDY).usage.completion_tokens == 16
