# SPDX-License-Identifier: Apache-2.0
"""The tandem checkpoint directory (Formats/tandem-checkpoint.md, version 1): reading and writing."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import save_file

from .draft_vocab import DraftVocabulary, read_frequencies, save_frequencies
from .errors import TrainError
from .hf import load_model, read_safetensors, save_model, write_generation_config
from .model import LlamaLM
from .router import MAX_TOP_K, Router, read_router, save_router
from .tandem import Projections, check_pair

FORMAT, VERSION = "tandem-checkpoint", 1
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


@dataclass
class Bundle:
    """A tandem (or, without projections, a vanilla pair) with its baselines, all weights in float32."""

    primary: LlamaLM
    secondary: LlamaLM
    projections: Projections | None
    gamma: int = 2
    baselines: dict[str, LlamaLM] = field(default_factory=dict)
    provenance: dict = field(default_factory=dict)
    router: Router | None = None
    draft_vocabulary: DraftVocabulary | None = None

    @property
    def kind(self) -> str:
        """``tandem`` or ``pair``."""
        return "tandem" if self.projections is not None else "pair"


def write_bundle(bundle: Bundle, out: Path, tokenizer: Path | None, dtype: torch.dtype = torch.bfloat16) -> None:
    """Writes a checkpoint directory; ``tandem.json`` comes last, so that an interrupted write is not a checkpoint.

    ``tokenizer`` is the directory whose tokenizer files are copied (None: the directory gets none).
    Raises ``TrainError`` when there is no tokenizer there.
    """
    check_pair(bundle.primary.config, bundle.secondary.config)
    out.mkdir(parents=True, exist_ok=True)
    (out / "tandem.json").unlink(missing_ok=True)
    manifest: dict = {"format": FORMAT, "version": VERSION, "kind": bundle.kind}
    manifest |= {"primary": "primary", "secondary": "secondary"}
    save_model(bundle.primary, out / "primary", dtype)
    save_model(bundle.secondary, out / "secondary", dtype)
    if bundle.projections is not None:
        save_projections(bundle.projections, out / "tandem.safetensors", dtype)
        manifest |= {"projections": "tandem.safetensors", "layer_map": bundle.projections.layer_map}
    manifest["gamma"] = bundle.gamma
    if bundle.router is not None:
        manifest["router"] = _write_router(bundle.router, out)
    if bundle.draft_vocabulary is not None:
        manifest["draft_vocabulary"] = _write_draft_vocabulary(bundle.draft_vocabulary, out)
    if tokenizer is not None:
        if not (tokenizer / "tokenizer.json").is_file():
            raise TrainError(f"no tokenizer.json in {tokenizer}")
        for name in _TOKENIZER_FILES:
            if (tokenizer / name).is_file() and tokenizer.resolve() != out.resolve():
                shutil.copyfile(tokenizer / name, out / name)
        manifest["tokenizer"] = "tokenizer.json"
    write_generation_config(out, bundle.primary.config.bos, bundle.primary.config.eos)
    if bundle.baselines:
        manifest["baselines"] = {name: f"secondary-{name}" for name in bundle.baselines}
        for name, model in bundle.baselines.items():
            save_model(model, out / f"secondary-{name}", dtype)
    manifest["provenance"] = bundle.provenance
    _write_manifest(manifest, out)


def _write_manifest(manifest: dict, out: Path) -> None:
    temporary = out / ".tandem.json.tmp"
    temporary.write_text(json.dumps(manifest, indent=2) + "\n")
    temporary.replace(out / "tandem.json")


def _write_router(router: Router, out: Path) -> dict:
    """Writes the router's weights; returns its entry in the manifest."""
    save_router(router, out / "router.safetensors")
    return {"weights": "router.safetensors", "top_k": router.top_k}


def attach_router(directory: Path, router: Router) -> None:
    """Gives a checkpoint directory a router, or another one; everything else in it stays as it is."""
    manifest = read_manifest(directory)
    (directory / "tandem.json").unlink()
    _write_manifest(manifest | {"router": _write_router(router, directory)}, directory)


def _write_draft_vocabulary(vocabulary: DraftVocabulary, out: Path) -> dict:
    """Writes the tokens' frequencies; returns their entry in the manifest."""
    save_frequencies(vocabulary, out / "frequencies.safetensors")
    return {"size": vocabulary.size, "frequencies": "frequencies.safetensors"}


def attach_draft_vocabulary(directory: Path, vocabulary: DraftVocabulary) -> None:
    """Gives a checkpoint directory a draft vocabulary, or another one; everything else in it stays as it is."""
    manifest = read_manifest(directory)
    _write_manifest(manifest | {"draft_vocabulary": _write_draft_vocabulary(vocabulary, directory)}, directory)


