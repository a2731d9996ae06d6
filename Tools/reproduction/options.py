# SPDX-License-Identifier: Apache-2.0
"""What a run is asked to do."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT.parent / "shared" / "data" / "corpus"


class Mistake(Exception):
    """A mistake in the input: one line for the user."""


@dataclass(frozen=True)
class Options:
    """Checked options."""

    program: Path
    checkpoint: Path
    baseline: str
    mid: Path | None
    corpus: Path | None
    expand: str | None
    expand_secondary: str
    expand_mid: str | None
    quantize: str
    quantize_secondary: str | None
    calibrate: Path | None
    threads: int
    gammas: list[int]
    standalone: list[int]
    runs: int
    tokens: int
    temperature: float
    eval_tokens: int
    prompts: Path
    per_category: int
    texts: list[Path]
    parallel: list[int]
    results: Path
    work: Path | None
    quick: bool

    @property
    def identity(self) -> dict:
        """What samples must share to be put into one table."""
        names = (
            "baseline", "expand", "expand_secondary", "expand_mid", "quantize", "quantize_secondary", "threads", "tokens", "temperature",
            "eval_tokens", "per_category",
        )
        return {name: getattr(self, name) for name in names} | {
            "checkpoint": str(self.checkpoint), "mid": str(self.mid) if self.mid else None, "prompts": str(self.prompts),
            "texts": [text.name for text in self.texts], "calibrate": self.calibrate.name if self.calibrate else None,
        }


def _numbers(text: str, name: str, largest: int) -> list[int]:
    try:
        values = [int(part) for part in text.split(",")]
    except ValueError:
        raise Mistake(f"{name} {text}: give numbers separated by commas, as in 3,5,7") from None
    if not values or min(values) < 1 or max(values) > largest:
        raise Mistake(f"{name} {text}: each must be in 1...{largest}")
    return values


def parse(doc: str, arguments: list[str] | None = None) -> Options:
    """The options of a command line. Raises ``Mistake``."""
    parser = argparse.ArgumentParser(
        prog="reproduce", description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tandem", type=Path, default=ROOT / ".build/release/tandem", metavar="PROGRAM", help="our program")
    models = parser.add_argument_group("models")
    models.add_argument("--checkpoint", type=Path, default=ROOT / "Examples/demo-model", help="tandem checkpoint (default: the demo)")
    models.add_argument("--baseline", default="secondary-distilled", help="the vanilla draft model's folder in it")
    models.add_argument("--mid", type=Path, help="a mid-sized model of the same tokenizer, for table 3")
    models.add_argument("--train", type=Path, metavar="CORPUS", help="train the models from these texts first")
    models.add_argument("--expand", metavar="SHAPE", help="measure the models grown to this shape too, as pack --expand")
    models.add_argument("--expand-secondary", default="llama-160m", metavar="SHAPE", help="shape of the draft models then")
    models.add_argument("--expand-mid", metavar="SHAPE", help="shape of the mid-sized model then (default: it has its own size only)")
    models.add_argument("--quantize", default="int8", help="weights, as pack --quantize (default int8)")
    models.add_argument("--quantize-secondary", metavar="NAME", help="weights of the draft models, as pack --quantize-secondary (default: as the others)")
    models.add_argument("--calibrate", type=Path, metavar="TEXT", help="a text like those to come, as pack --calibrate: better 4-bit weights")
    how = parser.add_argument_group("measurement")
    how.add_argument("-t", "--threads", type=int, default=0, help="threads; 0 = the processors this process may use")
    how.add_argument("--gammas", default="3,5,7", help="fixed block lengths (default 3,5,7)")
    how.add_argument("--standalone", default="3,7", help="block lengths of the standalone tandem (default 3,7)")
    how.add_argument("--runs", type=int, default=5, help="samples of everything, taken in turn (default 5)")
    how.add_argument("-n", "--tokens", type=int, default=128, help="tokens to generate (default 128)")
    how.add_argument("--temp", type=float, default=0, metavar="T", help="temperature of the texts; 0 = greedy (default 0)")
    how.add_argument("--eval-tokens", type=int, default=16384, help="tokens of each text for table 1 (default 16384)")
    how.add_argument("--prompts", type=Path, default=Path(__file__).parent / "prompts.jsonl", help="prompts with their categories")
    how.add_argument("--per-category", type=int, default=4, help="prompts of each category (default 4)")
    how.add_argument("--texts", type=Path, nargs="*", help="validation texts (default: those of ../shared/data, where present)")
    how.add_argument("--parallel", default="1,4", help="generations at a time (default 1,4)")
    out = parser.add_argument_group("output")
    out.add_argument("--results", type=Path, default=ROOT / "Tools/reproduction/results", help="folder for tables and plots")
    out.add_argument("--work", type=Path, help="folder for packed models, kept (default: a temporary one)")
    out.add_argument("--quick", action="store_true", help="every part once and short")
    given = parser.parse_args(arguments)

    if not given.tandem.is_file():
        raise Mistake(f"{given.tandem} is missing; build it with: swift build -c release --product tandem")
    for name, value in (("--runs", given.runs), ("-n", given.tokens), ("--per-category", given.per_category), ("--eval-tokens", given.eval_tokens)):
        if value < 1:
            raise Mistake(f"{name} must be at least 1")
    if not 0 <= given.temp < float("inf"):
        raise Mistake("--temp must be at least 0")
    texts = given.texts
    if texts is None:
        texts = [file for file in (CORPUS / f"{name}_valid.txt" for name in ("children", "tinystories_cased")) if file.is_file()]
    for file in [*texts, given.prompts, *([given.calibrate] if given.calibrate else [])]:
        if not file.is_file():
            raise Mistake(f"{file} is missing")
    if given.train and not given.train.is_dir():
        raise Mistake(f"--train {given.train}: not a folder of texts")
    if given.train and not given.work:
        raise Mistake("--train needs --work, the folder that receives the models")
    if given.calibrate and given.expand:
        raise Mistake("--calibrate tunes models before --expand grows them: leave one out")
    gammas, parallel = _numbers(given.gammas, "--gammas", 64), _numbers(given.parallel, "--parallel", 1024)
    standalone = _numbers(given.standalone, "--standalone", 64)
    runs, tokens, eval_tokens, count = given.runs, given.tokens, given.eval_tokens, given.per_category
    if given.quick:
        gammas, standalone, parallel, runs = gammas[:1], standalone[:1], parallel[-1:], 1
        tokens, eval_tokens, count = min(tokens, 16), min(eval_tokens, 256), 1
    return Options(
        program=given.tandem.resolve(), checkpoint=given.checkpoint, baseline=given.baseline, mid=given.mid, corpus=given.train,
        expand=None if given.quick else given.expand, expand_secondary=given.expand_secondary, expand_mid=given.expand_mid,
        quantize=given.quantize, quantize_secondary=given.quantize_secondary, calibrate=given.calibrate, threads=given.threads,
        gammas=gammas, standalone=standalone, runs=runs, tokens=tokens, temperature=given.temp, eval_tokens=eval_tokens, prompts=given.prompts,
        per_category=count, texts=texts, parallel=parallel, results=given.results, work=given.work,
        quick=given.quick,
    )
