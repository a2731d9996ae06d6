# SPDX-License-Identifier: Apache-2.0
"""What quantisation costs: our recipes against ggml's types, on the same weights and the same text (see ./quality)."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from ggml import TYPES, Ggml
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT.parent / "shared" / "data" / "corpus"
RECIPES = ("int8", "int4z/32:rtn", "int4z/32:hqq", "int4z/32:mse", "int4/32:mse", "int4/64:mse", "int4", "int4-fast")
CALIBRATED = ("int4z/32", "int4/32", "int4", "int4-fast")


@dataclass
class Row:
    """One way to quantise the whole model."""

    name: str
    house: str
    bits: float
    kl: float
    change: float
    same_top: float
    calibrated: bool = False
    down: list[float] = field(default_factory=list)


def matrices(weights: dict[str, torch.Tensor]) -> list[str]:
    """Names of the matrices: everything with two dimensions."""
    return [name for name, tensor in weights.items() if tensor.ndim == 2]


class Inputs:
    """Second moments of the inputs of every matrix over the calibration text."""

    def __init__(self, checkpoint: Path, text: str, tokens: int) -> None:
        model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32).eval()
        tokenizer = AutoTokenizer.from_pretrained(checkpoint)
        ids = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"][:tokens]
        self.sums: dict[str, torch.Tensor] = {}
        for name, module in model.named_modules():
            if isinstance(module, torch.nn.Linear) and self.reader(f"{name}.weight") == f"{name}.weight":
                module.register_forward_hook(self._hook(f"{name}.weight"))
        window = min(512, model.config.max_position_embeddings)
        with torch.no_grad():
            for start in range(0, len(ids), window):
                model(torch.tensor([ids[start:start + window]]))
        self.count = len(ids)

    def _hook(self, name: str):
        def add(_module, inputs, _output) -> None:
            rows = inputs[0].reshape(-1, inputs[0].shape[-1])
            self.sums[name] = self.sums.get(name, 0) + rows.T @ rows
        return add

    @staticmethod
    def reader(name: str) -> str:
        """The matrix that stands for all that read the same input; the tied embeddings read what the head reads."""
        for shared, first in (("k_proj", "q_proj"), ("v_proj", "q_proj"), ("up_proj", "gate_proj"),
                              ("model.embed_tokens", "lm_head")):
            name = name.replace(shared, first)
        return name

    def moments(self, name: str) -> np.ndarray | None:
        """[columns, columns]."""
        found = self.sums.get(self.reader(name))
        return None if found is None else (found / self.count).double().numpy()


class Evaluator:
    """KL and perplexity against the floats by `tandem eval`."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options = options
        self.folder = folder
        self.reference = folder / "f32.tandem"
        self.run("pack", options.model, "-o", self.reference, "--quantize", "f32", "--quiet")

    def run(self, *arguments: object) -> str:
        done = subprocess.run([self.options.tandem, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"error: tandem {' '.join(map(str, arguments))}: {done.stderr}")
        return done.stdout

    def recipes(self, checkpoint: Path, recipes: list[str], calibrate: str | None = None) -> list[dict]:
        extra = [] if calibrate is None else ["--calibrate", calibrate, "--calibrate-tokens",
                                              self.options.calibrate_tokens]
        report = json.loads(self.run(
            "eval", "-m", checkpoint, "--reference", self.reference, "-f", self.options.text, "--max-tokens",
            self.options.max_tokens, "--recipes", ",".join(recipes), "--json", "--quiet", *extra))
        return report["recipes"]


def checkpoint_with(source: Path, folder: Path, weights: dict[str, torch.Tensor]) -> Path:
    """A copy of a checkpoint with other weights, as 32-bit floats."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for file in source.iterdir():
        if file.suffix == ".json" and "index" not in file.name:
            shutil.copy(file, folder / file.name)
    save_file({name: tensor.float().contiguous() for name, tensor in weights.items()}, folder / "model.safetensors")
    return folder


def output_error(weights: np.ndarray, back: np.ndarray, moments: np.ndarray) -> float:
    """Root mean square of the output's error over that of the output."""
    error = (weights - back).astype(np.float64)
    exact = weights.astype(np.float64)
    return float(np.sqrt(np.einsum("ij,ij->", error @ moments, error) / np.einsum("ij,ij->", exact @ moments, exact)))


def ggml_rows(ggml: Ggml, evaluator: Evaluator, model: Path, inputs: Inputs) -> list[Row]:
    """Every type, for every matrix; embeddings in Q8_0 besides, for those we compare with our mixed recipes."""
    weights = {name: tensor.float() for name, tensor in load_file(model / "model.safetensors").items()}
    variants = [(name, "flat", False, None) for name in TYPES]
    variants += [(name, "native", False, None) for name in ("Q4_K", "Q5_K", "Q6_K")]
    variants += [(name, "flat", True, None) for name in ("Q4_0", "Q4_K")]
    variants += [(name, "flat", False, "Q8_0") for name in ("Q4_0", "Q4_K")]
    variants += [("Q4_K", "flat", True, "Q8_0")]
    rows = []
    for name, mode, weighted, vocabulary in variants:
        changed = dict(weights)
        size, elements, down = 0, 0, []
        kinds: set[str] = set()
        for matrix in matrices(weights):
            kind = vocabulary if vocabulary and ("embed" in matrix or "lm_head" in matrix) else name
            moments = inputs.moments(matrix)
            importance = np.diagonal(moments) if weighted and moments is not None else None
            source = weights[matrix].numpy()
            back, count, used = ggml.matrix(source, kind, mode, importance)
            changed[matrix] = torch.from_numpy(back)
            kinds.add(used)
            size, elements = size + count, elements + back.size
            if "down_proj" in matrix and moments is not None:
                down.append(output_error(source, back, moments))
        folder = checkpoint_with(model, evaluator.folder / "ggml", changed)
        report = evaluator.recipes(folder, ["f32"])[0]
        title = name + (" + imatrix" if weighted else "") + (f", embeddings {vocabulary}" if vocabulary else "")
        if mode == "native":
            title += f" as llama.cpp stores it ({'/'.join(sorted(kinds))})"
        rows.append(row(title, "ggml", 8 * size / elements, report, weighted, down))
    return rows


def row(name: str, house: str, bits: float, report: dict, calibrated: bool, down: list[float]) -> Row:
    primary = report["primary"]
    print(f"{name:60} {bits:5.2f} bits  KL {primary['kl_divergence']:.5f}  {100 * report['perplexity_change']:+.2f} %",
          flush=True)
    return Row(name, house, bits, primary["kl_divergence"], report["perplexity_change"], primary["same_top"], calibrated,
               down)


def our_rows(evaluator: Evaluator, model: Path, calibrate: str) -> list[Row]:
    """Our recipes, run as they are: their products also quantise activations to 8 bits."""
    rows = []
    for calibrated, names in ((False, RECIPES), (True, CALIBRATED)):
        for name in names:
            text = calibrate if calibrated else None
            report = evaluator.recipes(model, [name], text)[0]
            rows.append(row(name + (" calibrated" if calibrated else ""), "tandem", report["bits_per_weight"], report,
                            calibrated, down_errors(evaluator, model, name, calibrate, calibrated)))
    return rows


def down_errors(evaluator: Evaluator, model: Path, recipe: str, calibrate: str, calibrated: bool) -> list[float]:
    """Output errors of the down matrices, which are known only to a calibrated packer."""
    if not calibrated:
        return []
    report = json.loads(evaluator.run(
        "pack", model, "-o", evaluator.folder / "x.tandem", "--force", "--recipe", recipe, "--json", "--quiet",
        "--calibrate", calibrate, "--calibrate-tokens", evaluator.options.calibrate_tokens))
    return [tensor["relative_output_error"] for tensor in report["tensors"] if tensor["name"].endswith(".down")]


HEAD = """# Quality of quantised weights

`Tools/bench/quality`, {machine}.

Weights: {model}, every matrix in the named type. Text: {text}, the first {tokens} tokens in windows of 512. KL is the mean
of KL(floats ‖ quantised) in nats, "change" that of perplexity against the floats, both by `tandem eval`.

* **ggml** ({version}): every matrix is quantised by ggml's own `ggml_quantize_chunk`, dequantised by the `gguf` package and
  evaluated with float activations, so the figures hold nothing but the rounding of weights. "+ imatrix" gives it the second
  moments of the inputs over the calibration text.
* **tandem**: our recipes as they run: the figures include 8-bit activations, which cost about {floor:.5f} nats here.
  "calibrated" means `--calibrate` with the same text.
* K-quants need rows that are multiples of 256. Only the down matrices (1024 columns) have them; for the others (384
  columns) llama.cpp falls back to other types: these are the rows "as llama.cpp stores it", with the bits they really take.
  The plain rows of Q4_K, Q5_K and Q6_K cut blocks of 256 from the rows one after the other: their super-blocks straddle rows,
  their sub-blocks of 32 do not. It is what the types would do for a model with wider rows, at their nominal bits.
* Bits are those of all matrices, scales and padding included. A row of int4z carries two 32-bit factors, {extra:.2f} bits a
  weight at 384 columns, {wide:.2f} at 4096.
* Calibration text: {calibrate}, {calibrate_tokens} tokens.

| quantisation | house | bits | KL | change | same top | output error of down |
|---|---|---|---|---|---|---|
"""


def write(rows: list[Row], options: argparse.Namespace, version: str) -> None:
    """The table and the plot."""
    floor = next(entry.kl for entry in rows if entry.name == "int8")
    text = HEAD.format(
        machine=machine(), model=name_of(options.model), text=name_of(options.text), tokens=options.max_tokens,
        version=version, floor=floor, extra=64 / 384, wide=64 / 4096, calibrate=name_of(options.calibrate),
        calibrate_tokens=options.calibrate_tokens)
    for entry in sorted(rows, key=lambda entry: (entry.bits, entry.kl)):
        down = f"{100 * np.mean(entry.down):.2f} %" if entry.down else "–"
        text += (f"| {entry.name} | {entry.house} | {entry.bits:.2f} | {entry.kl:.5f} | {100 * entry.change:+.2f} % | "
                 f"{100 * entry.same_top:.2f} % | {down} |\n")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.with_suffix(".md").write_text(text)
    plot(rows, options.out.with_suffix(".png"))


def plot(rows: list[Row], path: Path) -> None:
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 6))
    styles = {("ggml", False): ("o", "tab:blue", "ggml"), ("ggml", True): ("s", "tab:cyan", "ggml with imatrix"),
              ("tandem", False): ("^", "tab:orange", "tandem"),
              ("tandem", True): ("D", "tab:red", "tandem calibrated")}
    for (house, calibrated), (marker, colour, label) in styles.items():
        own = [entry for entry in rows if entry.house == house and entry.calibrated == calibrated]
        axes.scatter([entry.bits for entry in own], [entry.kl for entry in own], marker=marker, c=colour, label=label)
        for entry in own:
            short = entry.name.replace(" calibrated", "").replace(" + imatrix", "").split(" (")[0]
            axes.annotate(short, (entry.bits, entry.kl), fontsize=7, xytext=(4, 3), textcoords="offset points")
    axes.set_yscale("log")
    axes.set_xlabel("bits a weight")
    axes.set_ylabel("KL to the floats, nats")
    axes.grid(True, which="both", alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=130)


