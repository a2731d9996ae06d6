# SPDX-License-Identifier: Apache-2.0
"""Where training runs: device, number type, and the processes of ``torchrun``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Iterable

import torch
import torch.distributed as dist

from .errors import TrainError


@dataclass(frozen=True)
class Runtime:
    """Device, compute type and place among the data-parallel processes."""

    device: torch.device
    dtype: torch.dtype
    rank: int = 0
    world: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes files and progress."""
        return self.rank == 0

    def average_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Replaces every gradient by its mean over all processes (one flat all-reduce)."""
        if self.world == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.flatten() for g in gradients])
        dist.all_reduce(flat)
        flat /= self.world
        for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients])):
            gradient.copy_(part.view_as(gradient))

    def average(self, values: torch.Tensor) -> torch.Tensor:
        """Mean of a small vector over all processes."""
        if self.world > 1:
            dist.all_reduce(values)
            values = values / self.world
        return values

    def barrier(self) -> None:
        """Waits for all processes."""
        if self.world > 1:
            dist.barrier()


def start(device: str = "auto", dtype: str = "auto", threads: int | None = None) -> Runtime:
    """Sets up device, type and, under ``torchrun``, the process group (nccl on CUDA, gloo on CPU).

    ``dtype`` auto is bf16 on CUDA devices that have it and on CPUs with AVX-512 BF16 or AMX, else float32.
    """
    if threads:
        torch.set_num_threads(threads)
    world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise TrainError("--device cuda: this PyTorch sees no CUDA device; use --device cpu")
    if device == "cuda" and world > 1:
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    chosen = {"fp32": torch.float32, "bf16": torch.bfloat16}.get(dtype)
    if chosen is None:
        chosen = torch.bfloat16 if _has_bf16(device) else torch.float32
    if world > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    return Runtime(torch.device(device), chosen, rank, world)


def _has_bf16(device: str) -> bool:
    if device.startswith("cuda"):
        return torch.cuda.is_bf16_supported()
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())
