# SPDX-License-Identifier: Apache-2.0
"""Fills a model card: every ``{{NAME}}`` of a Markdown template is replaced by figures measured on the checkpoint."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer

from .bundle import Bundle
from .decode import Cache, block, greedy_speed
from .errors import TrainError
from .model import LlamaLM

_NAMES = {"alone": "secondary alone", "distilled": "secondary alone, distilled", "tandem-ce": "tandem, cross-entropy only"}
_PAPER = {"alone": 55.06, "tandem": 58.35, "distilled_agreement": 75.30, "tandem_agreement": 81.00, "distilled_tv": 0.318, "tandem_tv": 0.141}


def listed(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def multiply_adds(model: LlamaLM) -> int:
    """Multiply-adds of the matrices for one token (attention over the context not counted)."""
    layers = sum(p.numel() for p in model.model.layers.parameters() if p.dim() == 2)
    return layers + model.head.numel()


def shapes(bundle: Bundle) -> str:
    """A table of the parts with parameters and multiply-adds."""
    lines = ["| part | shape | parameters | multiply-adds a token |", "|---|---|---|---|"]
    whole = multiply_adds(bundle.primary)
    for name, model in (("primary", bundle.primary), ("secondary", bundle.secondary)):
        c, cost = model.config, multiply_adds(model)
        share = "" if name == "primary" else f" (1/{whole / cost:.1f})"
        lines.append(
            f"| {name} | {_count(c.num_layers, 'layer')}, d {c.hidden_size}, {c.num_heads} heads × {c.head_dim}, {c.num_kv_heads} KV heads, "
            f"feed-forward {c.intermediate_size}, {'tied' if c.tied else 'untied'} "
            f"| {sum(p.numel() for p in model.parameters()) / 1e6:.2f} M | {cost / 1e6:.2f} M{share} |"
        )
    if bundle.projections is not None:
        given = [p.weight for p in bundle.projections.projections]
        taps = bundle.projections.layer_map
        lines.append(
            f"| projections | {len(given)} of {given[0].shape[0]} × {given[0].shape[1]}, {'tap' if len(taps) == 1 else 'taps'} after {', '.join(map(str, taps))} primary layers "
            f"| {sum(w.numel() for w in given) / 1e6:.2f} M | |"
        )
    return "\n".join(lines)


def figures(rows: Sequence[dict]) -> str:
    """The table-1 rows of one source, from ``evaluate --json``."""
    lines = [
        "| | accuracy % | cross-entropy, nats | accuracy against the primary % | TV distance |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        name = _NAMES.get(row["model"], row["model"]) + (f", γ = {row['gamma']}" if row["gamma"] else "")
        lines.append(
            f"| {name} | {row['accuracy']:.2f} | {row['cross_entropy']:.3f} | {row['accuracy_vs_primary']:.2f} | {row['tv_distance']:.3f} |"
        )
    return "\n".join(lines)


def beside_the_paper(rows: Sequence[dict]) -> str:
    """Gain in accuracy, agreement and total variation at γ = 2, beside table 1 of the paper. The gain in accuracy is, as there, that
    of a tandem taught by cross-entropy alone, where the evaluation has one."""
    def find(model: str, gamma: int | None = None) -> dict:
        for row in rows:
            if row["model"] == model and row["gamma"] == gamma:
                return row
        raise TrainError(f"the evaluation has no row {model}{f' with gamma {gamma}' if gamma else ''}")

    tandem, alone, distilled, paper = find("tandem", 2), find("alone"), find("distilled"), _PAPER
    plain = "tandem-ce" if any(row["model"] == "tandem-ce" for row in rows) else "tandem"
    taught = find(plain, 2)
    def fall(before: float, after: float) -> str:
        return f"{before:.3f} → {after:.3f} (−{100 * (1 - after / before):.0f} %)"

    return "\n".join([
        "| | paper | here, γ = 2 |",
        "|---|---|---|",
        f"| accuracy, secondary alone → {_NAMES.get(plain, plain)} "
        f"| {paper['alone']:.2f} → {paper['tandem']:.2f} % ({paper['tandem'] - paper['alone']:+.2f}) "
        f"| {alone['accuracy']:.2f} → {taught['accuracy']:.2f} % ({taught['accuracy'] - alone['accuracy']:+.2f}) |",
        f"| accuracy against the primary, distilled → tandem | {paper['distilled_agreement']:.2f} → {paper['tandem_agreement']:.2f} % "
        f"| {distilled['accuracy_vs_primary']:.2f} → {tandem['accuracy_vs_primary']:.2f} % |",
        f"| TV distance, distilled → tandem | {fall(paper['distilled_tv'], paper['tandem_tv'])} "
        f"| {fall(distilled['tv_distance'], tandem['tv_distance'])} |",
    ])


def primary_passes(bundle: Bundle, tokenizer: Tokenizer, prompts: Sequence[str], count: int, gammas: Sequence[int]) -> str:
    """Primary passes of greedy SPEED over all prompts, ``count`` tokens each, in float32."""
    lines = [f"| γ | {' | '.join(map(str, gammas))} |", f"|---|{'---|' * len(gammas)}"]
    lines.append(f"| primary alone | {' | '.join([str(count * len(prompts))] * len(gammas))} |")
    drafts = [(f"plain pair, {name} secondary", model, None) for name, model in bundle.baselines.items()]
    for name, model, projections in [*drafts, ("tandem", bundle.secondary, bundle.projections)]:
        passes = [
            sum(greedy_speed(bundle.primary, model, projections, tokenizer.encode(p).ids, count, gamma).primary_passes for p in prompts)
            for gamma in gammas
        ]
        lines.append(f"| {name} | {' | '.join(map(str, passes))} |")
    return "\n".join(lines)


@torch.no_grad()
def sample(model: LlamaLM, tokenizer: Tokenizer, prompt: str, count: int, temperature: float, generator: torch.Generator) -> str:
    """At most ``count`` sampled tokens after ``prompt``, cut after the last whole sentence."""
    ids = tokenizer.encode(prompt).ids
    cache = Cache.of(model, len(ids) + count)
    logits, _ = block(model, cache, torch.tensor(ids))
    out: list[int] = []
    while len(out) < count:
        token = int(torch.multinomial(torch.softmax(logits[-1] / temperature, -1), 1, generator=generator))
        if token == model.config.eos:
            break
        out.append(token)
        logits, _ = block(model, cache, torch.tensor([token]))
    text = tokenizer.decode(out)
    return text[: max(text.rfind(mark) for mark in ".!?\"”") + 1]


def samples(model: LlamaLM, tokenizer: Tokenizer, prompts: Sequence[str], count: int, temperature: float, seed: int) -> str:
    """Quoted samples, the prompts in bold."""
    generator = torch.Generator().manual_seed(seed)
    quotes = []
    for prompt in prompts:
        text = sample(model, tokenizer, prompt, count, temperature, generator)
        quotes.append(f"> **{prompt}**{text}".replace("\n\n", "\n").replace("\n", "\n> "))
    return "\n\n".join(quotes)


def fill(template: str, values: dict[str, Callable[[], str]], path: Path) -> str:
    """``template`` with every ``{{NAME}}`` replaced; only what it names is computed. Raises ``TrainError`` for an unknown name."""
    found: dict[str, str] = {}
    for name in re.findall(r"\{\{([^{}]*)\}\}", template):
        if name not in values:
            raise TrainError(f"{path}: no value for {{{{{name}}}}}; there are {', '.join(values)}")
        if name not in found:
            found[name] = values[name]()
    return re.sub(r"\{\{([^{}]*)\}\}", lambda match: found[match[1]], template)
