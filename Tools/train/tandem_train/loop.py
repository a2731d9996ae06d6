# SPDX-License-Identifier: Apache-2.0
"""The training loop shared by pre-training and tandem training: schedule, batches, checkpoints, progress.

A ``Task`` holds one or more branches (independent sets of trained modules). All branches see the same batches; their
losses are summed for one backward pass, which keeps their gradients apart because they share no trained parameter (but for a
primary that is trained with its tandem, which is meant to feel the tandem's loss).
"""

from __future__ import annotations

import json
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from . import checkpoint
from .data import Corpus, Sampler
from .errors import TrainError
from .optim import Optimizer, schedule
from .runtime import Runtime


@dataclass(frozen=True)
class Plan:
    """How long and on what to train. Learning rates are peaks; ``decay`` is the last fraction of the steps.

    The last ``final_fraction`` of the steps use windows of ``final_length`` tokens (0 = no such phase).
    """

    steps: int
    batch_tokens: int
    length: int
    mix: dict[str, float]
    seed: int = 0
    final_length: int = 0
    final_fraction: float = 0.0
    warmup: int = 50
    decay: float = 0.6
    muon_lr: float = 0.012
    adam_lr: float = 0.003
    weight_decay: float = 0.02
    save_every: int = 100

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch_tokens < self.length or self.length < 2:
            raise TrainError("need --steps >= 1, --length >= 2 and --batch-tokens of at least one window")

    def length_at(self, step: int) -> int:
        """Window length used at ``step``."""
        late = self.final_length and step >= self.steps - round(self.steps * self.final_fraction)
        return self.final_length if late else self.length


class Task(Protocol):
    """What the loop trains."""

    branches: dict[str, dict[str, nn.Module]]

    def losses(self, batch: Tensor, step: int, steps: int) -> dict[str, Tensor]:
        """One loss per branch for windows ``[B, T + 1]``; ``step`` counts from 0."""


class Loop:
    """Trains a task in a folder. ``meta`` describes the models, it is kept in the checkpoint for ``export``."""

    seconds_between_reports = 10.0

    def __init__(self, task: Task, plan: Plan, corpus: Corpus, out: Path, runtime: Runtime, meta: dict) -> None:
        self.task, self.plan, self.out, self.runtime, self.meta = task, plan, out, runtime, meta
        lengths = {plan.length, plan.final_length or plan.length}
        self.samplers = {length: Sampler(corpus, plan.mix, length, plan.seed) for length in sorted(lengths)}
        self.optimizers = {
            name: Optimizer(modules, plan.muon_lr, plan.adam_lr, plan.weight_decay) for name, modules in task.branches.items()
        }
        self.step = 0
        self.history: list[list[float]] = []  # step, then one loss per branch
        self._stop = False

    @property
    def file(self) -> Path:
        """The training checkpoint."""
        return self.out / "training.pt"

    def save(self) -> None:
        """Writes everything that the next steps depend on."""
        if self.runtime.leads:
            checkpoint.write_atomic(self.file, {
                "step": self.step,
                "meta": self.meta,
                "plan": asdict(self.plan),
                "samplers": {length: sampler.state() for length, sampler in self.samplers.items()},
                "modules": {b: {n: m.state_dict() for n, m in ms.items()} for b, ms in self.task.branches.items()},
                "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
                "history": self.history,
            })
        self.runtime.barrier()

    def resume(self) -> bool:
        """Continues from the folder's checkpoint. Only the steps, what depends on them, the weights of the mix and
        how often it is saved may have changed."""
        if not self.file.is_file():
            return False
        state = checkpoint.read(self.file)
        free = {"steps", "decay", "save_every", "final_fraction", "mix"}  # the samplers look after the names in the mix
        now = asdict(self.plan)
        changed = [key for key in now if key not in free and now[key] != state["plan"].get(key)]
        if changed:
            raise TrainError(f"{self.file} was made with another {', '.join(changed)}: use the same options, or another --out")
        if set(state["modules"]) != set(self.task.branches):
            raise TrainError(f"{self.file} trains {', '.join(state['modules'])}: use the same options, or another --out")
        for branch, modules in self.task.branches.items():
            for name, module in modules.items():
                module.load_state_dict(state["modules"][branch][name])
            self.optimizers[branch].load_state_dict(state["optimizers"][branch])
        for length, sampler in self.samplers.items():
            sampler.restore(state["samplers"][length])
        self.step, self.history = state["step"], state["history"]
        return True

    def run(self) -> list[list[float]]:
        """Trains to the last step; returns the history. Ctrl-C and SIGTERM save first, then raise ``KeyboardInterrupt``."""
        previous = {s: signal.signal(s, self._interrupt) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            self._run()
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
        return self.history

    def _interrupt(self, *_: object) -> None:
        self._stop = True

    def _run(self) -> None:
        names, runtime, plan = list(self.task.branches), self.runtime, self.plan
        began, first, shown = time.monotonic(), self.step, 0.0
        opening = self.step + 1
        while self.step < plan.steps:
            length = plan.length_at(self.step)
            rows = max(runtime.world, plan.batch_tokens // length // runtime.world * runtime.world)
            batch = self.samplers[length].batch(rows, runtime.rank, runtime.world).to(runtime.device)
            losses = self.task.losses(batch, self.step, plan.steps)
            torch.stack([losses[name] for name in names]).sum().backward()
            factor = schedule(self.step, plan.steps, plan.warmup, plan.decay)
            for name in names:
                modules = self.task.branches[name].values()
                runtime.average_gradients(p for module in modules for p in module.parameters())
                self.optimizers[name].step(factor)
            values = runtime.average(torch.stack([losses[name].detach().float() for name in names]).cpu()).tolist()
            if not all(value == value for value in values):
                raise TrainError(f"the loss became not-a-number at step {self.step}: lower --muon-lr and --adam-lr")
            self.step += 1
            self.history.append([self.step, *values])
            now = time.monotonic()
            if runtime.leads and (now - shown >= self.seconds_between_reports or self.step == plan.steps):
                shown = now
                self._report(names, values, (now - began) / (self.step - first), rows * length, factor)
            if self.step == opening:  # it compiled, perhaps: its pace says nothing of the others
                began, first = now, self.step
            if self.step % plan.save_every == 0 or self.step == plan.steps or self._stop:
                self.save()
            if self._stop:
                raise KeyboardInterrupt

    def _report(self, names: list[str], values: list[float], pace: float, tokens: int, factor: float) -> None:
        left = int(pace * (self.plan.steps - self.step))
        losses = "  ".join(f"{name} {value:.4f}" for name, value in zip(names, values))
        print(
            f"step {self.step}/{self.plan.steps}  {losses}  lr x{factor:.3f}  {tokens / pace:,.0f} tok/s  "
            f"ETA {left // 3600}:{left // 60 % 60:02d}:{left % 60:02d}",
            file=sys.stderr, flush=True,
        )


def write_history(out: Path, names: list[str], history: list[list[float]]) -> None:
    """Writes the losses as JSON beside the model."""
    (out / "history.json").write_text(json.dumps({"branches": names, "losses": history}) + "\n")
