# SPDX-License-Identifier: Apache-2.0
"""Generates with llama.cpp's server inside a memory control group: the peer of Tools/bench/lowram.

The server maps its model (no repacking, no warm-up), so that it can run in less memory than the file has. Tokens are counted as
they stream in, and the run ends after a number of tokens or of seconds: at one read of the file for every token the whole
text would take hours.
"""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from control_group import ControlGroup, device_of, drop_caches


@dataclass
class PeerResult:
    """One run of the peer."""

    limit_bytes: int | None
    rate_mb: int | None
    draft_max: int
    tokens: int = 0
    seconds: float = 0
    tokens_per_second: float = 0
    drafted: int = 0
    accepted: int = 0
    text: str = ""
    peak_bytes: int = 0
    bytes_read: int = 0
    readahead_kb: int | None = None
    killed: bool = False
    error: str = ""


@dataclass
class PeerServer:
    """How the peer is started."""

    program: Path
    model: Path
    draft: Path | None
    threads: int
    context: int = 1024
    start_seconds: float = 600

    def run(self, limit: int | None, rate: int | None, draft_max: int, prompt: str, tokens: int,
            seconds: float) -> PeerResult:
        """Starts the server in a group of its own, generates once, ends it. `draft_max` 0 is plain decoding."""
        result = PeerResult(limit_bytes=limit, rate_mb=rate, draft_max=draft_max)
        port = free_port()
        command = [str(self.program), "-m", str(self.model), "-t", str(self.threads), "-c", str(self.context),
                   "-np", "1", "--no-warmup", "--no-repack", "--port", str(port), "--host", "127.0.0.1",
                   "--cache-ram", "0"]
        if draft_max > 0:
            # A draft model alone does nothing: the kind of speculation has to be named as well.
            command += ["-md", str(self.draft), "--spec-type", "draft-simple", "--spec-draft-n-max", str(draft_max),
                        "--spec-draft-threads", str(self.threads)]
        group = ControlGroup(limit, device_of(self.model), rate * 1_000_000 if rate else None)
        drop_caches()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   preexec_fn=group.enter)
        try:
            wait_until_ready(port, process, self.start_seconds)
            generate(port, prompt, tokens, seconds, result)
            if draft_max > 0 and result.tokens > 1 and result.drafted == 0:
                result.error = "it did not speculate"
        except (OSError, TimeoutError, urllib.error.URLError) as error:
            result.error = f"{type(error).__name__}: {error}"
        finally:
            process.kill()
            process.wait()
            result.peak_bytes = group.peak()
            result.bytes_read = group.bytes_read()
            result.killed = group.was_killed()
            group.close()
        return result


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until_ready(port: int, process: subprocess.Popen[bytes], seconds: float) -> None:
    """Returns when the server has loaded its model."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise OSError(f"the server ended with {process.returncode}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            pass
        time.sleep(0.25)
    raise TimeoutError(f"not ready after {seconds:.0f} s")


def generate(port: int, prompt: str, tokens: int, seconds: float, result: PeerResult) -> None:
    """Streams a greedy text and notes when its tokens came; ends it after `seconds`."""
    body = {"prompt": prompt, "n_predict": tokens, "temperature": 0, "ignore_eos": True, "stream": True,
            "cache_prompt": False, "timings_per_token": True}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/completion", json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    first = last = 0.0
    pieces = []
    with urllib.request.urlopen(request, timeout=1800) as answer:
        for line in answer:
            if not line.startswith(b"data: "):
                continue
            event = json.loads(line[6:])
            now = time.monotonic()
            timings = event.get("timings", {})
            result.drafted = timings.get("draft_n", result.drafted)
            result.accepted = timings.get("draft_n_accepted", result.accepted)
            if event.get("stop"):
                break
            first = first or now
            last = now
            pieces.append(event.get("content", ""))
            if now - first > seconds:
                break
    result.text = "".join(pieces)
    result.tokens = len(pieces)
    result.seconds = last - first
    if result.tokens > 1 and last > first:
        result.tokens_per_second = (result.tokens - 1) / result.seconds
