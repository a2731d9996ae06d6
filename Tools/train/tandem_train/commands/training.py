# SPDX-License-Identifier: Apache-2.0
"""``pretrain`` and ``train``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from .. import checkpoint, export
from ..bundle import read_projections
from ..config import ModelConfig
from ..data import Corpus, Sampler
from ..errors import TrainError
from ..hf import load_model
from ..loop import Loop, Plan, write_history
from ..model import LlamaLM
from ..plot import plot_losses
from ..pretrain import Pretraining
from ..runtime import Runtime
from ..tandem import Projections, check_pair, default_layer_map
from ..tandem_task import BRANCHES, DEFAULT_BRANCHES, LOSSES, TandemTraining
from ..tokenizer import fingerprint, load_tokenizer
from ..warm_start import fit_projections
from .options import add_numbers, add_plan, add_runtime, make_plan, start_runtime

_SIZES = {
    "hidden": (int, 384, "residual width"),
    "layers": (int, 6, "layers"),
    "heads": (int, 6, "attention heads"),
    "kv-heads": (int, 2, "key-value heads"),
    "head-dim": (int, 64, "size of a head"),
    "ff": (int, 1024, "width of the feed-forward"),
    "context": (int, 512, "largest position + 1"),
}


def register(commands: argparse._SubParsersAction) -> None:
    """Adds the subcommands."""
    one = commands.add_parser(
        "pretrain", help="train one model from scratch, or further",
        description="Trains one Llama-family model on text, from scratch or from given weights; writes OUT/model (Hugging Face "
        "layout), OUT/loss.png.",
    )
    add_numbers(one.add_argument_group("model"), _SIZES)
    one.add_argument("--untied", action="store_true", help="give the head its own matrix")
    one.add_argument("--from-model", type=Path, metavar="DIR",
                     help="begin with the weights, and so the sizes, of this Hugging Face model (Llama family) instead of random ones")
    one.add_argument("--tokenizer", type=Path, required=True, help="tokenizer.json, or a folder that holds one")
    add_plan(one, 2000)
    add_runtime(one)
    one.set_defaults(run=_pretrain)

    two = commands.add_parser(
        "train", help="train a tandem and its baselines over a pair of models",
        description="Freezes the primary (but see --cotrain) and trains the secondary with projections (branch 'tandem'), the secondary "
        "alone (branch 'alone') and distilled (branch 'distilled') on the same windows; writes OUT/checkpoint, OUT/loss.png. "
        "Under torchrun the batch is divided over the processes.",
    )
    two.add_argument("--primary", type=Path, required=True, help="Hugging Face model directory (Llama family)")
    begin = two.add_mutually_exclusive_group(required=True)
    begin.add_argument("--secondary", type=Path, help="Hugging Face model directory with the same tokenizer")
    begin.add_argument("--from-run", type=Path, metavar="RUN", help="working folder of an earlier `train` over the same primary: every "
                       "branch begins with its own weights there, as for a second course on other texts (a tandem-ce that it lacks: with the tandem's)")
    two.add_argument("--tokenizer", type=Path, help="folder with tokenizer.json (default: the primary's)")
    two.add_argument("--layer-map", help="taps, one per secondary layer: primary layers applied, as in 3,6 (default: spread evenly)")
    two.add_argument("--branches", nargs="+", default=list(DEFAULT_BRANCHES), metavar="NAME",
                     help=f"any of {', '.join(BRANCHES)} (default {' '.join(DEFAULT_BRANCHES)})")
    two.add_argument("--stage-one", type=float, default=0.3, help="share of the steps with cross-entropy only (default 0.3)")
    two.add_argument("--loss", choices=LOSSES, default="mix", help="second stage of the tandem: mix (the paper's, default), tv or lk "
                     "(acceptance, or its logarithm), or the mean of two")
    two.add_argument("--cotrain", type=float, default=0.0, metavar="WEIGHT", help="train the primary too: its cross-entropy and WEIGHT times "
                     "the tandem's --loss (with tv or lk in it), so that it becomes easier to follow; OUT/model is the result (default: it stays frozen)")
    two.add_argument("--gamma", type=int, default=2, help="block length to note in the checkpoint (default 2)")
    two.add_argument("--gamma-max", type=int, default=8, help="largest block length drawn in training (default 8)")
    two.add_argument("--gamma-power", type=float, default=0.5, help="block length g is drawn with weight g^-POWER (default 0.5)")
    two.add_argument("--projection-start", default="fit", metavar="HOW",
                     help="fit: least squares to the secondary's own streams (default); random; or a tandem.safetensors")
    two.add_argument("--ship", nargs="*", default=["distilled"], metavar="NAME", help="baselines kept in the checkpoint (default distilled)")
    add_plan(two, 1000)
    add_runtime(two)
    two.set_defaults(run=_train)


def _finish(loop: Loop, title: str) -> None:
    loop.run()
    if loop.runtime.leads:
        names = list(loop.task.branches)
        write_history(loop.out, names, loop.history)
        plot_losses(loop.out / "loss.png", names, loop.history, title)
        export.export(loop.out, loop.out / loop.meta["product"])
        if loop.meta.get("cotrain"):
            export.export_primary(loop.out, loop.out / "model")
        print(loop.out / loop.meta["product"])
    loop.runtime.barrier()


def _start(loop: Loop) -> None:
    if loop.resume() and loop.runtime.leads:
        print(f"continuing from step {loop.step} in {loop.out}", file=sys.stderr)
    loop.runtime.barrier()


def _pretrain(options: argparse.Namespace) -> None:
    runtime, plan, corpus = start_runtime(options), make_plan(options), Corpus(options.data)
    tokenizer = load_tokenizer(options.tokenizer)
    corpus.check_vocabulary(tokenizer)
    model = _first_model(options, corpus)
    config = model.config
    if max(plan.length, plan.final_length) > config.max_positions:
        raise TrainError(f"windows of {max(plan.length, plan.final_length)} tokens exceed the context of {config.max_positions}")
    task = Pretraining(model.to(runtime.device), runtime, options.compile)
    meta = {"kind": "pretrain", "product": "model", "config": config.to_dict(), "tokenizer": str(options.tokenizer)}
    loop = Loop(task, plan, corpus, options.out, runtime, meta)
    _start(loop)
    _finish(loop, f"Pre-training, {sum(p.numel() for p in model.parameters()) / 1e6:.1f} M parameters")


def _first_model(options: argparse.Namespace, corpus: Corpus) -> LlamaLM:
    """The model that pre-training begins with: random of the sizes asked for, or the one of ``--from-model``."""
    vocabulary = corpus.index["vocab_size"]
    if options.from_model:
        model = load_model(options.from_model)
        if model.config.vocab_size != vocabulary:
            raise TrainError(f"{options.from_model} has {model.config.vocab_size} vocabulary entries, {options.data} has {vocabulary}: "
                             "prepare the texts with the model's tokenizer")
        return model
    eot = corpus.index["end_of_text"]
    model = LlamaLM(ModelConfig(
        vocabulary, options.hidden, options.layers, options.heads, options.kv_heads, options.head_dim, options.ff, options.context,
        tied=not options.untied, bos=eot, eos=eot,
    ))
    model.initialise(options.seed)
    return model


def _train(options: argparse.Namespace) -> None:
    runtime, plan, corpus = start_runtime(options), make_plan(options), Corpus(options.data)
    primary = load_model(options.primary)
    earlier = _earlier(options.from_run, primary) if options.from_run else None
    secondary = LlamaLM(ModelConfig(**earlier["meta"]["secondary"])) if earlier else load_model(options.secondary)
    check_pair(primary.config, secondary.config)
    source = options.tokenizer or options.primary
    corpus.check_vocabulary(load_tokenizer(source))
    if not earlier:
        _same_tokenizer(source, options.secondary)
    longest = min(primary.config.max_positions, secondary.config.max_positions)
    if max(plan.length, plan.final_length) > longest:
        raise TrainError(f"windows of {max(plan.length, plan.final_length)} tokens exceed the models' context of {longest}")
    layer_map = earlier["meta"]["layer_map"] if earlier else _layer_map(options.layer_map, primary, secondary)
    fresh = not earlier and not (options.out / "training.pt").is_file()
    start = _projection_start(options, primary, secondary, layer_map, corpus, plan, runtime) if fresh else None
    task = TandemTraining(
        primary, secondary, layer_map, runtime, branches=options.branches, stage_one=options.stage_one,
        gamma_max=options.gamma_max, gamma_power=options.gamma_power, seed=options.seed, start=start, loss=options.loss, compiled=options.compile,
        cotrain=options.cotrain,
    )
    if earlier:
        task.adopt(earlier["modules"])
    meta = {
        "kind": "train", "product": "checkpoint", "primary": str(options.primary), "tokenizer": str(source),
        "secondary": secondary.config.to_dict(), "layer_map": layer_map, "gamma": options.gamma, "ship": options.ship,
        "projection_start": "from-run" if earlier else Path(options.projection_start).name, "stage_one": options.stage_one, "loss": options.loss,
        "gamma_max": options.gamma_max, "gamma_power": options.gamma_power, "cotrain": options.cotrain,
    }
    if earlier:
        meta["from_run"] = export.provenance(earlier)
    loop = Loop(task, plan, corpus, options.out, runtime, meta)
    _start(loop)
    _finish(loop, "Tandem and baselines")


def _earlier(run: Path, primary: LlamaLM) -> dict:
    """The training checkpoint that the branches begin with. Raises ``TrainError`` when it is of another kind, or trained its primary
    too and ``primary`` is not the result."""
    state = checkpoint.read(run / "training.pt")
    if state["meta"]["kind"] != "train":
        raise TrainError(f"--from-run {run}: not a working folder of `train`")
    trained = state["modules"].get("primary", {}).get("model", {})
    given = primary.state_dict()
    if any(name not in given or not torch.equal(given[name].bfloat16(), tensor.bfloat16()) for name, tensor in trained.items()):
        raise TrainError(f"--from-run {run} trained its primary too: give --primary {run / 'model'}")
    return state


def _projection_start(
    options: argparse.Namespace, primary: LlamaLM, secondary: LlamaLM, layer_map: list[int], corpus: Corpus, plan: Plan,
    runtime: Runtime,
) -> Projections:
    """The projections that training starts from."""
    if options.projection_start not in ("fit", "random"):
        return read_projections(Path(options.projection_start), primary, secondary, layer_map)
    projections = Projections(primary.config, secondary.config, layer_map)
    projections.initialise(plan.seed)
    if options.projection_start == "fit":
        for module in (primary, secondary, projections):
            module.to(runtime.device)
        sampler = Sampler(corpus, plan.mix, plan.length, plan.seed + 1)
        rows = max(1, 4096 // plan.length)
        fit_projections(primary, secondary, projections, [sampler.batch(rows)[:, :-1].to(runtime.device) for _ in range(8)])
    return projections


def _layer_map(text: str | None, primary: LlamaLM, secondary: LlamaLM) -> list[int]:
    if text is None:
        return default_layer_map(primary.config.num_layers, secondary.config.num_layers)
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise TrainError(f"--layer-map {text}: give integers separated by commas, as in 3,6") from None


def _same_tokenizer(primary: Path, secondary: Path) -> None:
    """Raises ``TrainError`` when the secondary's directory has a tokenizer that maps text to other ids."""
    if not (secondary / "tokenizer.json").is_file():
        return
    if fingerprint(load_tokenizer(primary)) != fingerprint(load_tokenizer(secondary)):
        raise TrainError(f"the tokenizers in {primary} and {secondary} differ: a tandem needs two models with one tokenizer")


