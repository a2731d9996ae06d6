# SPDX-License-Identifier: Apache-2.0
"""Texts that the primary writes itself: what a secondary meets when it drafts, and so what it should be trained on.

A batch of rows starts from windows of a prepared source, all of one length, and every row goes on at a temperature of its own.
A batch depends on its number and the plan alone, so an interrupted run continues with the same tokens.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .data import Corpus
from .errors import TrainError
from .model import LlamaLM, attend
from .runtime import Runtime


@dataclass(frozen=True)
class SamplePlan:
    """What is written. Every row holds ``length`` tokens: a prompt, its continuation, and the end-of-text id.

    Prompts have ``shortest`` to ``longest`` tokens of ``sources`` (name to weight); the share ``opening`` of them begins where a
    document does, the others anywhere. The rows take turns in ``temperatures`` (0 = the most probable token).
    """

    sources: dict[str, float]
    rows: int
    length: int = 256
    shortest: int = 16
    longest: int = 64
    opening: float = 0.5
    temperatures: tuple[float, ...] = (0.0, 0.7, 1.0)
    batch: int = 256
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.sources or min(self.sources.values()) <= 0:
            raise TrainError("the prompts need at least one source, every weight above zero")
        if not 1 <= self.shortest <= self.longest <= self.length - 2:
            raise TrainError("need 1 <= shortest prompt <= longest prompt <= --length - 2")
        if self.rows < 1 or self.batch < 1:
            raise TrainError("need at least one row of --length tokens and --batch >= 1")
        if not self.temperatures or not all(0 <= value < float("inf") for value in self.temperatures):
            raise TrainError("--temperatures: give numbers of at least zero")
        if not 0 <= self.opening <= 1:
            raise TrainError("--opening: give a share from 0 to 1")

    @property
    def batches(self) -> int:
        """How many batches hold all rows; the last one may be smaller."""
        return -(-self.rows // self.batch)


class Prompts:
    """Draws prompts from the sources of a plan."""

    def __init__(self, corpus: Corpus, plan: SamplePlan) -> None:
        self.plan, self.tokens, self.starts = plan, [], []
        weights = np.array(list(plan.sources.values()))
        self.shares = weights / weights.sum()
        for name in plan.sources:
            tokens = corpus.tokens(name)
            if tokens.size <= plan.longest:
                raise TrainError(f"source {name} has {tokens.size} tokens, too few for prompts of {plan.longest}")
            ends = np.flatnonzero(tokens == corpus.index["end_of_text"]) + 1
            starts = np.concatenate(([0], ends))
            self.tokens.append(tokens)
            self.starts.append(starts[starts + plan.longest <= tokens.size])

    def draw(self, rng: np.random.Generator, rows: int) -> np.ndarray:
        """``rows`` prompts of one length drawn from the plan's range, int64 ``[rows, length]``."""
        length = int(rng.integers(self.plan.shortest, self.plan.longest + 1))
        prompts = np.empty((rows, length), dtype=np.int64)
        for row, source in enumerate(rng.choice(len(self.tokens), size=rows, p=self.shares)):
            tokens, starts = self.tokens[source], self.starts[source]
            opens = rng.random() < self.plan.opening
            start = int(starts[rng.integers(len(starts))]) if opens else int(rng.integers(tokens.size - length + 1))
            prompts[row] = tokens[start : start + length]
        return prompts


def choose(logits: Tensor, temperatures: Tensor, uniform: Tensor) -> Tensor:
    """One token per row of ``logits [B, V]``: the most probable one where the temperature ``[B]`` is zero, elsewhere the one
    whose share of the distribution holds the number ``uniform [B]`` (from 0 up to, not including, 1)."""
    greedy = temperatures == 0
    chances = torch.softmax(logits.float() / torch.where(greedy, 1.0, temperatures)[:, None], -1)
    below = chances.cumsum(-1)
    drawn = torch.searchsorted(below, (uniform * below[:, -1])[:, None], right=True)[:, 0]
    return torch.where(greedy, logits.argmax(-1), drawn.clamp_max(logits.shape[-1] - 1))


class Writer:
    """Continues many prompts at a time. ``dtype`` of the runtime is the type of weights, caches and arithmetic."""

    def __init__(self, model: LlamaLM, runtime: Runtime) -> None:
        self.runtime = runtime
        self.model = model.to(runtime.device, runtime.dtype).requires_grad_(False)

    @torch.no_grad()
    def write(self, prompts: Tensor, length: int, temperatures: Tensor, uniform: Tensor) -> Tensor:
        """Rows of ``length`` tokens that begin with ``prompts [B, n]``; ``uniform [B, length - n]`` decides the draws."""
        config, runtime = self.model.config, self.runtime
        rows, given = prompts.shape
        out = torch.empty(rows, length, dtype=torch.int64, device=runtime.device)
        out[:, :given] = prompts
        shape = (rows, config.num_kv_heads, length, config.head_dim)
        keys, values = ([torch.empty(shape, dtype=runtime.dtype, device=runtime.device) for _ in self.model.model.layers]
                        for _ in range(2))
        temperatures, uniform = temperatures.to(runtime.device), uniform.to(runtime.device)
        at = 0
        for end in range(given, length):
            logits = self._pass(out[:, at:end], at, keys, values)
            out[:, end] = choose(logits, temperatures, uniform[:, end - given])
            at = end
        return out

    def _pass(self, tokens: Tensor, at: int, keys: list[Tensor], values: list[Tensor]) -> Tensor:
        """Logits ``[B, V]`` after ``tokens [B, n]`` at positions from ``at``; fills the caches ``[B, Hkv, slots, h]``."""
        model, end = self.model, at + tokens.shape[1]
        rope = model.rope(torch.arange(at, end, device=tokens.device))
        x = model.embed(tokens, self.runtime.dtype)
        for layer, k, v in zip(model.model.layers, keys, values):
            q, k[:, :, at:end], v[:, :, at:end] = layer.qkv(x, rope)
            if at == 0:
                attention = attend(q, k[:, :, :end], v[:, :, :end])
            else:
                # All rows of a single position see all slots: the heads of a group are queries of their common keys.
                grouped = q.unflatten(1, (k.shape[1], -1)).flatten(2, 3)
                attention = F.scaled_dot_product_attention(grouped, k[:, :, :end], v[:, :, :end]).flatten(1)[:, None]
            x = layer.finish(x, attention)
        return model.logits(x[:, -1])


