# SPDX-License-Identifier: Apache-2.0
"""What Prometheus reads."""

from __future__ import annotations

import re

from conftest import ENDLESS

SAMPLE = re.compile(r'[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? -?[0-9.e+-]+')


def test_format(daemon) -> None:
    daemon.http().post("/v1/completions", json={"prompt": "Once", "max_tokens": 3})
    response = daemon.http().get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    announced: set[str] = set()
    for line in response.text.splitlines():
        if line.startswith("# TYPE "):
            name = line.split()[2]
            assert name not in announced
            announced.add(name)
        elif not line.startswith("#"):
            assert SAMPLE.fullmatch(line), line
            name = re.split(r"[{ ]", line)[0]
            assert re.sub(r"_(bucket|sum|count)$", "", name) in announced or name in announced


def test_counts(launch) -> None:
    daemon = launch(parallel=1)
    body = {"prompt": "Once upon a time", "max_tokens": 100, "temperature": 0, **ENDLESS}
    for _ in range(3):
        daemon.http().post("/v1/completions", json=body)
    metrics = daemon.metrics()
    assert metrics["tandem_generated_tokens_total"] == 300
    assert metrics["tandem_prompt_tokens_total"] == 12
    assert 0 < metrics["tandem_prompt_tokens_cached_total"] < 12
    assert metrics['tandem_requests_total{route="completions",status="200"}'] == 3
    assert metrics['tandem_generations_total{reason="length"}'] == 3
    assert metrics["tandem_time_to_first_token_seconds_count"] == 3
    assert 250 <= metrics["tandem_time_between_tokens_seconds_count"] <= 300
    assert metrics['tandem_time_between_tokens_seconds_bucket{le="+Inf"}'] == metrics[
        "tandem_time_between_tokens_seconds_count"]
    assert 0 < metrics["tandem_acceptance_ratio"] <= 1
    assert metrics["tandem_accepted_tokens_total"] <= metrics["tandem_drafted_tokens_total"]
    assert metrics["tandem_tokens_per_second"] > 20
    assert metrics["tandem_request_seconds_count"] == 3
    assert metrics['tandem_running{model="demo"}'] == metrics['tandem_queued{model="demo"}'] == 0
    assert metrics['tandem_memory_plan_bytes{model="demo"}'] > 10_000_000
    assert 5e6 < metrics["process_resident_memory_bytes"] < 1e9
    assert metrics["process_open_fds"] > 5
    assert metrics["process_cpu_seconds_total"] > 0


def test_streamed_bytes(launch, slow_model) -> None:
    daemon = launch(model=f"slow={slow_model}", memory="100M", parallel=1, ctx_size=128)
    daemon.http().post("/v1/completions", json={"prompt": "Once upon a time", "max_tokens": 5, "temperature": 0})
    metrics = daemon.metrics()
    assert metrics['tandem_bytes_streamed_total{model="slow"}'] > 1e6
    assert metrics['tandem_memory_plan_bytes{model="slow"}'] <= 100 << 20
    assert metrics["process_resident_memory_bytes"] < 110 << 20


def test_memory_stays_flat(launch) -> None:
    daemon = launch(parallel=4)
    client = daemon.http()

    def rounds(count: int) -> float:
        for index in range(count):
            body = {"prompt": f"{index % 7} Once upon a time", "max_tokens": 20, "stream": index % 2 == 0, "n": 2}
            assert client.post("/v1/completions", json=body).status_code == 200
        return daemon.metrics()["process_resident_memory_bytes"]

    rounds(60)
    before = rounds(60)
    after = rounds(300)
    assert after < before * 1.05, (before, after)
