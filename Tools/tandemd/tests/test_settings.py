# SPDX-License-Identifier: Apache-2.0
"""Flags, environment and file: which wins, and what is said about mistakes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def check(tandemd_program: Path):
    """Runs `--check-config`; returns the exit code and the last line."""

    def run(*arguments: object, **env: str) -> tuple[int, str]:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("TANDEM_")}
        done = subprocess.run(
            [str(tandemd_program), "--check-config", *map(str, arguments)], capture_output=True, text=True,
            env={**environment, **env}, timeout=20)
        return done.returncode, next(iter(done.stderr.splitlines()), "")

    return run


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--port", "70000"], "--port is '70000', but must be a whole number in 0 ... 65535"),
        (["--port", "web"], "--port is 'web'"),
        (["--threads", "0"], "--threads is '0'"),
        (["--draft-max", "65"], "--draft-max is '65', but must be a whole number in 0 ... 64"),
        (["--draft-tree", "513"], "--draft-tree is '513', but must be a whole number in 0 ... 512"),
        (["--memory", "lots"], "--memory is 'lots', but must be auto, mapped, or a size"),
        (["--max-body=-1"], "--max-body is '-1', but must be a size"),
        (["--max-time", "soon"], "--max-time is 'soon', but must be a time, such as 30, 90s, 10m or 2h"),
        (["--lazy", "maybe"], "--lazy is 'maybe', but must be true or false"),
        (["--log-level", "loud"], "--log-level is 'loud'"),
        (["--log-format", "xml"], "--log-format is 'xml', but must be one of logfmt, json"),
        (["--unix-socket", "/tmp/x", "--unix-socket-mode", "999"], "--unix-socket-mode is '999'"),
        (["--unix-socket", "/" + "x" * 120], "at most 107 bytes"),
        (["--unix-socket-mode", "600"], "no unix-socket"),
        (["--cors-origin", "example.org"], "--cors-origin is 'example.org'"),
        (["--chat-template", "/nonexistent"], "/nonexistent: No such file or directory"),
        (["--api-key-file", "/nonexistent"], "/nonexistent: No such file"),
        (["--api-key", "two words"], "--api-key is '…'"),
        (["--ctx-size", "1"], "--ctx-size is '1'"),
        (["--model", "a=/y"], "another name than 'a'"),
        (["--config", "/nonexistent"], "/nonexistent: No such file"),
    ],
)
def test_flags(check, arguments: list[str], text: str) -> None:
    code, line = check("--model", "a=/x", *arguments)
    assert code != 0 and text in line, line


def test_a_model_is_needed(check) -> None:
    code, line = check()
    assert code != 0 and "no model is given" in line
    assert check("--model", "/x.tandem")[0] == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model = /x\nport: 80\n", ":2: expected 'name = value'"),
        ("model = /x\n# comment\nprot = 80\n", ":3: there is no setting 'prot'"),
        ("model = /x\nport = 80\n\nport = 81\n", ":4: 'port' is already set on line 2"),
        ("model = /x\nport = http\n", ":2: port is 'http', but must be a whole number"),
        ('model = "/x\n', ":1: a quoted value must end"),
        ("model = /x\nmax-time = 1y\n", ":2: max-time is '1y'"),
    ],
)
def test_files(check, tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "tandemd.conf"
    file.write_text(text)
    code, line = check("--config", file)
    assert code != 0 and f"{file}{message}" in line, line
    code, line = check(TANDEM_CONFIG=str(file))
    assert code != 0 and f"{file}{message}" in line, line


def test_files_that_are_no_text(check, tmp_path: Path) -> None:
    file = tmp_path / "tandemd.conf"
    file.write_bytes(b"model = \xff\xfe")
    assert "not UTF-8" in check("--config", file)[1]
    file.write_bytes(b"#" * (2 << 20))
    assert "longer than" in check("--config", file)[1]
    assert "directory" in check("--config", tmp_path)[1]


def test_environment(check) -> None:
    assert "TANDEM_PORT is 'x'" in check(TANDEM_PORT="x", TANDEM_MODEL="/x")[1]
    assert check(TANDEM_MODEL="a=/x;b=/y")[0] == 0
    assert "another name than 'a'" in check(TANDEM_MODEL="a=/x; a=/y")[1]


def test_precedence(launch, model: Path, tmp_path: Path) -> None:
    file = tmp_path / "tandemd.conf"
    file.write_text(f'# a service\n; of ours\nmodel = "file={model}"\nmax-tokens = 3\nmax-prompt-tokens = 5\nqueue = 9\n')
    daemon = launch(
        "--max-prompt-tokens", "8", model=None, config=file,
        env={"TANDEM_MAX_TOKENS": "4", "TANDEM_MAX_PROMPT_TOKENS": "7"})
    client = daemon.client()
    assert client.models.list().data[0].id == "file"
    answer = client.completions.create(model="file", prompt=[1] * 8, max_tokens=50, extra_body={"ignore_eos": True})
    assert answer.usage.completion_tokens == 4
    response = daemon.http().post("/v1/completions", json={"prompt": [1] * 9})
    assert response.status_code == 400 and "limit is 8" in response.text
