# SPDX-License-Identifier: Apache-2.0
"""Memory control groups with throttled storage, in version 1 or 2 of the interface. Needs root."""

from __future__ import annotations

import contextlib
import os
import platform
import threading
import time
from collections.abc import Iterator
from pathlib import Path

MEMORY_V1 = Path("/sys/fs/cgroup/memory")
BLOCK_V1 = Path("/sys/fs/cgroup/blkio")
ROOT_V2 = Path("/sys/fs/cgroup")


class ControlGroup:
    """A control group for one process, in version 1 or 2; removed at the end."""

    def __init__(self, limit: int | None, device: str, bytes_per_second: int | None) -> None:
        name = f"tandem-lowram-{os.getpid()}-{time.monotonic_ns()}"
        self.device = device
        self.is_v1 = (MEMORY_V1 / "memory.limit_in_bytes").exists()
        self.folders: list[Path] = []
        if self.is_v1:
            self.memory = self._make(MEMORY_V1 / name)
            if limit is not None:
                (self.memory / "memory.limit_in_bytes").write_text(str(limit))
                swap = self.memory / "memory.memsw.limit_in_bytes"
                if swap.exists():
                    swap.write_text(str(limit))
            self.block = self._make(BLOCK_V1 / name)
            if bytes_per_second:
                (self.block / "blkio.throttle.read_bps_device").write_text(f"{device} {bytes_per_second}")
        else:
            self.memory = self.block = self._make(ROOT_V2 / name)
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

    def bytes_read(self) -> int:
        """Bytes that the device has delivered to the group, by whatever way: what the kernel counts."""
        if self.is_v1:
            file, key = self.block / "blkio.throttle.io_service_bytes", "Read"
            for line in file.read_text().splitlines() if file.exists() else []:
                fields = line.split()
                if fields[0] == self.device and fields[1] == key:
                    return int(fields[2])
            return 0
        file = self.block / "io.stat"
        for line in file.read_text().splitlines() if file.exists() else []:
            device, *values = line.split()
            if device == self.device:
                return next((int(v[7:]) for v in values if v.startswith("rbytes=")), 0)
        return 0

    def set_limit(self, limit: int) -> bool:
        """Changes the limit while the group runs; returns false where more is in use that cannot be taken back."""
        try:
            (self.memory / ("memory.limit_in_bytes" if self.is_v1 else "memory.high")).write_text(str(limit))
        except OSError:
            return False
        return True

    def usage(self) -> int:
        """Memory in use now, page cache included."""
        name = "memory.usage_in_bytes" if self.is_v1 else "memory.current"
        return int((self.memory / name).read_text())

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


class StorageWatch:
    """Looks at what a group reads, again and again, while a `with` block runs."""

    def __init__(self, group: ControlGroup, interval: float = 0.02) -> None:
        self.group = group
        self.interval = interval
        self.samples: list[tuple[float, int, int]] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> StorageWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        self._look()

    def _look(self) -> None:
        self.samples.append((time.monotonic(), self.group.bytes_read(), busy_milliseconds(self.group.device)))

    def _watch(self) -> None:
        while not self._end.wait(self.interval):
            self._look()

    def last(self, seconds: float) -> tuple[int, float, float]:
        """Bytes read in the last seconds, how many seconds these were, and the share of them in which the device (whoever
        used it) was busy."""
        end = self.samples[-1]
        start = min(self.samples, key=lambda sample: abs(sample[0] - (end[0] - seconds)))
        span = end[0] - start[0]
        return end[1] - start[1], span, (end[2] - start[2]) / 1000 / span if span > 0 else 0


def busy_milliseconds(device: str) -> int:
    """Time in which the device had something to do since the machine started."""
    for line in Path("/proc/diskstats").read_text().splitlines():
        fields = line.split()
        if f"{fields[0]}:{fields[1]}" == device:
            return int(fields[12])
    return 0


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


@contextlib.contextmanager
def readahead(device: str, kibibytes: int | None) -> Iterator[None]:
    """Sets the device's readahead for a `with` block, and puts it back however the block ends."""
    file = Path("/sys/dev/block") / device / "queue/read_ahead_kb"
    if kibibytes is None:
        yield
        return
    before = file.read_text()
    try:
        file.write_text(str(kibibytes))
        yield
    finally:
        file.write_text(before)


def computer() -> str:
    """The processor and the system in one line."""
    model = "?"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model")):
            model = line.split(":", 1)[1].strip()
            break
    return f"{model}, {len(os.sched_getaffinity(0))} processors, Linux {platform.release()}"


def machine(device: str) -> str:
    """One line that describes the machine and the file's device."""
    return f"{computer()}, device {device} with {readahead_of(device)} KiB of readahead"
