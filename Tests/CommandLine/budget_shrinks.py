#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A control group's limit is lowered while `tandem generate` runs in it: the text stays the same, and nobody is killed.

    Tests/CommandLine/budget_shrinks.py TANDEM MODEL

The program plans with what the group has left (`--memory auto`), from storage that is throttled, so that a pass takes a
while. Once it streams, the limit goes down in steps: as far as the kernel can take memory back, then further when the program
has noticed and given back more, almost to what the plan says is the least. Needs root and memory control groups; says so and
succeeds where there are none.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "Tools" / "bench"))

from control_group import ControlGroup, device_of  # noqa: E402

PROMPT = "Once upon a time there was a little girl called Lily. One day"
MIB = 1 << 20


def plan(tandem: str, model: str, memory: int) -> dict[str, object]:
    """The plan for a budget."""
    command = [tandem, "plan", model, "--memory", str(memory), "-c", "512", "-t", "2", "--json"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def command(tandem: str, model: str, memory: str) -> list[str]:
    """Generates 300 tokens."""
    return [tandem, "generate", "-m", model, "-p", PROMPT, "-n", "300", "--temp", "0", "--ignore-eos", "-c", "512",
            "-t", "2", "--memory", memory, "--decode", "primary", "--json"]


def wait_until_streaming(group: ControlGroup, process: subprocess.Popen[bytes], file_bytes: int) -> None:
    """Returns when more has been read than loading reads, or the process has ended."""
    while process.poll() is None and group.bytes_read() < 2 * file_bytes:
        time.sleep(0.05)


def lower(group: ControlGroup, process: subprocess.Popen[bytes], target: int) -> bool:
    """Lowers the limit step by step; returns whether the target was reached while the process ran."""
    while process.poll() is None:
        if group.set_limit(target):
            return True
        # Some room to go on in, or the program could not even give memory back.
        group.set_limit(max(target, group.usage() + MIB))
        time.sleep(0.1)
    return False


def main() -> int:
    """Runs the test."""
    tandem, model = sys.argv[1], str(Path(sys.argv[2]).resolve())
    everything = plan(tandem, model, 1 << 40)
    least = int(everything["least_bytes"])
    spread = int(everything["total_bytes"]) - least
    # A program that plans with all it has left keeps 4 MiB free, and notices when half of that is gone; page tables and
    # other memory of the kernel's count in the group as well.
    target = least + 5 * MIB + MIB // 2
    budgets = [least + spread * share // 10 for share in range(9, 0, -1)]
    budget = next(b for b in budgets if plan(tandem, model, b)["residency"] == "streamed")
    start = budget + 4 * MIB
    assert start - target > 5 * MIB // 2, "the model is too small for this"
    try:
        group = ControlGroup(start, device_of(Path(model)), 60_000_000)
    except OSError as error:
        print(f"skipped: no memory control groups here ({error})")
        return 0
    expected = json.loads(subprocess.run(command(tandem, model, "mapped"), capture_output=True, check=True).stdout)
    try:
        process = subprocess.Popen(command(tandem, model, "auto"), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   preexec_fn=group.enter)
        wait_until_streaming(group, process, os.stat(model).st_size)
        reached = lower(group, process, target)
        output, problem = process.communicate()
        killed = group.was_killed()
    finally:
        group.close()
    if killed or process.returncode != 0:
        print(f"exit {process.returncode}, killed: {killed}: {problem.decode()}", file=sys.stderr)
        return 1
    result = json.loads(output)
    planned, memory = plan(tandem, model, budget), result["memory"]
    print(f"limit {start} -> {target}: planned {planned['total_bytes']} -> {memory['planned_bytes']}, layers in memory "
          f"{len(planned['pinned_layers'])} -> {memory['pinned_layers']}")
    if result["tokens"] != expected["tokens"]:
        print("another text", file=sys.stderr)
        return 1
    if not reached or memory["planned_bytes"] > target or memory["planned_bytes"] > planned["total_bytes"] - MIB:
        print(f"the limit was {'' if reached else 'not '}lowered, and the model did not follow", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
