# SPDX-License-Identifier: Apache-2.0
"""Samples on disk: what is taken is kept, so that a run goes on where it was stopped."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Callable

from .options import Mistake


class Store:
    """``results.json``: what was asked for, where, and every sample by its name. A kill costs the samples of the last seconds."""

    # Thousands of samples take a while to write.
    PATIENCE = 2.0

    def __init__(self, file: Path, identity: dict) -> None:
        self.file = file
        self.saved = float("-inf")
        self.content: dict = {"identity": identity, "samples": {}}
        if not file.is_file():
            return
        try:
            found = json.loads(file.read_text())
            known, samples = found["identity"], dict(found["samples"])
        except (ValueError, KeyError, TypeError) as error:
            raise Mistake(f"{file} is no file of results ({error}): remove it, or give another --results") from error
        changed = [name for name in identity if known.get(name) != identity[name]]
        if changed:
            raise Mistake(f"{file} was measured with another {', '.join(changed)}: use the same options, or another --results")
        self.content = found | {"samples": samples}

    def sample(self, name: str, take: Callable[[], object]) -> object:
        """The sample of that name, taken now unless there is one."""
        samples = self.content["samples"]
        if name not in samples:
            samples[name] = take()
            if time.monotonic() > self.saved + self.PATIENCE:
                self.save()
        return samples[name]

    def __getitem__(self, name: str) -> object:
        return self.content["samples"][name]

    def __contains__(self, name: str) -> bool:
        return name in self.content["samples"]

    def note(self, key: str, value: object) -> None:
        """Keeps something beside the samples."""
        self.content[key] = value
        self.save()

    def save(self) -> None:
        """Writes everything; the file is always whole."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.file.with_name(f".{self.file.name}.tmp")
        temporary.write_text(json.dumps(self.content, indent=1) + "\n")
        os.replace(temporary, self.file)
        self.saved = time.monotonic()
