# SPDX-License-Identifier: Apache-2.0
"""Our program, run once for every sample."""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .options import Mistake


@dataclass(frozen=True)
class Engine:
    """The program and its threads."""

    program: Path
    threads: int

    def run(self, *arguments: object, text: str | None = None) -> str:
        """Standard output of one command. Raises ``Mistake`` with the program's own line when it fails."""
        command = [str(self.program), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, input=text)
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or [f"ended with {done.returncode}"]
            # Help may follow the error, progress may come before it.
            said = next((line for line in lines if line.startswith("Error: ")), lines[-1])
            raise Mistake(f"tandem {arguments[0]}: {said.removeprefix('Error: ')}")
        return done.stdout

    def version(self) -> str:
        """The program's version."""
        return self.run("--version").strip()

    def pack(self, source: Path, work: Path, name: str, *flags: object) -> Path:
        """Packs a checkpoint into the folder `work`, unless that was done before with the same flags."""
        made = hashlib.sha256("\0".join(map(str, (source.resolve(), *flags))).encode()).hexdigest()
        out = work / f"{name}-{made[:12]}.tandem"
        if not out.is_file():
            self.run("pack", source, "-o", out, "--quiet", *flags)
        return out

    def evaluate(self, model: Path, text: str, tokens: int, gamma: int) -> dict:
        """`eval` over the beginning of a text."""
        return json.loads(self.run(
            "eval", "-m", model, "-f", "-", "--max-tokens", tokens, "--block-length", gamma, "-t", self.threads, "--json", "--quiet",
            text=text))

    def generate(self, model: Path, prompt: str, tokens: int, temperature: float, flags: list[str]) -> dict:
        """One text: its tokens, tokens per second, and what the two models did. What is drawn depends on the prompt alone."""
        found = json.loads(self.run(
            "generate", "-m", model, "-f", "-", "-n", tokens, "--temp", temperature, "--seed", 1, "--ignore-eos", "--no-verify",
            "-t", self.threads, "--json", *flags, text=prompt))
        speculative = found["speculative"]
        return {
            "tokens": found["tokens"],
            "per_second": found["timings"]["predicted_per_second"],
            "primary_runs": speculative["primary_passes"],
            "secondary_runs": speculative["drafted"] - speculative["looked_up"],
            "drafted": speculative["drafted"],
            "accepted": speculative["accepted"],
        }

    def parallel(self, model: Path, prompts: list[str], sessions: int, tokens: int, mode: str) -> float:
        """Tokens per second of several generations at a time, all together."""
        # A prompt is a line of the file.
        lines = "\n".join(prompt.replace("\n", " ") for prompt in prompts) + "\n"
        found = json.loads(self.run(
            "bench", "-m", model, "-p", 0, "-n", tokens, "--verify", 0, "-r", 1, "--parallel", sessions, "--decode", mode,
            "-t", self.threads, "-f", "-", "-o", "json", text=lines))
        name = f"tg{tokens} x {sessions}" + ("" if mode == "primary" else f" {mode}")
        entries = [entry for entry in found["results"] if entry.get("test") == name]
        if not entries:
            raise Mistake(f"tandem bench gave no row '{name}'")
        return float(entries[0]["median_ts"])
