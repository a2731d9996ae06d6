# SPDX-License-Identifier: Apache-2.0
"""The built `tandemd` driven over its sockets: fixtures.

TANDEMD_BIN and TANDEM_BIN name the programs (default: the release builds of this checkout).
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import openai
import pytest

ROOT = Path(__file__).resolve().parents[3]
TEMPLATES = Path(__file__).parent / "templates"
STORY = TEMPLATES / "story.jinja"
# By how much all limits of time are longer, where the machine is slow or busy.
PATIENCE = float(os.environ.get("TANDEM_TEST_PATIENCE", "1"))


def _program(variable: str, default: Path) -> Path:
    path = Path(os.environ.get(variable, default))
    if not path.exists():
        pytest.fail(f"{path} is missing: Tools/test-daemon builds it")
    return path


class Daemon:
    """A running daemon."""

    def __init__(self, process: subprocess.Popen, log: Path, socket: str | None, has_port: bool):
        self.process = process
        self.log_path = log
        self.socket = socket
        self.has_port = has_port
        self.url = ""

    def log(self) -> str:
        return self.log_path.read_text()

    def wait_ready(self, limit: float = 20) -> "Daemon":
        """Waits until the daemon answers with status ok."""
        deadline = time.monotonic() + limit * PATIENCE
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"tandemd ended with {self.process.returncode}: {self.log()}")
            if not self.url:
                found = re.search(r"(http://[^\s\"]+)", self.log())
                if found:
                    self.url = found.group(1)
                elif not self.has_port and "unix:" in self.log():
                    self.url = "http://localhost"
            if self.url:
                try:
                    if self.http().get("/health").status_code == 200:
                        return self
                except httpx.HTTPError:
                    pass
            time.sleep(0.01)
        raise AssertionError(f"tandemd is not ready after {limit} s: {self.log()}")

    def http(self, **options) -> httpx.Client:
        """A client without retries."""
        transport = httpx.HTTPTransport(uds=self.socket) if self.socket and self.url == "http://localhost" else None
        return httpx.Client(base_url=self.url, transport=transport, timeout=60, trust_env=False, **options)

    def client(self, key: str = "none", **options) -> openai.OpenAI:
        """OpenAI's client, without retries."""
        return openai.OpenAI(base_url=self.url + "/v1", api_key=key, max_retries=0, http_client=self.http(), **options)

    def metrics(self, headers: dict[str, str] | None = None) -> dict[str, float]:
        """All samples by name with labels."""
        response = self.http().get("/metrics", headers=headers)
        assert response.status_code == 200, response.text
        lines = [line for line in response.text.splitlines() if line and not line.startswith("#")]
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines}

    def wait_metric(self, name: str, test: Callable[[float], bool], limit: float = 10) -> float:
        """Waits until a metric passes a test; returns its value."""
        deadline = time.monotonic() + limit * PATIENCE
        while True:
            value = self.metrics().get(name, 0.0)
            if test(value):
                return value
            assert time.monotonic() < deadline, f"{name} stays {value}"
            time.sleep(0.01)

    def stop(self, sig: int = signal.SIGTERM, limit: float = 20) -> int:
        """Ends the daemon; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(sig)
        return self.process.wait(limit * PATIENCE)


@pytest.fixture(scope="session")
def tandemd_program() -> Path:
    return _program("TANDEMD_BIN", ROOT / "Tools/tandemd/.build/release/tandemd")


def _pack(target: Path, *arguments: object) -> Path:
    tandem = _program("TANDEM_BIN", ROOT / ".build/release/tandem")
    subprocess.run(
        [str(tandem), "pack", str(ROOT / "Examples/demo-model"), "-q", "-o", str(target), *map(str, arguments)],
        check=True,
    )
    return target


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo model: thousands of tokens per second."""
    return _pack(tmp_path_factory.mktemp("model") / "demo.tandem")


@pytest.fixture(scope="session")
def slow_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo model grown to the cost of 135 million parameters: an answer takes seconds, with the same text."""
    return _pack(tmp_path_factory.mktemp("slow") / "slow.tandem", "--expand", "smollm-135m")


@pytest.fixture(scope="session")
def launch(
    tandemd_program: Path, model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Daemon]]:
    """Starts daemons with flags given as keyword arguments; all end with the session."""
    daemons: list[Daemon] = []

    def start(*extra: object, env: dict[str, str] | None = None, wait: bool = True, **flags: object) -> Daemon:
        settings: dict[str, object] = {"model": f"demo={model}", "port": 0, "chat_template": STORY, **flags}
        if settings.get("unix_socket") and "port" not in flags:
            del settings["port"]
        command = [str(tandemd_program)]
        for name, value in settings.items():
            for one in value if isinstance(value, list) else [value]:
                if one is not None:
                    command += ["--" + name.replace("_", "-"), str(one)]
        log = tmp_path_factory.mktemp("log") / "log"
        environment = {k: v for k, v in os.environ.items() if not k.startswith("TANDEM_")}
        process = subprocess.Popen(
            [*command, *map(str, extra)], stderr=log.open("wb"), stdout=subprocess.DEVNULL,
            env={**environment, **(env or {})},
        )
        socket = settings.get("unix_socket")
        daemon = Daemon(process, log, str(socket) if socket else None, "port" in settings)
        daemons.append(daemon)
        return daemon.wait_ready() if wait else daemon

    yield start
    for daemon in daemons:
        if daemon.process.poll() is None:
            daemon.process.kill()
            daemon.process.wait()


@pytest.fixture(scope="session")
def daemon(launch: Callable[..., Daemon]) -> Daemon:
    """One daemon for the tests that need nothing special of it."""
    return launch()


@pytest.fixture(scope="session")
def slow_daemon(launch: Callable[..., Daemon], slow_model: Path) -> Daemon:
    """A daemon whose answers take seconds."""
    return launch(model=f"slow={slow_model}", draft_max=0)


@pytest.fixture
def client(daemon: Daemon) -> openai.OpenAI:
    return daemon.client()


# An answer that goes on to the end of the context whatever the model says.
ENDLESS = {"ignore_eos": True}
