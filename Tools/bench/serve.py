#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Load on an OpenAI-compatible server: clients that ask and read streams, one after the other, for some time.

    Tools/bench/serve.py --url http://127.0.0.1:8080 --clients 8 --seconds 600 --pid "$(pidof tandemd)"
    Tools/bench/serve.py --url http://127.0.0.1:8081 --clients 8 --seconds 60      # any other server

First one client alone, then all of them. Prints tokens per second of all clients together, and the times between tokens
of one client alone and of all, over the stream's pieces: pieces that arrive in one read share the time since the read
before, and a piece of several tokens (usage.completion_tokens tells) counts as so many. Needs nothing but Python.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

STARTS = [
    "Once upon a time", "One day, a little girl named Lily", "The dog and the cat", "There was a big tree",
    "Tom had a red ball", "In the morning the sun", "A small bird wanted", "Mom said to Ben",
]


@dataclass
class Figures:
    """What clients saw."""

    tokens: int = 0
    requests: int = 0
    errors: list[str] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    longest: list[float] = field(default_factory=list)

    def add(self, other: "Figures") -> None:
        self.tokens += other.tokens
        self.requests += other.requests
        self.errors += other.errors
        self.first += other.first
        self.gaps += other.gaps
        self.longest += other.longest


def percentile(values: list[float], share: float) -> float:
    """The value below which a share of the values lies; 0 when there are none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Client:
    """One user on one connection that is kept."""

    def __init__(self, options: argparse.Namespace, number: int):
        self.options = options
        self.random = random.Random(options.seed * 1000 + number)
        self.figures = Figures()
        self.connection: http.client.HTTPConnection | None = None

    def request(self) -> None:
        """One request, its stream read to the end."""
        options = self.options
        body = {
            "model": options.model, "prompt": f"{self.random.choice(STARTS)} {self.random.randrange(1000)}",
            "max_tokens": options.tokens, "temperature": options.temperature,
            "seed": self.random.randrange(1 << 30), "stream": True, "stream_options": {"include_usage": True},
        }
        if options.ignore_eos:
            body["ignore_eos"] = True
        headers = {"Content-Type": "application/json"}
        if options.key:
            headers["Authorization"] = f"Bearer {options.key}"
        address = urlsplit(options.url)
        if self.connection is None:
            self.connection = http.client.HTTPConnection(address.hostname, address.port or 80, timeout=120)
        began = time.perf_counter()
        self.connection.request("POST", address.path.rstrip("/") + "/v1/completions", json.dumps(body), headers)
        response = self.connection.getresponse()
        if response.status != 200:
            raise RuntimeError(f"status {response.status}: {response.read(200)!r}")
        self._read(response, began)

    def _read(self, response: http.client.HTTPResponse, began: float) -> None:
        arrivals: list[tuple[float, int]] = []
        usage = None
        done = False
        rest = b""
        while data := response.read1(65536):
            now = time.perf_counter()
            *lines, rest = (rest + data).split(b"\n")
            pieces = 0
            for line in lines:
                if not line.startswith(b"data: "):
                    continue
                if line.startswith(b"data: [DONE]"):
                    done = True
                    continue
                # Parsing every event would take the processors from a server on the same machine.
                if b'"usage":{' in line or b'"error"' in line:
                    event = json.loads(line[6:])
                    if "error" in event:
                        raise RuntimeError(f"stream: {event['error']}")
                    usage = event.get("usage") or usage
                elif b'"text":""' not in line and b'"choices":[]' not in line:
                    pieces += 1
            if pieces:
                arrivals.append((now, pieces))
        if not done:
            raise RuntimeError("the stream ended without [DONE]")
        tokens = usage["completion_tokens"] if usage else sum(count for _, count in arrivals)
        figures = self.figures
        figures.requests += 1
        figures.tokens += tokens
        if not arrivals:
            return
        figures.first.append(arrivals[0][0] - began)
        pieces = sum(count for _, count in arrivals)
        per_piece = tokens / pieces
        longest = 0.0
        for (before, _), (now, count) in zip(arrivals, arrivals[1:]):
            gap = (now - before) / (count * per_piece)
            figures.gaps += [gap] * max(1, round(count * per_piece))
            longest = max(longest, now - before)
        figures.longest.append(longest)

    def run(self, until: float) -> None:
        """Requests until the time is over."""
        while time.perf_counter() < until:
            try:
                self.request()
            except Exception as error:  # noqa: BLE001 - every failure of the server is a figure
                self.figures.errors.append(f"{type(error).__name__}: {error}")
                if self.connection:
                    self.connection.close()
                self.connection = None
                time.sleep(0.05)


def resident_mib(pid: int | None) -> float | None:
    """Resident memory of a process in MiB."""
    if pid is None:
        return None
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * 4096 / 2**20


def load(options: argparse.Namespace, clients: int, seconds: float) -> tuple[Figures, float, list[float]]:
    """Runs clients for some seconds; returns what they saw, the time it took, and the memory meanwhile."""
    began = time.perf_counter()
    users = [Client(options, number) for number in range(clients)]
    threads = [threading.Thread(target=user.run, args=(began + seconds,)) for user in users]
    for thread in threads:
        thread.start()
    memory: list[float] = []
    while any(thread.is_alive() for thread in threads):
        resident = resident_mib(options.pid)
        if resident is not None:
            memory.append(resident)
        time.sleep(min(1.0, seconds / 20))
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    total = Figures()
    for user in users:
        total.add(user.figures)
    return total, took, memory


def report(name: str, figures: Figures, seconds: float) -> None:
    """Prints one line of figures and the first errors."""
    print(
        f"{name:>10}: {figures.tokens / seconds:8.1f} tok/s  {figures.requests} requests  {len(figures.errors)} errors"
        f"  first token p50 {percentile(figures.first, 0.5) * 1e3:.2f} p99 {percentile(figures.first, 0.99) * 1e3:.2f} ms"
        f"  between tokens p50 {percentile(figures.gaps, 0.5) * 1e3:.3f} p99 {percentile(figures.gaps, 0.99) * 1e3:.3f} ms"
        f"  longest pause p99 {percentile(figures.longest, 0.99) * 1e3:.1f} ms")
    for error in sorted(set(figures.errors))[:5]:
        print(f"            {error}")


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="the server (default: %(default)s)")
    parser.add_argument("--model", default="", help="the model's name (default: the server's first)")
    parser.add_argument("--key", help="an API key")
    parser.add_argument("--clients", type=int, default=8, help="clients at a time (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=60, help="how long (default: %(default)s)")
    parser.add_argument("--alone", type=float, default=10, help="how long with one client (default: %(default)s)")
    parser.add_argument("--tokens", type=int, default=128, help="tokens per answer (default: %(default)s)")
    parser.add_argument("--temperature", type=float, default=0.8, help="of the sampling (default: %(default)s)")
    parser.add_argument("--ignore-eos", action="store_true", help="go on after end tokens")
    parser.add_argument("--seed", type=int, default=1, help="of prompts and sampling (default: %(default)s)")
    parser.add_argument("--pid", type=int, help="the server's process, for its memory")
    parser.add_argument("--json", help="write the figures to this file too")
    options = parser.parse_args()

    load(options, 1, min(2.0, options.alone))
    alone, alone_seconds, _ = load(options, 1, options.alone)
    report("1 client", alone, alone_seconds)
    together, seconds, memory = load(options, options.clients, options.seconds)
    report(f"{options.clients} clients", together, seconds)
    single, many = percentile(alone.gaps, 0.5), percentile(together.gaps, 0.99)
    figures = {
        "tokens_per_second": together.tokens / seconds, "tokens_per_second_alone": alone.tokens / alone_seconds,
        "gap_p50_alone": single, "gap_p99_alone": percentile(alone.gaps, 0.99), "gap_p99": many,
        "gap_p99_over_p50_alone": many / single if single else 0, "requests": together.requests,
        "gap_p99_over_p99_alone": many / percentile(alone.gaps, 0.99) if alone.gaps else 0,
        "errors": len(together.errors) + len(alone.errors), "seconds": seconds,
    }
    print(
        f"p99 between tokens is {figures['gap_p99_over_p50_alone']:.1f} times the p50, and"
        f" {figures['gap_p99_over_p99_alone']:.1f} times the p99, of one client alone")
    if memory:
        # The caches of all sessions are touched in the first seconds.
        settled = memory[max(1, len(memory) // 10):] or memory
        figures |= {"rss_start_mib": settled[0], "rss_end_mib": settled[-1], "rss_most_mib": max(settled)}
        print(
            f"resident memory {settled[0]:.1f} MiB after the first tenth, {settled[-1]:.1f} at the end"
            f" ({(settled[-1] / settled[0] - 1) * 100:+.2f} %), {max(settled):.1f} at most")
    if options.json:
        with open(options.json, "w") as file:
            json.dump(figures, file, indent=2)
    if figures["errors"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
