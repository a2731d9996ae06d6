# SPDX-License-Identifier: Apache-2.0
"""TCP with keys, Unix sockets, and who may connect."""

from __future__ import annotations

import os
import signal
import socket
import stat
import time
from pathlib import Path

import openai
import pytest
from conftest import PATIENCE, Daemon


@pytest.fixture
def socket_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Addresses of sockets are short.
    return Path("/tmp") / f"tandemd-test-{os.getpid()}-{time.monotonic_ns()}"


def test_keys(launch, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# people\nalpha-key\n\nbeta-key\n")
    daemon = launch(api_key=["gamma-key"], api_key_file=file)
    for key in ("alpha-key", "beta-key", "gamma-key"):
        assert daemon.client(key).models.list().data
    for key in ("alpha", "alpha-keyx", "delta-key", "# people"):
        with pytest.raises(openai.AuthenticationError) as error:
            daemon.client(key).models.list()
        assert error.value.code == "invalid_api_key"
    response = daemon.http().post("/v1/completions", json={"prompt": "x"})
    assert response.status_code == 401 and response.headers["www-authenticate"] == "Bearer"
    assert "Authorization: Bearer" in response.json()["error"]["message"]
    assert daemon.http().get("/metrics").status_code == 401
    # Probes and the page need none.
    assert daemon.http().get("/health").status_code == 200
    assert daemon.http().get("/").status_code == 200
    assert "alpha-key" not in daemon.log() and "gamma-key" not in daemon.log()


def test_keys_are_read_again(launch, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("old-key\n")
    daemon = launch(api_key_file=file)
    file.write_text("new-key\n")
    daemon.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 5 * PATIENCE
    while "API keys read again" not in daemon.log():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert daemon.client("new-key").models.list().data
    with pytest.raises(openai.AuthenticationError):
        daemon.client("old-key").models.list()
    # A file that is broken changes nothing.
    file.write_text("two words\n")
    daemon.process.send_signal(signal.SIGHUP)
    while "API keys stay as they were" not in daemon.log():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert f"{file}:1" in daemon.log()
    assert daemon.client("new-key").models.list().data


def test_other_machines_need_a_key(launch) -> None:
    daemon = launch(host="0.0.0.0", wait=False)
    assert daemon.process.wait(10 * PATIENCE) != 0
    assert "can be reached from other machines" in daemon.log()
    assert launch(host="0.0.0.0", anonymous="true").http().get("/health").status_code == 200
    assert launch(host="0.0.0.0", api_key="k").client("k").models.list().data


def test_names_of_elsewhere_are_refused(daemon: Daemon) -> None:
    """A page that a browser got from elsewhere cannot reach the daemon under a name that resolves to this machine."""
    response = daemon.http().get("/v1/models", headers={"Host": "evil.example:8080"})
    assert response.status_code == 403 and "evil.example" in response.text
    for host in ("localhost", "127.0.0.1:99", "[::1]:5"):
        assert daemon.http().get("/v1/models", headers={"Host": host}).status_code == 200


def test_unix_socket(launch, socket_path: Path) -> None:
    daemon = launch(unix_socket=socket_path, api_key="only-for-tcp")
    assert stat.S_IMODE(socket_path.stat().st_mode) == 0o660
    client = daemon.client()
    answer = client.completions.create(model="demo", prompt="Once upon a time", max_tokens=5, temperature=0)
    assert answer.choices[0].text == ", there was a little"
    stream = client.chat.completions.create(
        model="demo", messages=[{"role": "user", "content": "Once"}], max_tokens=5, stream=True)
    assert len(list(stream)) > 3
    assert "http://" not in daemon.log()
    assert daemon.stop() == 0
    assert not socket_path.exists()


def test_both_at_once(launch, socket_path: Path) -> None:
    daemon = launch(unix_socket=socket_path, unix_socket_mode="600", port=0)
    assert daemon.url.startswith("http://127")
    assert stat.S_IMODE(socket_path.stat().st_mode) == 0o600
    over_tcp = daemon.http().get("/v1/models").json()
    daemon.url = "http://localhost"
    assert daemon.http().get("/v1/models").json() == over_tcp


def test_a_socket_that_was_left_behind(launch, socket_path: Path) -> None:
    first = launch(unix_socket=socket_path)
    first.stop(signal.SIGKILL)
    assert socket_path.exists()
    second = launch(unix_socket=socket_path)
    # One that is in use is not taken.
    third = launch(unix_socket=socket_path, wait=False)
    assert third.process.wait(10 * PATIENCE) == 1
    assert "another process is listening" in third.log()
    assert second.http().get("/health").status_code == 200
    second.stop()
    socket_path.write_text("precious")
    fourth = launch(unix_socket=socket_path, wait=False)
    assert fourth.process.wait(10 * PATIENCE) == 1 and "is no socket" in fourth.log()
    assert socket_path.read_text() == "precious"
    socket_path.unlink()


def test_a_port_that_is_taken(launch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        daemon = launch(port=taken.getsockname()[1], wait=False)
        assert daemon.process.wait(10 * PATIENCE) == 1
    assert "level=critical" in daemon.log() and "in use" in daemon.log().lower()


def test_cors(launch, daemon: Daemon) -> None:
    headers = {"Origin": "https://app.example"}
    assert "access-control-allow-origin" not in daemon.http().get("/v1/models", headers=headers).headers
    # Without asking first, a page could send what no answer is needed for.
    sent = daemon.http().post("/tokenize", json={"content": "x"}, headers=headers)
    assert sent.status_code == 403 and "cors-origin" in sent.text
    own = {"Origin": daemon.url.replace("127.0.0.1", "localhost"), "Host": daemon.url[7:].replace("127.0.0.1", "localhost")}
    assert daemon.http().post("/tokenize", json={"content": "x"}, headers=own).status_code == 200
    open_daemon = launch(cors_origin="https://app.example")
    assert open_daemon.http().post("/tokenize", json={"content": "x"}, headers=headers).status_code == 200
    answer = open_daemon.http().get("/v1/models", headers=headers)
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    other = open_daemon.http().get("/v1/models", headers={"Origin": "https://other.example"})
    assert "access-control-allow-origin" not in other.headers
    preflight = open_daemon.http().options("/v1/chat/completions", headers=headers)
    assert preflight.status_code == 204
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert "Authorization" in preflight.headers["access-control-allow-headers"]
