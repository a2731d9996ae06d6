# SPDX-License-Identifier: Apache-2.0
"""The built `tandem` program against PyTorch: fixtures.

TANDEM_BIN names the program (default: the release build of this checkout).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tools" / "train"))


def _program() -> Path:
    if "TANDEM_BIN" in os.environ:
        return Path(os.environ["TANDEM_BIN"])
    return ROOT / ".build" / "release" / "tandem"


class Tandem:
    """Runs the program; every call checks the exit code."""

    def __init__(self, program: Path):
        self.program = program

    def __call__(self, *arguments: object, environment: dict[str, str] | None = None) -> str:
        done = subprocess.run(
            [str(self.program), *map(str, arguments)], capture_output=True, text=True,
            env={**os.environ, **(environment or {})},
        )
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout

    def json(self, *arguments: object, environment: dict[str, str] | None = None) -> dict:
        return json.loads(self(*arguments, "--json", environment=environment))


@pytest.fixture(scope="session")
def tandem() -> Tandem:
    program = _program()
    if not program.exists():
        pytest.fail(f"{program} is missing: run 'swift build -c release --product tandem' first")
    return Tandem(program)


@pytest.fixture(scope="session")
def demo_model() -> Path:
    path = ROOT / "Examples" / "demo-model"
    if not (path / "tandem.json").exists():
        pytest.skip("Examples/demo-model is not in this checkout")
    return path
