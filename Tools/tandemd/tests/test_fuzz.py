# SPDX-License-Identifier: Apache-2.0
"""Bytes and values that no client should send: an answer or a closed connection, never the end of the daemon."""

from __future__ import annotations

import json
import random
import socket
from urllib.parse import urlsplit

import pytest
from conftest import Daemon

ROUTES = ["/v1/completions", "/v1/chat/completions", "/v1/embeddings", "/tokenize", "/detokenize"]
MEMBERS = [
    "model", "prompt", "messages", "max_tokens", "temperature", "top_p", "top_k", "min_p", "n", "stop", "seed", "stream",
    "stream_options", "logprobs", "top_logprobs", "response_format", "tools", "tool_choice", "priority", "input",
    "encoding_format", "dimensions", "content", "tokens", "grammar", "presence_penalty", "logit_bias",
    "chat_template_kwargs", "ignore_eos", "add_special", "parse_special", "with_pieces",
]


def _value(random_: random.Random, depth: int = 0) -> object:
    kind = random_.randrange(14 if depth < 4 else 9)
    match kind:
        case 0: return None
        case 1: return random_.choice([True, False])
        case 2: return random_.choice([0, 1, -1, 2**31, 2**63 - 1, -(2**63), 10**30, 4095, 4096])
        case 3: return random_.choice([0.5, -0.0, 1e-320, 1e308, 3.7])
        case 4: return ""
        case 5: return "Once upon a time"
        case 6: return "".join(chr(random_.choice([0, 10, 34, 92, 127, 233, 0x20AC, 0x1F600, 0xFFFD])) for _ in range(8))
        case 7: return random_.choice(["user", "demo", "text", "auto", "json_object", "required", "background", "base64"])
        case 8: return "x" * random_.choice([1, 100, 5000])
        case 9 | 10: return [_value(random_, depth + 1) for _ in range(random_.randrange(4))]
        case 11: return [{"role": "user", "content": _value(random_, depth + 1)}]
        case 12: return {"type": _value(random_, depth + 1), "function": _value(random_, depth + 1)}
        case _: return {random_.choice(MEMBERS): _value(random_, depth + 1) for _ in range(random_.randrange(3))}


def _alive(daemon: Daemon) -> None:
    response = daemon.http().post(
        "/v1/completions", json={"prompt": "Once upon a time", "max_tokens": 3, "temperature": 0})
    assert response.status_code == 200 and response.json()["choices"][0]["text"] == ", there was"


@pytest.mark.parametrize("seed", range(4))
def test_values(daemon: Daemon, seed: int) -> None:
    random_ = random.Random(seed)
    client = daemon.http()
    for _ in range(150):
        route = random_.choice(ROUTES)
        body = {random_.choice(MEMBERS): _value(random_) for _ in range(random_.randrange(6))}
        # Something that would run, with one thing wrong, reaches deepest.
        if random_.random() < 0.6:
            body = {
                "prompt": "Once", "input": "Once", "messages": [{"role": "user", "content": "Once"}], "tokens": [1],
                "content": "x", **body,
            }
        body.setdefault("max_tokens", 3)
        response = client.post(route, json=body)
        assert response.status_code in (200, 400, 404), (route, body, response.text)
        if response.status_code != 200:
            assert response.json()["error"]["message"], (route, body)
    _alive(daemon)


def test_damaged_json(daemon: Daemon) -> None:
    random_ = random.Random(5)
    sound = json.dumps({"messages": [{"role": "user", "content": "é\n\"x\""}], "max_tokens": 2, "stop": ["a"]}).encode()
    client = daemon.http()
    for _ in range(200):
        body = bytearray(sound)
        for _ in range(random_.randrange(1, 4)):
            body[random_.randrange(len(body))] = random_.randrange(256)
        if random_.random() < 0.3:
            del body[random_.randrange(len(body)):]
        response = client.post(
            "/v1/chat/completions", content=bytes(body), headers={"Content-Type": "application/json"})
        assert response.status_code in (200, 400), (bytes(body), response.text)
    _alive(daemon)


def _exchange(daemon: Daemon, data: bytes) -> bytes:
    address = urlsplit(daemon.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            received = b""
            while piece := connection.recv(65536):
                received += piece
            return received
        except ConnectionError:
            return b""


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999\r\n\r\n{",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /health HTTP/1.1\r\n" + b"X: " + b"y" * 200_000 + b"\r\n\r\n",
        b"GET /health HTTP/1.1\r\n" + b"".join(b"X%d: y\r\n" % i for i in range(5000)) + b"\r\n",
        b"GET /%00%ff/../.. HTTP/1.1\r\nHost: localhost\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET http://localhost/health HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n" * 200,
    ],
    ids=range(18),
)
def test_malformed_http(daemon: Daemon, data: bytes) -> None:
    answer = _exchange(daemon, data)
    assert not answer or answer.startswith(b"HTTP/1.1 "), answer[:100]
    assert b" 500 " not in answer[:15]
    _alive(daemon)


def test_random_bytes(daemon: Daemon) -> None:
    random_ = random.Random(9)
    for _ in range(100):
        start = random_.choice([b"", b"GET /health HTTP/1.1\r\n", b"POST /v1/completions HTTP/1.1\r\nContent-Length: 50\r\n\r\n"])
        _exchange(daemon, start + random_.randbytes(random_.randrange(300)))
    _alive(daemon)
    assert daemon.metrics()["tandem_requests_active"] == 0
    assert "level=error" not in daemon.log() and "level=critical" not in daemon.log()
