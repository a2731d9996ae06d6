# SPDX-License-Identifier: Apache-2.0
"""Memory control groups with throttled storage, in version 1 or 2 of the interface. Needs root."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

MEMORY_V1 = Path("/sys/fs/cgroup/memory")
BLOCK_V1 = Path("/sys/fs/cgroup/blkio")
ROOT_V2 = Path("/sys/fs/cgroup")


class ControlGroup:
    """A control group for one process, in version 1 or 2; removed at the end."""

    def __init__(self, limit: int | None, device: str, bytes_per_second: int | None) -> None:
        name = f"tandem-lowram-{os.getpid()}-{time.monotonic_ns()}"
        self.is_v1 = (MEMORY_V1 / "memory.limit_in_bytes").exists()
        self.folders: list[Path] = []
        if self.is_v1:
            self.memory = self._make(MEMORY_V1 / name)
            if limit is not None:
                (self.memory / "memory.limit_in_bytes").write_text(str(limit))
                swap = self.memory / "memory.memsw.limit_in_bytes"
                if swap.exists():
                    swap.write_text(str(limit))
            if bytes_per_second:
                block = self._make(BLOCK_V1 / name)
                (block / "blkio.throttle.read_bps_device").write_text(f"{device} {bytes_per_second}")
        else:
            self.memory = self._make(ROOT_V2 / name)
            if limit is not None:
                (self.memory / "memory.max").write_text(str(limit))
                swap = self.memory / "memory.swap.max"
                if swap.exists():
                    swap.write_text("0")
            if bytes_per_second:
                (self.memory / "io.max").write_text(f"{device} rbps={bytes_per_second}")

    def _make(self, folder: Path) -> Path:
        folder.mkdir()
        self.folders.append(folder)
        return folder

    def enter(self) -> None:
        """Moves the calling process into the group."""
        for folder in self.folders:
            (folder / "cgroup.procs").write_text(str(os.getpid()))

    def peak(self) -> int:
        """Most memory in use at a time, page cache and kernel memory included."""
        name = "memory.max_usage_in_bytes" if self.is_v1 else "memory.peak"
        file = self.memory / name
        return int(file.read_text()) if file.exists() else 0

    def limit_hits(self) -> int:
        """How often the limit made the kernel take page cache back, or worse."""
        if self.is_v1:
            return int((self.memory / "memory.failcnt").read_text())
        return self._event("max")

    def was_killed(self) -> bool:
        """Whether the kernel killed a process of the group for memory."""
        return self._event("oom_kill") > 0

    def _event(self, name: str) -> int:
        file = self.memory / ("memory.oom_control" if self.is_v1 else "memory.events")
        for line in file.read_text().splitlines():
            key, value = line.split()
            if key == name:
                return int(value)
        return 0

    def close(self) -> None:
        """Removes the group; its processes have ended."""
        for folder in self.folders:
            for _ in range(50):
                try:
                    folder.rmdir()
                    break
                except OSError:
                    time.sleep(0.02)


def drop_caches() -> None:
    """Empties the page cache, so that every run starts from storage."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")


def device_of(path: Path) -> str:
    """`major:minor` of the whole device that holds a file."""
    number = path.stat().st_dev
    name = f"{os.major(number)}:{os.minor(number)}"
    folder = Path("/sys/dev/block") / name
    if (folder / "partition").exists():
        name = (folder.resolve().parent / "dev").read_text().strip()
    return name


def readahead_of(device: str) -> str:
    """The device's readahead in KiB, for the description of the machine."""
    file = Path("/sys/dev/block") / device / "queue/read_ahead_kb"
    return file.read_text().strip() if file.exists() else "?"


def machine(device: str) -> str:
    """One line that describes the machine."""
    model = "?"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model")):
            model = line.split(":", 1)[1].strip()
            break
    return (f"{model}, {len(os.sched_getaffinity(0))} processors, Linux {platform.release()}, "
            f"device {device} with {readahead_of(device)} KiB of readahead")
