# SPDX-License-Identifier: Apache-2.0
"""Training checkpoints that survive a kill at any moment: written beside, flushed to disk, then renamed."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from .errors import TrainError


def write_atomic(file: Path, state: dict) -> None:
    """Replaces ``file`` in one step: a reader sees the old content or the new one, never a part."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as handle:
            torch.save(state, handle)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)
    directory = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def read(file: Path) -> dict:
    """Reads a training checkpoint onto the CPU. Raises ``TrainError`` when missing or damaged."""
    if not file.is_file():
        raise TrainError(f"no training checkpoint at {file}")
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types for damaged archives
        raise TrainError(f"{file} is not a readable training checkpoint: {error}") from error
