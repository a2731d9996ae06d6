# SPDX-License-Identifier: Apache-2.0
"""A client that goes away ends its generation; a slow one holds up nobody."""

from __future__ import annotations

import json
import socket
import threading
import time
from urllib.parse import urlsplit

import httpx
import pytest
from conftest import ENDLESS, PATIENCE, Daemon

LONG = {"prompt": "Once upon a time", "temperature": 0, "max_tokens": 480, **ENDLESS}
TOKENS = "tandem_generated_tokens_total"
CANCELLED = 'tandem_generations_total{reason="cancelled"}'
RUNNING = 'tandem_running{model="slow"}'


def test_a_stream_that_is_dropped_ends_early(slow_daemon: Daemon) -> None:
    before = slow_daemon.metrics()
    stream = slow_daemon.client().completions.create(
        model="slow", prompt=LONG["prompt"], max_tokens=480, temperature=0, stream=True, extra_body=ENDLESS)
    for index, _ in enumerate(stream):
        if index == 3:
            break
    stream.close()
    slow_daemon.wait_metric(CANCELLED, lambda value: value == before.get(CANCELLED, 0) + 1, limit=2)
    # Some hundreds of tokens would have followed.
    assert slow_daemon.metrics()[TOKENS] - before[TOKENS] < 200


def test_an_answer_nobody_waits_for_ends_early(slow_daemon: Daemon) -> None:
    before = slow_daemon.metrics()
    with pytest.raises(httpx.ReadTimeout):
        slow_daemon.http().post("/v1/completions", json=LONG, timeout=0.3)
    slow_daemon.wait_metric(CANCELLED, lambda value: value == before.get(CANCELLED, 0) + 1, limit=2)
    assert slow_daemon.metrics()[TOKENS] - before[TOKENS] < 300


def test_all_answers_of_a_request_end(slow_daemon: Daemon) -> None:
    before = slow_daemon.metrics().get(CANCELLED, 0)
    with pytest.raises(httpx.ReadTimeout):
        slow_daemon.http().post("/v1/completions", json={**LONG, "n": 3}, timeout=0.4)
    slow_daemon.wait_metric(CANCELLED, lambda value: value == before + 3, limit=3)
    slow_daemon.wait_metric(RUNNING, lambda value: value == 0)


def test_who_leaves_the_queue_never_runs(launch, slow_model) -> None:
    daemon = launch(model=f"slow={slow_model}", draft_max=0, parallel=1)
    first = threading.Thread(target=lambda: daemon.http().post("/v1/completions", json=LONG))
    first.start()
    daemon.wait_metric(RUNNING, lambda value: value == 1)
    with pytest.raises(httpx.ReadTimeout):
        daemon.http().post("/v1/completions", json=LONG, timeout=0.2)
    daemon.wait_metric('tandem_queued{model="slow"}', lambda value: value == 0, limit=2)
    first.join()
    assert daemon.metrics()[TOKENS] == 480
    assert daemon.metrics().get(CANCELLED, 0) == 0


def _raw_request(daemon: Daemon, body: dict, buffer: int | None = None) -> socket.socket:
    address = urlsplit(daemon.url)
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    connection.connect((address.hostname, address.port))
    data = json.dumps(body).encode()
    head = f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    connection.sendall(head.encode() + data)
    return connection


def test_a_reset_connection_ends_the_generation(slow_daemon: Daemon) -> None:
    before = slow_daemon.metrics().get(CANCELLED, 0)
    connection = _raw_request(slow_daemon, {**LONG, "stream": True})
    assert connection.recv(100)
    # RST instead of FIN.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    connection.close()
    slow_daemon.wait_metric(CANCELLED, lambda value: value == before + 1, limit=2)


def test_a_client_that_does_not_read(launch) -> None:
    """Others are served meanwhile, and in the end it is cut off."""
    daemon = launch(keep_alive=2)
    # Some 10 MB of events, more than sockets hold.
    body = {**LONG, "n": 16, "logprobs": 20, "stream": True}
    connection = _raw_request(daemon, body, buffer=4096)
    began = time.monotonic()
    daemon.wait_metric("tandem_requests_active", lambda value: value == 1)
    assert daemon.http().post("/v1/completions", json={**LONG, "max_tokens": 5}).status_code == 200
    daemon.wait_metric("tandem_requests_active", lambda value: value == 0, limit=30)
    assert time.monotonic() - began >= 2
    received = 0
    with pytest.raises(ConnectionError):
        while data := connection.recv(1 << 20):
            received += len(data)
        raise ConnectionResetError
    assert 0 < received < 30_000_000
    assert daemon.metrics()['tandem_requests_total{route="completions",status="499"}'] == 1


def test_a_client_that_reads_slowly_gets_everything(daemon: Daemon) -> None:
    connection = _raw_request(daemon, {**LONG, "stream": True, "max_tokens": 200}, buffer=4096)
    received = b""
    while b"[DONE]" not in received:
        received += connection.recv(1000)
        time.sleep(0.002)
    assert received.count(b"data: {") >= 200
    connection.close()


def test_a_client_that_does_not_read_cannot_keep_the_daemon(launch) -> None:
    daemon = launch(drain_time=0.5)
    connection = _raw_request(daemon, {**LONG, "n": 16, "logprobs": 20, "stream": True}, buffer=4096)
    daemon.wait_metric(TOKENS, lambda value: value > 1000, limit=60)
    began = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - began < 8 * PATIENCE
    connection.close()
