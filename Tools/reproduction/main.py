# SPDX-License-Identifier: Apache-2.0
"""One run from models to tables."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from .engine import Engine
from .measure import Measurement, Models, read_prompts
from .options import ROOT, Mistake, Options, parse
from .plots import plot_gains, require_plots
from .store import Store
from .tables import Tables

sys.path.insert(0, str(ROOT / "Tools" / "bench"))
from control_group import computer  # noqa: E402


def train(options: Options) -> Options:
    """Makes the models from texts, a mid-sized one too unless there is one; what is done already is skipped."""
    assert options.corpus and options.work
    script = ROOT / "Tools" / "train" / "make-demo"
    if subprocess.run([script, options.corpus, options.work / "train"]).returncode != 0:
        raise Mistake(f"{script.name} failed; the same command goes on where it stopped")
    made = options.work / "train"
    return replace(options, checkpoint=made / "third" / "checkpoint", mid=options.mid or made / "mid" / "checkpoint" / "alone")


def pack(options: Options, engine: Engine, work: Path) -> list[Models]:
    """The packed models of every size that is asked for."""
    baseline = options.checkpoint / options.baseline
    if not baseline.is_dir():
        raise Mistake(f"{options.checkpoint} has no {options.baseline}: name the vanilla draft model with --baseline")
    sizes: list[tuple[str, list[object]]] = [("own size", [])]
    if options.expand:
        sizes.append((f"{options.expand} / {options.expand_secondary}", ["--expand", options.expand, "--expand-secondary", options.expand_secondary]))
    found = []
    for number, (size, flags) in enumerate(sizes):
        common: list[object] = ["--quantize", options.quantize, *flags]
        if options.quantize_secondary:
            common += ["--quantize-secondary", options.quantize_secondary]
        if options.calibrate:
            common += ["--calibrate", options.calibrate]
        tandem = engine.pack(options.checkpoint, work, f"tandem-{number}", *common)
        vanilla = engine.pack(options.checkpoint, work, f"vanilla-{number}", "--secondary", baseline, *common)
        mid = None
        # A grown model costs what its shape says, so the mid-sized one needs a shape of its own beside it.
        if options.mid and (not flags or options.expand_mid):
            grown = ["--expand", options.expand_mid] if flags else []
            mid = engine.pack(options.mid, work, f"mid-{number}", "--quantize", options.quantize, *grown)
        found.append(Models(size, tandem, vanilla, mid))
    return found


@contextlib.contextmanager
def workplace(folder: Path | None) -> Iterator[Path]:
    """The folder for packed models."""
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    else:
        with tempfile.TemporaryDirectory() as temporary:
            yield Path(temporary)


def run(options: Options) -> str:
    """Measures everything that is missing; returns the report."""
    require_plots()
    if options.corpus:
        options = train(options)
    engine = Engine(options.program, options.threads)
    store = Store(options.results / "results.json", options.identity)
    store.note("machine", computer())
    store.note("version", engine.version())
    prompts = read_prompts(options)
    texts = f"Texts drawn at temperature {options.temperature:g}, of" if options.temperature else "Greedy texts of"
    weights = options.quantize
    if options.quantize_secondary:
        weights += f", those of the draft models {options.quantize_secondary}"
    if options.calibrate:
        weights += f" (calibrated on {options.calibrate.name})"
    parts = [
        "# The paper's tables in our engine\n",
        f"`Tools/reproduce`, tandem {store.content['version']}, {store.content['machine']}. {texts} {options.tokens} tokens, "
        f"{len(prompts)} prompts, medians of {options.runs} runs taken in turn; weights {weights}. Every text made by SPEED was "
        "the primary's own.\n",
    ]
    if options.quick:
        parts.append("**A quick run: it shows that everything works, and measures nothing.**\n")
    with workplace(options.work) as work:
        for number, models in enumerate(pack(options, engine, work)):
            measurement = Measurement(options, engine, store, models, prompts)
            try:
                measurement.quality()
                measurement.speed()
                measurement.parallel()
            finally:
                store.save()
            tables = Tables(measurement)
            plot = options.results / f"gains-{number}.png"
            plot_gains(tables, plot)
            parts += [tables.markdown(), f"![speed over the primary]({plot.name})\n"]
    report = "\n".join(parts)
    (options.results / "results.md").write_text(report)
    return report


def main(doc: str, arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    try:
        print(run(parse(doc, arguments)))
    except Mistake as mistake:
        print(f"reproduce: error: {mistake}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("reproduce: interrupted; the same command goes on", file=sys.stderr)
        return 130
    return 0
