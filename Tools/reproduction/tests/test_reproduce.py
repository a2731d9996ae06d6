# SPDX-License-Identifier: Apache-2.0
"""`Tools/reproduce --quick` from end to end, resumed, and its mistakes; tables from samples whose figures are known."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "Tools"))

from reproduction.main import run  # noqa: E402
from reproduction.measure import Measurement, Models, Prompt, Way, quality_gammas, read_prompts, ways  # noqa: E402
from reproduction.options import Mistake, parse  # noqa: E402
from reproduction.store import Store  # noqa: E402
from reproduction.tables import Tables, table  # noqa: E402

PROGRAM = Path(os.environ.get("TANDEM_BIN", ROOT / ".build/release/tandem"))
needs_program = pytest.mark.skipif(not PROGRAM.is_file(), reason=f"{PROGRAM} is not built")


def reproduce(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, str(ROOT / "Tools/reproduce"), "--tandem", str(PROGRAM), "-t", "1", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@needs_program
def test_quick_run_prints_every_table_and_goes_on(tmp_path):
    pytest.importorskip("matplotlib")
    given = ["--quick", "--results", tmp_path / "results", "--work", tmp_path / "work", "--texts"]
    done = reproduce(*given)
    assert done.returncode == 0, done.stderr
    for title in ("Table 1", "Table 2", "Table 3", "Table 4", "Table 5", "Several samples", "measures nothing"):
        assert title in done.stdout
    assert (tmp_path / "results/gains-0.png").stat().st_size > 5000
    assert (tmp_path / "results/results.md").read_text() in done.stdout
    content = json.loads((tmp_path / "results/results.json").read_text())
    samples = content["samples"]
    others = "standalone tandem γ=3", "secondary alone"
    exact = [s["tokens"] for name, s in samples.items() if "/speed/" in name and name.split("/")[2] not in others]
    assert len(exact) >= 5 * 4 and all(len(tokens) == 16 for tokens in exact)
    # A run that was stopped takes only the samples that are missing.
    gone = next(name for name in samples if "/speed/tandem γ" in name)
    kept = next(name for name in samples if "/speed/vanilla γ" in name)
    del samples[gone]
    samples[kept]["per_second"] = 123456.0
    (tmp_path / "results/results.json").write_text(json.dumps(content))
    assert reproduce(*given).returncode == 0
    again = json.loads((tmp_path / "results/results.json").read_text())["samples"]
    assert gone in again and again[kept]["per_second"] == 123456.0
    # Samples of other settings are never mixed.
    other = reproduce(*given, "--quantize", "int4")
    assert other.returncode == 1 and "another quantize" in other.stderr


@needs_program
def test_draft_models_of_their_own_format(tmp_path):
    pytest.importorskip("matplotlib")
    text = tmp_path / "calibration.txt"
    text.write_text("The cat sat on the mat and looked at the moon. " * 40)
    work, sizes = tmp_path / "work", {}
    for name, flags in {"int8": [], "int4": ["--quantize-secondary", "int4"], "calibrated": ["--quantize-secondary", "int4", "--calibrate", text]}.items():
        done = reproduce("--quick", "--results", tmp_path / name, "--work", work, "--texts", *flags)
        assert done.returncode == 0, done.stderr
        assert ("draft models int4" in done.stdout) == (name != "int8") and ("(calibrated on calibration.txt)" in done.stdout) == (name == "calibrated")
        made = [file for file in work.glob("tandem-0-*") if file not in sizes.values()]
        assert len(made) == 1
        sizes[name] = made[0]
    assert sizes["int4"].stat().st_size < sizes["int8"].stat().st_size
    assert sizes["int4"].read_bytes() != sizes["calibrated"].read_bytes()


@needs_program
def test_texts_drawn_at_a_temperature_are_the_primarys_too(tmp_path):
    pytest.importorskip("matplotlib")
    texts = {}
    for temperature in ("0", "0.9"):
        done = reproduce("--quick", "--temp", temperature, "--results", tmp_path / temperature, "--work", tmp_path / "work", "--texts")
        assert done.returncode == 0, done.stderr
        assert ("drawn at temperature 0.9" in done.stdout) == (temperature == "0.9")
        samples = json.loads((tmp_path / temperature / "results.json").read_text())["samples"]
        texts[temperature] = {name: sample["tokens"] for name, sample in samples.items() if "/speed/" in name}
    assert texts["0"].keys() == texts["0.9"].keys() and texts["0"] != texts["0.9"]


@needs_program
@pytest.mark.parametrize("arguments, message", [
    (["--gammas", "3,x"], "--gammas 3,x"),
    (["--gammas", "0"], "1...64"),
    (["--temp", "-1"], "at least 0"),
    (["--checkpoint", "/nowhere"], "has no secondary-distilled"),
    (["--prompts", "/nowhere"], "/nowhere is missing"),
    (["--train", "/nowhere"], "not a folder"),
    (["--tandem", "/nowhere"], "swift build"),
    (["--calibrate", "/nowhere"], "/nowhere is missing"),
    (["--calibrate", __file__, "--expand", "llama-1b"], "leave one out"),
    (["--quantize", "int9"], "tandem pack: The value 'int9' is invalid"),
])
def test_mistakes_are_one_line(arguments, message, tmp_path):
    done = reproduce("--quick", "--results", tmp_path, *arguments)
    assert done.returncode == 1 and message in done.stderr and done.stderr.count("\n") == 1


def test_missing_matplotlib_is_said_before_anything_is_measured(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Mistake, match="matplotlib is missing"):
        run(parse("", ["--tandem", sys.executable, "--results", str(tmp_path), "--texts"]))
    assert not list(tmp_path.iterdir())


def measurement(tmp_path: Path, runs: int = 3) -> Measurement:
    """Made-up samples: the primary makes 100 tokens a second, every other way a known multiple of that."""
    options = parse("", ["--tandem", sys.executable, "--gammas", "3,5", "--runs", str(runs), "-n", "20", "--texts", "--parallel", "4"])
    models = Models("own size", Path("t"), Path("v"), None)
    store = Store(tmp_path / "results.json", options.identity)
    prompts = [Prompt("a 1", "a", "x"), Prompt("b 1", "b", "y")]
    found = Measurement(options, None, store, models, prompts)
    gains = {"primary": 1.0, "tandem γ=3": 2.0, "tandem γ=5": 3.0, "tandem adaptive": 3.3, "vanilla γ=3": 1.5, "vanilla γ=5": 1.2}
    for way in found.ways:
        for prompt in prompts:
            for run in range(runs):
                # One run of three is a hiccup, which medians leave out.
                speed = 1.0 if run == 1 and runs == 3 else 100 * gains.get(way.name, 1.1)
                store.content["samples"][found.speed_name(way, prompt, run)] = {
                    "tokens": list(range(20)), "per_second": speed, "primary_runs": 5, "secondary_runs": 15, "drafted": 15, "accepted": 10}
    for name, _, _ in found.parallel_ways():
        for run in range(runs):
            store.content["samples"][f"own size/parallel/4/{name}/{run}"] = 50.0 * (2 if name != "primary" else 1)
    store.content["texts"] = []
    return found


def test_tables_hold_what_was_measured(tmp_path):
    tables = Tables(measurement(tmp_path))
    assert tables.gain("tandem γ=5") == pytest.approx(3.0)
    assert tables.best_fixed("tandem") == (5, pytest.approx(3.0)) and tables.best_fixed("vanilla")[0] == 3
    speed = tables.speed("tandem γ=3", "a")
    assert (speed.per_second, speed.primary_runs, speed.secondary_runs, speed.accepted) == pytest.approx((200, 5, 15, 2))
    text = tables.markdown()
    assert "| all prompts, γ = 3 | 1.50× | 2.00× | 1.333× | 2.00 | 2.00 |" in text
    assert "| all prompts | 1.10× | 3.00× (γ = 5) | 3.30× | 1.100× | 1.10× | 0.367× |" in text
    assert "| all prompts, each at its best (γ = 3, 5) | 1.50× | 3.00× | 2.000× |" in text
    assert "| tandem adaptive, 4 at a time | 100.0 | 2.00× |" in text
    assert "| *paper: Reddit* | 2.17× | 2.47× | 1.139× |" in text


def test_runs_are_compared_with_those_of_their_turn(tmp_path):
    found = measurement(tmp_path)
    # The machine is half as fast in the first turn and until the middle of the second: medians of each way would say four times.
    slow = {"primary": (0, 1), "tandem γ=3": (0,)}
    for way, turns in slow.items():
        for prompt in found.prompts:
            for run in range(3):
                found.store.content["samples"][found.speed_name(way_named(found, way), prompt, run)]["per_second"] = (
                    (50 if run in turns else 100) * (2 if way == "tandem γ=3" else 1))
    tables = Tables(found)
    assert tables.gain("tandem γ=3") == pytest.approx(2.0)
    assert tables.gain("primary", over="tandem γ=3") == pytest.approx(0.5)
    assert tables.speed("tandem γ=3").per_second / tables.speed("primary").per_second == pytest.approx(4.0)


def way_named(found: Measurement, name: str) -> Way:
    return next(way for way in found.ways if way.name == name)


def test_accuracy_of_models_whose_own_tokens_count(tmp_path):
    found = measurement(tmp_path)
    found.store.content["texts"] = ["a", "b"]
    for text, more in (("a", 0.0), ("b", 0.2)):
        for kind, gammas, secondary in (("vanilla", (1,), 0.2), ("tandem", (2, 3, 5), 0.3)):
            for gamma in gammas:
                found.store.content["samples"][f"own size/quality/{text}/{kind}/{gamma}"] = {
                    part: {"accuracy": accuracy + more, "cross_entropy": 1.0} for part, accuracy in (("primary", 0.5), ("secondary", secondary))}
    # Three tokens of four are the secondary's, one is the primary's: 0.4, 0.4, 0.4 and 0.6.
    # Of 7 no figures were taken.
    assert Tables(found).standalone_accuracy() == {
        "primary": "60.00", "secondary": "30.00", "tandem 3": "45.00", "tandem 7": "–", "mid": "–"}
    text = Tables(found).standalone()
    assert "| standalone tandem γ = 3 | 110.0 | 1.10× | 45.00 | 2.75× |\n| standalone tandem γ = 7 | 110.0 | 1.10× | – |  |\n" in text


def test_a_text_that_is_not_the_primarys_ends_the_run(tmp_path):
    found = measurement(tmp_path)
    way = next(way for way in found.ways if way.name == "tandem γ=3")
    found.store.content["samples"][found.speed_name(way, found.prompts[0], 0)]["tokens"] = [7]
    with pytest.raises(Mistake, match="'tandem γ=3' gave another text"):
        found.speed()


def test_standalone_ways_need_not_be_exact(tmp_path):
    found = measurement(tmp_path)
    assert {way.name for way in ways(found.options, found.models) if not way.is_exact} == {
        "standalone tandem γ=3", "standalone tandem γ=7", "secondary alone"}
    assert quality_gammas(found.options) == [2, 3, 5, 7]


def test_prompts_are_cut_to_the_number_asked_for(tmp_path):
    options = parse("", ["--tandem", sys.executable, "--per-category", "2", "--texts"])
    found = read_prompts(options)
    assert {p.category for p in found} == {"story", "summary", "question", "random"} and len(found) == 8
    (tmp_path / "bad.jsonl").write_text('{"category": "a", "prompt": "b"}\n{"category": "a"}\n')
    with pytest.raises(Mistake, match="bad.jsonl:2"):
        read_prompts(parse("", ["--tandem", sys.executable, "--prompts", str(tmp_path / "bad.jsonl"), "--texts"]))


def test_damaged_results_are_named(tmp_path):
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(Mistake, match="no file of results"):
        Store(tmp_path / "results.json", {})


def test_table_lines():
    assert table(["a", "b"], [["x", "1"]]) == "| a | b |\n|---|---:|\n| x | 1 |\n"