class Sampling:
    """Writes the rows of a plan to ``FOLDER/NAME.bin.part``, batch by batch; what is there already is kept.

    ``NAME.bin.json`` beside it notes the plan while the file is unfinished.
    """

    seconds_between_reports = 10.0

    def __init__(self, corpus: Corpus, name: str, plan: SamplePlan, writer: Writer, model: str) -> None:
        config = writer.model.config
        if plan.length - 1 > config.max_positions:
            raise TrainError(f"rows of {plan.length} tokens exceed the model's context of {config.max_positions}")
        if corpus.index["vocab_size"] != config.vocab_size:
            raise TrainError(
                f"the corpus has {corpus.index['vocab_size']} vocabulary entries, the model {config.vocab_size}"
            )
        self.corpus, self.name, self.plan, self.writer = corpus, name, plan, writer
        self.prompts = Prompts(corpus, plan)
        self.note = {"model": model} | json.loads(json.dumps(asdict(plan)))
        self.part, self.state = corpus.folder / f"{name}.bin.part", corpus.folder / f"{name}.bin.json"

    def run(self) -> None:
        """Writes what is missing and adds the source to the corpus. Raises ``TrainError`` over an unfinished file of
        another plan."""
        plan, began = self.plan, time.monotonic()
        first = self._resume()
        shown = began
        with self.part.open("ab") as file:
            for number in range(first, plan.batches):
                rows = self._batch(number)
                file.write(rows.tobytes())
                file.flush()
                now = time.monotonic()
                if now - shown >= self.seconds_between_reports or number + 1 == plan.batches:
                    shown = now
                    self._report(number + 1, (now - began) / (number + 1 - first))
            os.fsync(file.fileno())
        tokens, documents = plan.rows * plan.length, plan.rows
        self.corpus.add(self.name, self.part, {"tokens": tokens, "documents": documents, "written": self.note})
        self.state.unlink()

    def _resume(self) -> int:
        """The first batch that is missing; cuts off what was not written whole. Only the number of rows may have changed."""
        if self.part.is_file() and self.state.is_file():
            if json.loads(self.state.read_text()) | {"rows": self.plan.rows} != self.note:
                raise TrainError(f"{self.part} was begun with other options: use the same ones, or remove it")
            plan, found = self.plan, self.part.stat().st_size
            row = plan.length * np.dtype(self.corpus.index["dtype"]).itemsize
            # A smaller last batch is no beginning of a whole one.
            done = plan.batches if found == plan.rows * row else min(found // (plan.batch * row), plan.rows // plan.batch)
            os.truncate(self.part, min(done * plan.batch, plan.rows) * row)
            if done:
                print(f"continuing from batch {done} in {self.part}", file=sys.stderr)
            return done
        self.state.write_text(json.dumps(self.note, indent=2) + "\n")
        self.part.write_bytes(b"")
        return 0

    def _batch(self, number: int) -> np.ndarray:
        """Rows ``[<= batch, length]`` of one batch, in the corpus's type; the end-of-text id ends each."""
        plan = self.plan
        rng = np.random.default_rng([plan.seed, number])
        rows = min(plan.batch, plan.rows - number * plan.batch)
        prompts = torch.from_numpy(self.prompts.draw(rng, rows))
        uniform = torch.from_numpy(rng.random((rows, plan.length), dtype=np.float32))
        temperatures = torch.tensor([plan.temperatures[row % len(plan.temperatures)] for row in range(rows)])
        text = self.writer.write(prompts.to(self.writer.runtime.device), plan.length - 1, temperatures, uniform)
        end = torch.full((rows, 1), self.corpus.index["end_of_text"], dtype=text.dtype)
        return torch.cat((text.cpu(), end), 1).numpy().astype(self.corpus.index["dtype"])

    def _report(self, done: int, pace: float) -> None:
        plan = self.plan
        left = int(pace * (plan.batches - done))
        print(
            f"batch {done}/{plan.batches}  {min(done * plan.batch, plan.rows) * plan.length:,} tokens  "
            f"{plan.batch * plan.length / pace:,.0f} tok/s  ETA {left // 3600}:{left // 60 % 60:02d}:{left % 60:02d}",
            file=sys.stderr, flush=True,
        )
