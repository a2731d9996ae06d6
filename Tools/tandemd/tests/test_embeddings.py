# SPDX-License-Identifier: Apache-2.0
"""`/v1/embeddings`, `/tokenize` and `/detokenize`."""

from __future__ import annotations

import math

import openai
import pytest
from conftest import Daemon

TEXTS = ["The dog ran in the park.", "A dog was running in the park.", "She ate a big red cake."]


def _dot(first: list[float], second: list[float]) -> float:
    return sum(a * b for a, b in zip(first, second))


def test_vectors(client: openai.OpenAI) -> None:
    # The client asks for base64 unless it is told otherwise.
    answer = client.embeddings.create(model="demo", input=TEXTS)
    vectors = [item.embedding for item in answer.data]
    assert [item.index for item in answer.data] == [0, 1, 2]
    assert all(len(vector) == 384 for vector in vectors)
    assert all(math.isclose(_dot(vector, vector), 1, rel_tol=1e-5) for vector in vectors)
    assert _dot(vectors[0], vectors[1]) > _dot(vectors[0], vectors[2])
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > 10


def test_encodings_and_inputs_agree(daemon: Daemon, client: openai.OpenAI) -> None:
    packed = client.embeddings.create(model="demo", input=TEXTS[0]).data[0].embedding
    plain = client.embeddings.create(model="demo", input=TEXTS[0], encoding_format="float").data[0].embedding
    assert all(math.isclose(a, b, abs_tol=1e-7) for a, b in zip(packed, plain))
    tokens = daemon.http().post("/tokenize", json={"content": TEXTS[0]}).json()["tokens"]
    by_tokens = client.embeddings.create(model="demo", input=tokens, encoding_format="float").data[0].embedding
    assert by_tokens == plain
    # Not a matter of what the session did before, nor of company.
    together = client.embeddings.create(model="demo", input=TEXTS[::-1], encoding_format="float").data[2].embedding
    assert together == plain


def test_pooling(client: openai.OpenAI) -> None:
    mean = client.embeddings.create(model="demo", input=TEXTS[0], extra_body={"pooling": "mean"}).data[0].embedding
    last = client.embeddings.create(model="demo", input=TEXTS[0], extra_body={"pooling": "last"}).data[0].embedding
    assert mean != last


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"input": None}, "input"), ({"input": []}, "input"), ({"input": ""}, "input"), ({"input": [[]]}, "input"),
        ({"input": "word " * 1000}, "input"), ({"dimensions": 100}, "dimensions"),
        ({"encoding_format": "hex"}, "encoding_format"), ({"pooling": "max"}, "pooling"),
    ],
)
def test_refusals(daemon: Daemon, change: dict, param: str) -> None:
    response = daemon.http().post("/v1/embeddings", json={"model": "demo", "input": "x", **change})
    assert response.status_code == 400 and response.json()["error"]["param"] == param, response.text


def test_embeddings_are_counted(launch) -> None:
    daemon = launch()
    daemon.client().embeddings.create(model="demo", input=TEXTS)
    assert daemon.metrics()["tandem_embeddings_total"] == 3
    assert daemon.metrics()['tandem_requests_total{route="embeddings",status="200"}'] == 1


def test_tokens_and_text(daemon: Daemon) -> None:
    http = daemon.http()
    for text in [*TEXTS, "", " ", "naïve 😀 \n\t"]:
        answer = http.post("/tokenize", json={"content": text}).json()
        assert answer["count"] == len(answer["tokens"])
        assert http.post("/detokenize", json={"tokens": answer["tokens"]}).json()["content"] == text
    pieces = http.post("/tokenize", json={"content": "Hello 😀", "with_pieces": True}).json()["tokens"]
    text = b"".join(
        piece["piece"].encode() if isinstance(piece["piece"], str) else bytes(piece["piece"]) for piece in pieces)
    assert text.decode() == "Hello 😀"


def test_special_tokens(daemon: Daemon) -> None:
    http = daemon.http()
    mark = "<|endoftext|>"
    one = http.post("/tokenize", json={"content": mark}).json()["tokens"]
    assert len(one) == 1
    assert len(http.post("/tokenize", json={"content": mark, "parse_special": False}).json()["tokens"]) > 1
    assert http.post("/detokenize", json={"tokens": one}).json()["content"] == mark
    assert http.post("/detokenize", json={"tokens": one, "skip_special": True}).json()["content"] == ""
    # Typed into a conversation it is text, and ends nothing.
    chat = http.post("/tokenize", json={"messages": [{"role": "user", "content": mark}]}).json()["tokens"]
    assert one[0] not in chat
    assert http.post("/detokenize", json={"tokens": [5000]}).status_code == 400
    assert http.post("/detokenize", json={"tokens": "x"}).status_code == 400