def machine() -> str:
    """Processor, cores and system."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        name = models[0] if models else name
    return f"{name}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"


def name_of(path: Path | str) -> str:
    path = Path(path).resolve()
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tandem", required=True)
    parser.add_argument("--checkpoint", type=Path, default=ROOT / "Examples" / "demo-model" / "primary")
    parser.add_argument("--text", type=Path, default=CORPUS / "tinystories_cased_valid.txt")
    parser.add_argument("--calibrate", type=Path, default=CORPUS / "tinystories_cased_train.txt")
    parser.add_argument("--max-tokens", type=int, default=16384)
    parser.add_argument("--calibrate-tokens", type=int, default=32768)
    parser.add_argument("--out", type=Path, default=ROOT / "Tools" / "bench" / "results" / "quality")
    options = parser.parse_args()
    for path in (options.text, options.calibrate):
        if not path.exists():
            raise SystemExit(f"error: {path} is missing; name a text with --text and --calibrate")
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # A model in Hugging Face layout with its own tokenizer: the demo keeps that beside its two models.
        options.model = folder / options.checkpoint.name
        shutil.copytree(options.checkpoint, options.model)
        for file in options.checkpoint.parent.glob("tokenizer*.json"):
            if not (options.model / file.name).exists():
                shutil.copy(file, options.model / file.name)
        ggml = Ggml()
        evaluator = Evaluator(options, folder)
        inputs = Inputs(options.model, options.calibrate.read_text()[:8 * options.calibrate_tokens],
                        options.calibrate_tokens)
        rows = ggml_rows(ggml, evaluator, options.model, inputs)
        rows += our_rows(evaluator, options.model, str(options.calibrate))
        options.model = options.checkpoint
        write(rows, options, ggml.version)
    print(f"{options.out.with_suffix('.md')}, {options.out.with_suffix('.png')}")


if __name__ == "__main__":
    main()
