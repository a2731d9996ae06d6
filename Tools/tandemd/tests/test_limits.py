# SPDX-License-Identifier: Apache-2.0
"""Bounds on what one client can take, and what happens at them."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import openai
import pytest
from conftest import ENDLESS, PATIENCE, Daemon

PROMPT = {"prompt": "Once upon a time", "temperature": 0}
LONG = {**PROMPT, "max_tokens": 480, **ENDLESS}


def test_body(launch) -> None:
    daemon = launch(max_body="10K")
    fits = daemon.http().post("/v1/completions", json={**PROMPT, "max_tokens": 1, "user": "u" * 9000})
    assert fits.status_code == 200
    response = daemon.http().post("/v1/completions", json={**PROMPT, "user": "u" * 100_000})
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "body_too_large" and "10240 bytes" in response.text
    # Without a length beforehand.
    parts = (b'{"prompt":"', *[b"x" * 1000] * 50, b'"}')
    response = daemon.http().post(
        "/v1/completions", content=iter(parts), headers={"Content-Type": "application/json"})
    assert response.status_code == 413
    assert daemon.http().get("/health").status_code == 200


def test_prompt_and_answer(launch) -> None:
    client = launch(max_prompt_tokens=10, max_tokens=7).client()
    with pytest.raises(openai.BadRequestError) as error:
        client.completions.create(model="demo", prompt="word " * 11)
    assert error.value.code == "context_length_exceeded" and "limit is 10" in error.value.message
    answer = client.completions.create(model="demo", prompt="Once upon", max_tokens=100, extra_body=ENDLESS)
    assert answer.usage.completion_tokens == 7 and answer.choices[0].finish_reason == "length"
    answer = client.chat.completions.create(
        model="demo", messages=[{"role": "user", "content": "Once"}], extra_body=ENDLESS)
    assert answer.usage.completion_tokens == 7


def test_time(launch, slow_model) -> None:
    daemon = launch(model=f"slow={slow_model}", draft_max=0, max_time=0.5)
    began = time.monotonic()
    response = daemon.http().post("/v1/completions", json=LONG)
    assert response.status_code == 504 and response.json()["error"]["code"] == "time_limit"
    assert time.monotonic() - began < 2 * PATIENCE
    # A stream has its status already: the error is its last event.
    events = daemon.http().post("/v1/completions", json={**LONG, "stream": True}).text.strip().split("\n\n")
    assert len(events) > 1 and '"time_limit"' in events[-1]
    stream = daemon.client().completions.create(
        model="slow", prompt="Once", max_tokens=480, stream=True, extra_body=ENDLESS)
    with pytest.raises(openai.APIError, match="limit of 0.5 seconds"):
        list(stream)


def test_full_queue_is_refused(launch, slow_model) -> None:
    daemon = launch(model=f"slow={slow_model}", draft_max=0, parallel=1, queue=1)
    body = {**LONG, "max_tokens": 150}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: daemon.http().post("/v1/completions", json=body), range(8)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[:2] == [200, 200] and statuses[2:] == [429] * 6
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["error"]["code"] == "queue_full"
    assert refused.json()["error"]["type"] == "rate_limit_error"
    assert daemon.metrics()["tandem_queue_rejected_total"] == 6
    assert len({answer.json()["choices"][0]["text"] for answer in answers if answer.status_code == 200}) == 1


def test_interactive_requests_go_first(launch, slow_model) -> None:
    daemon = launch(model=f"slow={slow_model}", draft_max=0, parallel=1)
    order: list[str] = []

    def run(name: str, **extra: object) -> None:
        headers = {"X-Tandem-Priority": "background"} if name == "header" else {}
        length = 480 if name == "running" else 5
        answer = daemon.http().post("/v1/completions", json={**LONG, "max_tokens": length, **extra}, headers=headers)
        assert answer.status_code == 200, answer.text
        order.append(name)

    threads = []
    waiting = 0
    for name, extra in [
        ("running", {}), ("member", {"priority": "background"}), ("header", {}), ("interactive", {})
    ]:
        threads.append(threading.Thread(target=run, args=(name,), kwargs=extra))
        threads[-1].start()
        if name == "running":
            daemon.wait_metric('tandem_running{model="slow"}', lambda value: value == 1)
        else:
            waiting += 1
            daemon.wait_metric('tandem_queued{model="slow"}', lambda value: value == waiting)
    for thread in threads:
        thread.join()
    assert order == ["running", "interactive", "member", "header"]
    assert daemon.http().post(
        "/v1/completions", json=PROMPT, headers={"X-Tandem-Priority": "soon"}).status_code == 400


def test_connections_wait_beyond_the_limit(launch) -> None:
    daemon = launch(max_connections=3, keep_alive=30)
    address = urlsplit(daemon.url)
    held = [socket.create_connection((address.hostname, address.port)) for _ in range(3)]
    time.sleep(0.2)
    with pytest.raises(httpx.TimeoutException):
        daemon.http().get("/health", timeout=0.5)
    for connection in held:
        connection.close()
    assert daemon.http().get("/health", timeout=5).status_code == 200


def test_requests_that_trickle_in_are_cut_off(launch) -> None:
    daemon = launch(keep_alive=1)
    address = urlsplit(daemon.url)
    connection = socket.create_connection((address.hostname, address.port))
    connection.sendall(
        b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n")
    connection.settimeout(10 * PATIENCE)
    began = time.monotonic()
    with pytest.raises((ConnectionError, BrokenPipeError, StopIteration)):
        while True:
            connection.sendall(b" ")
            time.sleep(0.2)
            if time.monotonic() - began > 8 * PATIENCE:
                pytest.fail("the connection is still open")
    assert time.monotonic() - began < 5 * PATIENCE


def test_eight_clients_get_what_each_would_alone(daemon: Daemon) -> None:
    def run(seed: int) -> str:
        return daemon.client().completions.create(
            model="demo", prompt="Once upon a time", max_tokens=150, temperature=1, seed=seed, extra_body=ENDLESS
        ).choices[0].text

    alone = [run(seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            assert list(pool.map(run, range(8))) == alone


def test_prompts_of_many_clients_do_not_mix(daemon: Daemon) -> None:
    prompts = [f"The {name}" for name in ("dog", "cat", "bird", "boy", "girl", "sun", "tree", "king")]

    def run(prompt: str) -> str:
        stream = daemon.client().completions.create(
            model="demo", prompt=prompt, max_tokens=60, temperature=0, stream=True)
        return "".join(part.choices[0].text for part in stream)

    alone = {prompt: run(prompt) for prompt in prompts}
    with ThreadPoolExecutor(8) as pool:
        assert dict(zip(prompts * 4, pool.map(run, prompts * 4))) == alone
