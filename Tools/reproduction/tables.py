# SPDX-License-Identifier: Apache-2.0
"""From samples to the paper's tables, in Markdown."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Iterable

from . import paper
from .measure import Measurement, Prompt, Way, quality_gammas, standalone_name


@dataclass(frozen=True)
class Speed:
    """What one way does with a set of prompts: tokens per second over all of them, runs of both models for a text,
    accepted drafts for a pass of the primary."""

    per_second: float
    primary_runs: float
    secondary_runs: float
    accepted: float


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def _seconds(sample: dict) -> float:
    return len(sample["tokens"]) / sample["per_second"]


class Tables:
    """The tables of one size of the models."""

    def __init__(self, measurement: Measurement) -> None:
        self.measurement = measurement
        self.options, self.store, self.size = measurement.options, measurement.store, measurement.models.size
        self.ways = {way.name: way for way in measurement.ways}
        self.categories = list(dict.fromkeys(prompt.category for prompt in measurement.prompts))

    # Figures

    def speed(self, way: Way | str, category: str | None = None) -> Speed:
        """Over all prompts, or those of a category; times of a prompt are medians of its runs."""
        way = self.ways[way] if isinstance(way, str) else way
        seconds, tokens, found = 0.0, 0, []
        for prompt in self._prompts(category):
            samples = self._samples(way, prompt)
            tokens += len(samples[0]["tokens"])
            seconds += statistics.median(map(_seconds, samples))
            found += samples
        runs = sum(sample["primary_runs"] for sample in found)
        return Speed(
            tokens / seconds, runs / len(found), sum(sample["secondary_runs"] for sample in found) / len(found),
            sum(sample["accepted"] for sample in found) / max(1, runs))

    def _prompts(self, category: str | None) -> list[Prompt]:
        return [prompt for prompt in self.measurement.prompts if category in (None, prompt.category)]

    def _samples(self, way: Way, prompt: Prompt) -> list[dict]:
        samples = []
        for run in range(self.options.runs):
            sample = self.store[self.measurement.speed_name(way, prompt, run)]
            assert isinstance(sample, dict)
            samples.append(sample)
        return samples

    def gain(self, way: str, category: str | None = None, over: str = "primary") -> float:
        """Speed over that of another way.

        Every run is compared with the other way's run in the same turn, because the machine is faster in some minutes than in
        others; of a prompt's ratios the median counts, with the weight of the prompt's time.
        """
        usual, needed = 0.0, 0.0
        for prompt in self._prompts(category):
            others = [_seconds(sample) for sample in self._samples(self.ways[over], prompt)]
            own = [_seconds(sample) for sample in self._samples(self.ways[way], prompt)]
            usual += statistics.median(others)
            needed += statistics.median(others) * statistics.median(mine / other for mine, other in zip(own, others))
        return usual / needed

    def best_fixed(self, file: str, category: str | None = None) -> tuple[int, float]:
        """The block length with the highest speed, and its gain."""
        return max(((gamma, self.gain(f"{file} γ={gamma}", category)) for gamma in self.options.gammas), key=lambda pair: pair[1])

    # Tables

    def markdown(self) -> str:
        """All tables."""
        parts = [
            f"## {self.size}\n", self.quality(), self.fixed(), self.standalone(), self.adaptive(), self.runs(), self.parallel(),
        ]
        return "\n".join(parts)

    def quality(self) -> str:
        """Table 1."""
        rows = []
        texts = self.store.content["texts"]
        for text in texts:
            shown = False
            for kind in ("vanilla", "tandem", "mid"):
                gammas = quality_gammas(self.options) if kind == "tandem" else [1]
                for gamma in gammas:
                    name = f"{self.size}/quality/{text}/{kind}/{gamma}"
                    if name not in self.store:
                        continue
                    entry = self.store[name]
                    assert isinstance(entry, dict)
                    if not shown:
                        rows.append(self._quality_row(f"{text}: primary", entry["primary"]))
                        shown = True
                    label = {"vanilla": "vanilla, distilled", "tandem": f"tandem, γ = {gamma}", "mid": "mid-sized model"}[kind]
                    rows.append(self._quality_row(f"{text}: {label}", entry["primary" if kind == "mid" else "secondary"]))
        for kind, figures in paper.TABLE_1.items():
            rows.append([f"*paper: {figures['model']}*", "", "", f"{figures['accuracy_vs_primary']:.2f}", f"{figures['total_variation']:.3f}"])
        return "### Table 1: prediction\n\n" + table(
            ["model", "accuracy %", "cross-entropy", "accuracy against the primary %", "TV"], rows)

    @staticmethod
    def _quality_row(name: str, figures: dict) -> list[str]:
        same, distance = figures.get("same_top"), figures.get("total_variation")
        return [
            name, f"{100 * figures['accuracy']:.2f}", f"{figures['cross_entropy']:.4f}", f"{100 * same:.2f}" if same is not None else "–",
            f"{distance:.3f}" if distance is not None else "–",
        ]

    def fixed(self) -> str:
        """Table 2: SPEED at fixed block lengths."""
        rows = []
        for category in (None, *self.categories):
            for gamma in self.options.gammas:
                vanilla, tandem = (self.gain(f"{file} γ={gamma}", category) for file in ("vanilla", "tandem"))
                over = self.gain(f"tandem γ={gamma}", category, over=f"vanilla γ={gamma}")
                drafts = [self.speed(f"{file} γ={gamma}", category).accepted for file in ("vanilla", "tandem")]
                rows.append([
                    f"{category or 'all prompts'}, γ = {gamma}", f"{vanilla:.2f}×", f"{tandem:.2f}×", f"{over:.3f}×",
                    f"{drafts[0]:.2f}", f"{drafts[1]:.2f}",
                ])
            if category is None:
                (first, vanilla), (second, tandem) = (self.best_fixed(file) for file in ("vanilla", "tandem"))
                over = self.gain(f"tandem γ={second}", over=f"vanilla γ={first}")
                rows.append([
                    f"all prompts, each at its best (γ = {first}, {second})", f"{vanilla:.2f}×", f"{tandem:.2f}×", f"{over:.3f}×", "", "",
                ])
        rows.append([
            "*paper: Reddit*", f"{paper.TABLE_2['vanilla']:.2f}×", f"{paper.TABLE_2['tandem']:.2f}×",
            f"{paper.TABLE_2['tandem'] / paper.TABLE_2['vanilla']:.3f}×", "", "",
        ])
        return "### Table 2: SPEED over the primary alone\n\n" + table(
            ["prompts", "vanilla", "tandem", "tandem over vanilla", "accepted a pass, vanilla", "tandem"], rows)

    def standalone(self) -> str:
        """Table 3: models whose own tokens count."""
        accuracy = self.standalone_accuracy()
        rows = [["primary", f"{self.speed('primary').per_second:.1f}", "1.00×", accuracy["primary"], "1.00×"]]
        shown = [("secondary alone", "secondary", "secondary")]
        shown += [(standalone_name(gamma), f"tandem {gamma}", "tandem") for gamma in self.options.standalone]
        for name, key, kind in [*shown, ("mid-sized model", "mid", "mid")]:
            if name in self.ways:
                known = f"{paper.TABLE_3[kind]:.2f}×" if kind != "tandem" or name == standalone_name(paper.STANDALONE) else ""
                rows.append([name.replace("γ=", "γ = "), f"{self.speed(name).per_second:.1f}", f"{self.gain(name):.2f}×", accuracy[key], known])
        return "### Table 3: standalone\n\n" + table(["model", "tokens/s", "over the primary", "accuracy %", "*paper*"], rows)

    def standalone_accuracy(self) -> dict[str, str]:
        """Next-token accuracy of the models whose own tokens count, a mean over the texts of table 1, by kind.

        Of every γ + 1 tokens of a standalone tandem the last one is the primary's. The secondary alone is the distilled one.
        """
        def mean(kind: str, gamma: int, part: str) -> float | None:
            names = [f"{self.size}/quality/{text}/{kind}/{gamma}" for text in self.store.content["texts"]]
            entries = [self.store[name] for name in names if name in self.store]
            if not names or len(entries) < len(names):
                return None
            return sum(entry[part]["accuracy"] for entry in entries) / len(entries)

        primary = mean("vanilla", 1, "primary")
        found = {"primary": primary, "secondary": mean("vanilla", 1, "secondary"), "mid": mean("mid", 1, "primary")}
        for gamma in self.options.standalone:
            tandem = mean("tandem", gamma, "secondary")
            found[f"tandem {gamma}"] = None if primary is None or tandem is None else (gamma * tandem + primary) / (gamma + 1)
        return {kind: "–" if share is None else f"{100 * share:.2f}" for kind, share in found.items()}

    def adaptive(self) -> str:
        """Table 4: adaptive block length against the best fixed one."""
        rows = []
        for category in (None, *self.categories):
            gamma, best = self.best_fixed("tandem", category)
            ways = "tandem adaptive", "tandem adaptive+lookup"
            own, lookup = (self.gain(way, category) for way in ways)
            over, lookup_over = (self.gain(way, category, over=f"tandem γ={gamma}") for way in ways)
            rows.append([
                category or "all prompts", f"{self.gain('vanilla adaptive', category):.2f}×", f"{best:.2f}× (γ = {gamma})",
                f"{own:.2f}×", f"{over:.3f}×", f"{lookup:.2f}×", f"{lookup_over:.3f}×",
            ])
        adaptive, fixed = paper.TABLE_4["tandem"], paper.TABLE_2["tandem"]
        rows.append(["*paper: Reddit*", "", f"{fixed:.2f}×", f"{adaptive:.2f}×", f"{adaptive / fixed:.3f}×", "", ""])
        return "### Table 4: adaptive block length, over the primary alone\n\n" + table(
            ["prompts", "vanilla adaptive", "tandem, best fixed", "tandem adaptive", "over best fixed", "with prompt lookup", "over best fixed"],
            rows)

    def runs(self) -> str:
        """Table 5: how often each model runs for a text."""
        rows = []
        for way in self.ways.values():
            if way.is_exact and way.name != "primary":
                found = self.speed(way)
                rows.append([way.name, f"{found.primary_runs:.2f}", f"{found.secondary_runs:.2f}"])
        for kind, (primary, secondary) in paper.TABLE_5.items():
            rows.append([f"*paper: {kind}, adaptive, LM1B*", f"{primary:.2f}", f"{secondary:.2f}"])
        return f"### Table 5: runs for {self.options.tokens} tokens\n\n" + table(
            ["way", "primary runs", "drafts of the secondary"], rows)

    def parallel(self) -> str:
        """Several generations at a time."""
        rows = []
        for sessions in self.options.parallel:
            speeds = {}
            for name, _, _ in self.measurement.parallel_ways():
                samples = [self.store[f"{self.size}/parallel/{sessions}/{name}/{run}"] for run in range(self.options.runs)]
                speeds[name] = statistics.median(float(str(sample)) for sample in samples)
            rows += [
                [f"{name}, {sessions} at a time", f"{speed:.1f}", f"{speed / speeds['primary']:.2f}×"] for name, speed in speeds.items()
            ]
        return "### Several samples at a time\n\n" + table(["way", "tokens/s of all", "over the primary"], rows)
