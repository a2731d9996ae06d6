# SPDX-License-Identifier: Apache-2.0
"""``tiny``, ``reference`` and ``verify``: material for other implementations, and a check of a checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from .. import bundle, reference, tiny
from ..errors import TrainError
from ..tokenizer import load_tokenizer


def register(commands: argparse._SubParsersAction) -> None:
    """Adds the subcommands."""
    one = commands.add_parser("tiny", help="write a tiny random tandem checkpoint for tests")
    one.add_argument("--variant", default="tied", help=f"one of {', '.join(tiny.VARIANTS)} (default tied)")
    one.add_argument("-s", "--seed", type=int, default=0)
    one.add_argument("--dtype", choices=("bf16", "fp16", "fp32"), default="bf16", help="type of the stored weights")
    one.add_argument("--router", action="store_true", help="with a random block-length router")
    one.add_argument("--out", type=Path, required=True)
    one.set_defaults(run=_tiny)

    two = commands.add_parser("reference", help="float32 logits of a tandem checkpoint on given tokens, as safetensors")
    two.add_argument("--checkpoint", type=Path, required=True, help="tandem checkpoint directory")
    given = two.add_mutually_exclusive_group(required=True)
    given.add_argument("--prompt-ids", help="token ids, separated by commas or spaces")
    given.add_argument("--prompt", help="text, tokenised with the checkpoint's tokenizer")
    two.add_argument("--gamma", type=int, help="block length (default: the checkpoint's)")
    two.add_argument("--out", type=Path, help="safetensors file: tokens, primary_logits, secondary_logits, tandem_logits, router")
    two.add_argument("--json", action="store_true", help="print greedy SPEED from the prompt as JSON")
    two.add_argument("-n", "--predict", type=int, default=32, help="tokens to generate for --json (default 32)")
    two.set_defaults(run=_reference)

    three = commands.add_parser("verify", help="read a checkpoint completely and check that its parts fit together")
    three.add_argument("checkpoint", type=Path)
    three.set_defaults(run=_verify)


def _tiny(options: argparse.Namespace) -> None:
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[options.dtype]
    tiny.write_tiny(options.variant, options.seed, options.out, dtype, options.router)
    print(options.out)


def _reference(options: argparse.Namespace) -> None:
    if not options.json and options.out is None:
        raise TrainError("nothing to do: give --out FILE.safetensors, --json, or both")
    loaded = bundle.read_bundle(options.checkpoint)
    if options.prompt is not None:
        tokens = load_tokenizer(options.checkpoint).encode(options.prompt, add_special_tokens=False).ids
    else:
        try:
            tokens = [int(part) for part in options.prompt_ids.replace(",", " ").split()]
        except ValueError as error:
            raise TrainError(f"--prompt-ids must be integers: {error}") from error
    gamma = loaded.gamma if options.gamma is None else options.gamma
    if gamma < 1:
        raise TrainError(f"--gamma must be at least 1, not {gamma}")
    if options.out is not None:
        reference.write_reference(loaded, tokens, gamma, options.out)
    if options.json:
        print(reference.speed_json(loaded, tokens, options.predict, gamma))


def _verify(options: argparse.Namespace) -> None:
    loaded = bundle.read_bundle(options.checkpoint)
    manifest = bundle.read_manifest(options.checkpoint)
    models = {"primary": loaded.primary, "secondary": loaded.secondary, **loaded.baselines}
    if "tokenizer" in manifest:
        size = load_tokenizer(options.checkpoint / manifest["tokenizer"]).get_vocab_size(with_added_tokens=True)
        if size > loaded.primary.config.vocab_size:
            raise TrainError(f"the tokenizer has {size} entries, the models {loaded.primary.config.vocab_size}")
    for name, model in models.items():
        for key, tensor in model.state_dict().items():
            if not torch.isfinite(tensor).all():
                raise TrainError(f"{name}: {key} holds values that are not finite")
        count = sum(p.numel() for p in model.parameters())
        print(f"{name:12} {count / 1e6:8.2f} M parameters {model.config.macs_per_token() / 1e6:8.2f} M MACs/token")
    parts = [f"layer map {loaded.projections.layer_map}"] if loaded.projections else []
    if loaded.router is not None:
        if not all(torch.isfinite(tensor).all() for tensor in loaded.router.state_dict().values()):
            raise TrainError("the router holds values that are not finite")
        parts.append(f"router with {loaded.router.hidden.out_features} hidden units over {loaded.router.top_k} tokens")
    if loaded.draft_vocabulary is not None:
        parts.append(f"drafts from {loaded.draft_vocabulary.size} tokens ({loaded.draft_vocabulary.coverage:.1%})")
    print(", ".join([loaded.kind, f"gamma {loaded.gamma}", *parts]))
