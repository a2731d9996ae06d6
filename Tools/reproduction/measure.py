# SPDX-License-Identifier: Apache-2.0
"""Samples of everything that the tables need, taken in turn."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from .engine import Engine
from .options import Mistake, Options
from .store import Store


@dataclass(frozen=True)
class Models:
    """The packed files of one size: the tandem, the vanilla pair and perhaps a mid-sized model."""

    size: str
    tandem: Path
    vanilla: Path
    mid: Path | None


@dataclass(frozen=True)
class Way:
    """One way to make a text. SPEED of any kind must give the primary's own, also when tokens are drawn: the seed is the same."""

    name: str
    file: str
    flags: tuple[str, ...]
    is_exact: bool = True


@dataclass(frozen=True)
class Prompt:
    """What to continue."""

    name: str
    category: str
    text: str


def standalone_name(gamma: int) -> str:
    """The name of a way that keeps what the secondary says."""
    return f"standalone tandem γ={gamma}"


def quality_gammas(options: Options) -> list[int]:
    """Block lengths at which the tandem's predictions are measured."""
    return list(dict.fromkeys((2, *options.gammas, *options.standalone)))


def ways(options: Options, models: Models) -> list[Way]:
    """Everything that is timed, the reference first."""
    found = [Way("primary", "tandem", ("--decode", "primary"))]
    for file in ("vanilla", "tandem"):
        for gamma in options.gammas:
            fixed = ("--draft-min", str(gamma), "--draft-max", str(gamma), "--no-lookup")
            found.append(Way(f"{file} γ={gamma}", file, ("--decode", "speed", *fixed)))
        found.append(Way(f"{file} adaptive", file, ("--decode", "speed", "--no-lookup")))
    found.append(Way("tandem adaptive+lookup", "tandem", ("--decode", "speed")))
    for gamma in options.standalone:
        found.append(Way(
            standalone_name(gamma), "tandem", ("--decode", "tandem", "--draft-min", str(gamma), "--draft-max", str(gamma)), False))
    found.append(Way("secondary alone", "vanilla", ("--decode", "secondary"), False))
    if models.mid:
        found.append(Way("mid-sized model", "mid", ("--decode", "primary"), False))
    return found


def read_prompts(options: Options) -> list[Prompt]:
    """The prompt file's, and the beginnings of the validation texts' documents. Raises ``Mistake``."""
    by_category: dict[str, list[Prompt]] = {}
    for number, line in enumerate(options.prompts.read_text().splitlines(), 1):
        try:
            entry = json.loads(line)
            category, text = entry["category"], entry["prompt"]
        except (ValueError, KeyError, TypeError) as error:
            raise Mistake(f"{options.prompts}:{number}: needs category and prompt ({error})") from error
        known = by_category.setdefault(category, [])
        known.append(Prompt(f"{category} {len(known) + 1}", category, text))
    for file in options.texts:
        documents = [part.strip() for part in file.read_text(errors="replace")[: 1 << 20].split("<|endoftext|>")]
        beginnings = [" ".join(part.split()[:40]) for part in documents if len(part.split()) >= 60]
        by_category[file.stem] = [Prompt(f"{file.stem} {n + 1}", file.stem, text) for n, text in enumerate(beginnings)]
    found = [prompt for known in by_category.values() for prompt in known[: options.per_category]]
    if not found:
        raise Mistake(f"{options.prompts}: no prompts")
    return found


def evaluation_text(file: Path) -> str:
    """A validation text without its separators."""
    return file.read_text(errors="replace")[: 1 << 20].replace("<|endoftext|>\n", "")


class Measurement:
    """Takes the samples of one size of the models and keeps them in the store."""

    def __init__(self, options: Options, engine: Engine, store: Store, models: Models, prompts: list[Prompt]) -> None:
        self.options, self.engine, self.store, self.models, self.prompts = options, engine, store, models, prompts
        self.ways = ways(options, models)

    def path(self, way: Way) -> Path:
        """The file that a way runs."""
        path: Path = getattr(self.models, way.file)
        return path

    def quality(self) -> None:
        """Table 1: how well each model predicts each text."""
        texts = {file.stem: evaluation_text(file) for file in self.options.texts}
        texts = texts or {"prompts": "\n".join(prompt.text for prompt in self.prompts)}
        files = {"vanilla": self.models.vanilla, "tandem": self.models.tandem}
        if self.models.mid:
            files["mid"] = self.models.mid
        for name, text in texts.items():
            for kind, path in files.items():
                for gamma in quality_gammas(self.options) if kind == "tandem" else (1,):
                    self.store.sample(
                        f"{self.models.size}/quality/{name}/{kind}/{gamma}",
                        lambda: self.engine.evaluate(path, text, self.options.eval_tokens, gamma))
        self.store.note("texts", list(texts))

    def speed(self) -> None:
        """Tables 2 to 5: every prompt by every way, in turn. Raises ``Mistake`` for a text that is not the primary's."""
        total = self.options.runs * len(self.prompts)
        for run in range(self.options.runs):
            for number, prompt in enumerate(self.prompts):
                reference: list[int] | None = None
                for way in self.ways:
                    found = self.store.sample(
                        self.speed_name(way, prompt, run),
                        lambda: self.engine.generate(
                            self.path(way), prompt.text, self.options.tokens, self.options.temperature, list(way.flags)))
                    assert isinstance(found, dict)
                    reference = found["tokens"] if reference is None else reference
                    if way.is_exact and found["tokens"] != reference:
                        raise Mistake(f"{self.models.size}, {prompt.name}: '{way.name}' gave another text than the primary")
                if sys.stderr.isatty():
                    progress = run * len(self.prompts) + number + 1
                    print(f"\r{self.models.size}: {progress}/{total} prompts", end="", file=sys.stderr, flush=True)
        if sys.stderr.isatty():
            print(file=sys.stderr)

    def parallel(self) -> None:
        """Several generations at a time: the primary alone, vanilla and tandem SPEED."""
        texts = [prompt.text for prompt in self.prompts]
        for run in range(self.options.runs):
            for sessions in self.options.parallel:
                for name, path, mode in self.parallel_ways():
                    self.store.sample(
                        f"{self.models.size}/parallel/{sessions}/{name}/{run}",
                        lambda: self.engine.parallel(path, texts, sessions, self.options.tokens, mode))

    def parallel_ways(self) -> list[tuple[str, Path, str]]:
        """Name, file and mode of what runs in parallel."""
        return [
            ("primary", self.models.tandem, "primary"), ("vanilla adaptive", self.models.vanilla, "speed"),
            ("tandem adaptive", self.models.tandem, "speed"),
        ]

    def speed_name(self, way: Way, prompt: Prompt, run: int) -> str:
        """The name of a sample."""
        return f"{self.models.size}/speed/{way.name}/{prompt.name}/{run}"
