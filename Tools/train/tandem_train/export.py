# SPDX-License-Identifier: Apache-2.0
"""From a training folder, finished or not, to Hugging Face directories and tandem checkpoints."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from . import __version__, checkpoint
from .bundle import Bundle, write_bundle
from .config import ModelConfig
from .errors import TrainError
from .hf import load_model, save_model
from .model import LlamaLM
from .tandem import Projections


def export(training: Path, out: Path, dtype: torch.dtype = torch.bfloat16) -> None:
    """Writes the model of ``pretrain`` or the tandem checkpoint of ``train`` as of the folder's last checkpoint. A ``train`` of
    nothing but models alone (``--branches alone``) gives a Hugging Face directory for each, ``out/NAME``.

    Raises ``TrainError`` when there is nothing to export.
    """
    state = checkpoint.read(training / "training.pt")
    meta = state["meta"]
    if meta["kind"] == "pretrain":
        model = _restore(LlamaLM(ModelConfig(**meta["config"])), state["modules"]["loss"]["model"])
        save_model(model, out, dtype)
        copy_tokenizer(Path(meta["tokenizer"]), out)
        return
    if not any(name.startswith("tandem") for name in state["modules"]):
        for name, modules in state["modules"].items():
            save_model(_restore(LlamaLM(ModelConfig(**meta["secondary"])), modules["secondary"]), out / name, dtype)
            copy_tokenizer(Path(meta["tokenizer"]), out / name)
        return
    write_bundle(training_bundle(state), out, _folder(Path(meta["tokenizer"])), dtype)


def export_primary(training: Path, out: Path, dtype: torch.dtype = torch.bfloat16) -> None:
    """Writes the primary that ``train --cotrain`` trained, with its tokenizer, for courses after it. Raises ``TrainError``."""
    state = checkpoint.read(training / "training.pt")
    save_model(training_bundle(state).primary, out, dtype)
    copy_tokenizer(Path(state["meta"]["tokenizer"]), out)


def training_bundle(state: dict, ship: list[str] | None = None) -> Bundle:
    """The tandem and the baselines (``ship``, default those chosen at ``train``) inside a training checkpoint."""
    meta, modules = state["meta"], state["modules"]
    if "tandem" not in modules:
        raise TrainError(f"this run trained only {', '.join(modules)}: there is no tandem to export")
    primary, config = load_model(Path(meta["primary"])), ModelConfig(**meta["secondary"])
    if "primary" in modules:
        primary = _restore(primary, modules["primary"]["model"])
    secondary, projections = branch(state, "tandem", primary.config)
    names = meta["ship"] if ship is None else ship
    baselines = {
        name: _restore(LlamaLM(config), modules[name]["secondary"]) for name in names if name in ("distilled", "alone") and name in modules
    }
    return Bundle(primary, secondary, projections, meta["gamma"], baselines, provenance(state))


def provenance(state: dict) -> dict:
    """How a training checkpoint came about, for ``tandem.json``; ``from_run`` tells the same of the run that it began with."""
    meta, plan = state["meta"], state["plan"]
    content = {
        "trainer": f"tandem_train {__version__}",
        "torch": torch.__version__.split("+")[0],
        "seed": plan["seed"],
        "steps": state["step"],
        "planned_steps": plan["steps"],
        "batch_tokens": plan["batch_tokens"],
        "projection_start": meta["projection_start"],
        "stage_one": meta["stage_one"],
        "loss": meta.get("loss", "mix"),
        "gamma_max": meta["gamma_max"],
        "gamma_power": meta["gamma_power"],
        "data": plan["mix"],
    }
    if meta.get("cotrain"):
        content["cotrain"] = meta["cotrain"]
    return content | ({"from_run": meta["from_run"]} if "from_run" in meta else {})


def branch(state: dict, name: str, primary: ModelConfig) -> tuple[LlamaLM, Projections]:
    """Secondary and projections of one tandem branch of a training checkpoint."""
    config, modules = ModelConfig(**state["meta"]["secondary"]), state["modules"][name]
    projections = Projections(primary, config, state["meta"]["layer_map"])
    return _restore(LlamaLM(config), modules["secondary"]), _restore(projections, modules["projections"])


def _restore(module: torch.nn.Module, state: dict) -> torch.nn.Module:
    module.load_state_dict(state)
    return module.requires_grad_(False)


def _folder(tokenizer: Path) -> Path:
    return tokenizer if tokenizer.is_dir() else tokenizer.parent


def copy_tokenizer(source: Path, out: Path) -> None:
    """Copies the tokenizer files of a directory, or those beside a ``tokenizer.json``, where there are any."""
    for name in ("tokenizer.json", "tokenizer_config.json"):
        file = _folder(source) / name
        if file.is_file():
            shutil.copyfile(file, out / name)