def save_projections(projections: Projections, file: Path, dtype: torch.dtype = torch.bfloat16) -> None:
    """Writes ``tandem.safetensors``."""
    tensors = {
        f"tandem.projections.{j}.weight": projection.weight.detach().to("cpu", dtype).contiguous()
        for j, projection in enumerate(projections.projections)
    }
    save_file(tensors, str(file), metadata={"format": "pt"})


def read_manifest(directory: Path) -> dict:
    """Reads and checks ``tandem.json``. Raises ``TrainError`` naming the field."""
    file = directory / "tandem.json"
    if not file.is_file():
        raise TrainError(f"no tandem.json in {directory}: give a tandem checkpoint directory")
    try:
        manifest = json.loads(file.read_text())
    except ValueError as error:
        raise TrainError(f"{file} is not JSON: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise TrainError(f"{file}: format must be {FORMAT!r}")
    if manifest.get("version") != VERSION:
        raise TrainError(f"{file}: version {manifest.get('version')!r} is not supported, this trainer reads {VERSION}")
    if manifest.get("kind") not in ("tandem", "pair"):
        raise TrainError(f"{file}: kind must be 'tandem' or 'pair', not {manifest.get('kind')!r}")
    router = manifest.get("router")
    if router is not None and not (
        isinstance(router, dict) and type(router.get("top_k")) is int and 1 <= router["top_k"] <= MAX_TOP_K
    ):
        raise TrainError(f"{file}: router must be an object with top_k from 1 to {MAX_TOP_K}")
    drafts = manifest.get("draft_vocabulary")
    if drafts is not None and not (isinstance(drafts, dict) and type(drafts.get("size")) is int and drafts["size"] >= 1):
        raise TrainError(f"{file}: draft_vocabulary must be an object with a size of at least 1")
    needed = ["primary", "secondary"] + (["projections"] if manifest["kind"] == "tandem" else [])
    baselines = manifest.get("baselines", {})
    if not isinstance(baselines, dict):
        raise TrainError(f"{file}: baselines must be an object")
    paths = [(k, manifest.get(k)) for k in needed] + [(f"baselines.{k}", v) for k, v in baselines.items()]
    if router is not None:
        paths.append(("router.weights", router.get("weights")))
    if drafts is not None:
        paths.append(("draft_vocabulary.frequencies", drafts.get("frequencies")))
    for key, value in paths:
        if not isinstance(value, str) or not value or value.startswith("/") or ".." in Path(value).parts:
            raise TrainError(f"{file}: {key} must be a path inside the directory, not {value!r}")
    gamma = manifest.get("gamma", 2)
    if type(gamma) is not int or not 1 <= gamma <= 64:
        raise TrainError(f"{file}: gamma must be an integer from 1 to 64, not {gamma!r}")
    if manifest["kind"] == "tandem":
        entries = manifest.get("layer_map")
        if not isinstance(entries, list) or not all(type(entry) is int for entry in entries):
            raise TrainError(f"{file}: layer_map must be a list of integers")
    return manifest


def read_projections(file: Path, primary: LlamaLM, secondary: LlamaLM, layer_map: list[int]) -> Projections:
    """Reads ``tandem.safetensors``. Raises ``TrainError`` for missing or misshapen tensors."""
    projections = Projections(primary.config, secondary.config, layer_map)
    tensors = read_safetensors(file)
    with torch.no_grad():
        for j, projection in enumerate(projections.projections):
            name = f"tandem.projections.{j}.weight"
            if name not in tensors:
                raise TrainError(f"{file}: tensor {name} is missing")
            if tensors[name].shape != projection.weight.shape:
                raise TrainError(
                    f"{file}: {name} has shape {list(tensors[name].shape)}, needs {list(projection.weight.shape)}"
                )
            projection.weight.copy_(tensors[name].float())
    return projections


def read_bundle(directory: Path) -> Bundle:
    """Reads a whole checkpoint directory in float32. Raises ``TrainError``."""
    manifest = read_manifest(directory)
    primary, secondary = (load_model(directory / manifest[role]) for role in ("primary", "secondary"))
    check_pair(primary.config, secondary.config)
    projections = None
    if manifest["kind"] == "tandem":
        projections = read_projections(directory / manifest["projections"], primary, secondary, manifest["layer_map"])
    baselines = {name: load_model(directory / path) for name, path in manifest.get("baselines", {}).items()}
    for model in baselines.values():
        check_pair(primary.config, model.config)
    router = None
    if manifest.get("router") is not None:
        entry = manifest["router"]
        router = read_router(directory / entry["weights"], secondary.config.hidden_size, entry["top_k"])
    drafts = None
    if manifest.get("draft_vocabulary") is not None:
        entry = manifest["draft_vocabulary"]
        drafts = read_frequencies(directory / entry["frequencies"], primary.config.vocab_size, entry["size"])
    gamma, provenance = manifest.get("gamma", 2), manifest.get("provenance", {})
    return Bundle(primary, secondary, projections, gamma, baselines, provenance, router, drafts)
