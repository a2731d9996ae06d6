#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kills `tandem generate --session` at random moments: there must always be the old file or the new one, whole.

Usage: TANDEM_BIN=.build/release/tandem Tests/CommandLine/session_kill.py MODEL [ROUNDS]
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TANDEM = os.environ.get("TANDEM_BIN", ".build/release/tandem")


def command(model: str, session: Path, text: str, count: int) -> list[str]:
    """A run that goes on from `session` and writes it again."""
    return [
        TANDEM, "generate", "-m", model, "-p", text, "-n", str(count), "--temp", "0", "-t", "1", "-q",
        "--ignore-eos", "--session", str(session),
    ]  # fmt: skip


def run(arguments: list[str]) -> None:
    """Runs to the end, which has to be a good one."""
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def main() -> None:
    model, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 40
    texts = ["the hen and the fox " * 5, "a heron stood by the river " * 4]
    chance = random.Random(5)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # What each text's file holds when nobody is killed, and when in its life a run writes it.
        whole: list[bytes] = []
        starts: list[float] = []
        for index, text in enumerate(texts):
            path = folder / f"whole{index}"
            run(command(model, path, text, 3))
            again = time.monotonic()
            path.unlink()
            run(command(model, path, text, 3))
            starts.append(time.monotonic() - again)
            whole.append(path.read_bytes())
        session = folder / "session"
        run(command(model, session, texts[0], 3))
        killed = during = changed = 0
        for turn in range(rounds):
            before = session.read_bytes()
            child = subprocess.Popen(
                command(model, session, texts[turn % 2], 3),
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            # Mostly near the end, when the file is written.
            longest = starts[turn % 2]
            time.sleep(longest * (chance.uniform(0.5, 1.05) if chance.random() < 0.8 else chance.random()))
            child.kill()
            is_killed = child.wait() == -9
            killed += is_killed
            # The machine may have become faster or slower.
            starts[turn % 2] *= 1.02 if is_killed else 0.9
            during += any(folder.glob(f"session.partial-{child.pid}"))
            after = session.read_bytes()
            assert after in whole, f"turn {turn}: neither the old file nor the new one"
            changed += after != before
        assert killed >= rounds // 4, f"only {killed} of {rounds} were killed"
        # The last run finds a sound file, and nothing that was left behind stops it.
        run(command(model, session, texts[0], 3))
        assert session.read_bytes() == whole[0]
        print(f"{killed} of {rounds} killed, {during} of them while writing, {changed} files replaced")


if __name__ == "__main__":
    main()
