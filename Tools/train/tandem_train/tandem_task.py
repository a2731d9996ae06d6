# SPDX-License-Identifier: Apache-2.0
"""The training task of a tandem and its baselines: one primary pass, three independent branches.

``tandem``     secondary and projections; stage 1 cross-entropy, stage 2 half cross-entropy, half distillation (``--loss``).
``distilled``  the secondary alone with half cross-entropy, half distillation throughout (the paper's Gecko-Distil).
``alone``      the secondary alone with cross-entropy throughout (the paper's Gecko).
``tandem-ce``  the tandem with cross-entropy throughout (the paper's Tandem-CE); not trained unless asked for.
``primary``    the primary itself, with ``--cotrain`` only; else it is frozen, as in the paper.

All branches start from the same secondary and see the same windows. The stages and the mix are section 3 of the paper;
drawing the block length anew per sequence is ours, it keeps the gain deeper into a block.

Co-training is ours too: the primary learns ``CE + w * (loss of the tandem)``, so that it keeps in its representations what the
tandem needs, and gives up what that cannot follow. The tandem's gradient reaches the primary through the taps and, where its
loss has a distance between both distributions in it (``tv``, ``lk``), through the primary's probabilities. The baselines see
these as constants.
"""

from __future__ import annotations

import copy
from typing import Sequence

import numpy as np
import torch
from torch import Tensor

from .errors import TrainError
from .model import LlamaLM
from .pretrain import cross_entropy
from .runtime import Runtime
from .tandem import Projections, block_masks, tandem_logits

LOSSES = ("mix", "tv", "lk", "mix+tv", "mix+lk")
DISTANCES = LOSSES[1:]  # those with a distance between both distributions in them
BRANCHES = ("tandem", "distilled", "alone", "tandem-ce")
DEFAULT_BRANCHES = BRANCHES[:3]


def distillation(logits: Tensor, target: Tensor) -> Tensor:
    """Mean cross-entropy of the primary's distribution against the secondary's, ``CE(p_L || p_S)``, in nats.

    ``logits [B, T, V]`` of the secondary, ``target [B, T, V]`` the primary's probabilities.
    """
    return -(target * torch.log_softmax(logits.float(), -1)).sum(-1).mean()


def overlap(logits: Tensor, target: Tensor) -> Tensor:
    """Expected acceptance of a draft under speculative sampling, ``sum(min(p_S, p_L))`` = 1 - TV, at every position.

    ``logits [B, T, V]`` of the secondary, ``target [B, T, V]`` the primary's probabilities; returns ``[B, T]``.
    """
    return torch.minimum(torch.softmax(logits.float(), -1), target).sum(-1)


def acceptance(logits: Tensor, target: Tensor) -> Tensor:
    """Mean share of rejected drafts, the total variation distance."""
    return 1 - overlap(logits, target).mean()


def acceptance_likelihood(logits: Tensor, target: Tensor) -> Tensor:
    """Mean ``-log`` of the acceptance, in nats: positions where nothing is kept weigh most, as in a block that they end."""
    return -overlap(logits, target).clamp_min(1e-6).log().mean()


def stage_two(loss: str, logits: Tensor, following: Tensor, target: Tensor) -> Tensor:
    """The loss of the second stage. ``mix`` is the paper's: half cross-entropy, half distillation. ``tv`` and ``lk`` aim at
    acceptance; ``mix+tv`` and ``mix+lk`` are the mean of both kinds. For ``mix`` the target is a constant: as a function of the
    primary it is no distance, and would only sharpen it."""
    parts = []
    if loss.startswith("mix"):
        parts.append(0.5 * cross_entropy(logits, following) + 0.5 * distillation(logits, target.detach()))
    if loss.endswith("tv"):
        parts.append(acceptance(logits, target))
    if loss.endswith("lk"):
        parts.append(acceptance_likelihood(logits, target))
    return torch.stack(parts).mean()


def weighted(x: Tensor, weight: float) -> Tensor:
    """The value of ``x``, to the bit, with ``weight`` times its gradient."""
    return x.detach() + weight * (x - x.detach())


def draw_gamma(rng: np.random.Generator, count: int, largest: int, power: float) -> Tensor:
    """``count`` block lengths from 1 to ``largest`` with probability proportional to ``gamma ** -power``."""
    weights = np.arange(1, largest + 1, dtype=np.float64) ** -power
    return torch.from_numpy(rng.choice(largest, size=count, p=weights / weights.sum()) + 1)


class TandemTraining:
    """A ``loop.Task`` over one pair of models. ``start`` holds the first projections (None: random)."""

    def __init__(
        self,
        primary: LlamaLM,
        secondary: LlamaLM,
        layer_map: Sequence[int],
        runtime: Runtime,
        *,
        branches: Sequence[str] = DEFAULT_BRANCHES,
        stage_one: float = 0.3,
        gamma_max: int = 8,
        gamma_power: float = 0.5,
        seed: int = 0,
        start: Projections | None = None,
        loss: str = "mix",
        compiled: bool = False,
        cotrain: float = 0.0,
    ) -> None:
        unknown = [name for name in branches if name not in BRANCHES]
        if unknown or not branches:
            raise TrainError(f"no branch {', '.join(unknown) or '(none given)'}: choose from {', '.join(BRANCHES)}")
        if loss not in LOSSES:
            raise TrainError(f"no loss {loss!r}: choose from {', '.join(LOSSES)}")
        if not 0 <= stage_one <= 1 or gamma_max < 1:
            raise TrainError("need --stage-one from 0 to 1 and --gamma-max of at least 1")
        if not cotrain >= 0 or cotrain and ("tandem" not in branches or loss not in DISTANCES):
            raise TrainError(f"--cotrain takes a weight above 0, the branch tandem, and a --loss with a distance: {', '.join(DISTANCES)}")
        self.primary = primary.requires_grad_(cotrain > 0).eval().to(runtime.device)
        # A frozen model in the compute type saves the conversion of every weight in every step.
        self.fast_primary = self.primary if cotrain else copy.deepcopy(self.primary).to(runtime.dtype)
        self.runtime, self.seed, self.loss, self.cotrain = runtime, seed, loss, cotrain
        self.stage_one, self.gamma_max, self.gamma_power = stage_one, gamma_max, gamma_power
        self.branches: dict[str, dict] = {}
        for name in branches:
            modules: dict = {"secondary": copy.deepcopy(secondary).to(runtime.device)}
            if name.startswith("tandem"):
                projections = Projections(primary.config, secondary.config, layer_map)
                projections.initialise(seed)
                if start is not None:
                    projections.load_state_dict(start.state_dict())
                modules["projections"] = projections.to(runtime.device)
            self.branches[name] = modules
        if cotrain:
            self.branches["primary"] = {"model": self.primary}
        self._targets = torch.compile(self._primary_pass, dynamic=False) if compiled else self._primary_pass
        self._alone = torch.compile(self._alone_loss, dynamic=False) if compiled else self._alone_loss
        self._tandem = torch.compile(self._tandem_loss, dynamic=False) if compiled else self._tandem_loss

    def adopt(self, modules: dict[str, dict[str, dict]]) -> None:
        """Gives every branch the weights of the branch of its name in ``modules`` (branch to module to state dict).

        A ``tandem-ce`` that is missing there branches off from the tandem. A primary that was frozen there keeps the weights that it
        has here."""
        for name, parts in self.branches.items():
            source = "tandem" if name == "tandem-ce" and name not in modules else name
            if source == "primary" and source not in modules:
                continue
            if source not in modules:
                raise TrainError(f"the earlier run has no branch {source}, only {', '.join(modules)}: choose --branches from these")
            for part, module in parts.items():
                try:
                    module.load_state_dict(modules[source][part])
                except RuntimeError as error:
                    raise TrainError(f"the earlier run's {part} of branch {source} has another shape: was its primary another?") from error

    def losses(self, batch: Tensor, step: int, steps: int) -> dict[str, Tensor]:
        """One loss per branch on windows ``[B, T + 1]``."""
        tokens, following = batch[:, :-1].contiguous(), batch[:, 1:].contiguous()
        out: dict[str, Tensor] = {}
        streams, target, constants = [], None, ([], None)
        if set(self.branches) != {"alone"}:
            with torch.set_grad_enabled(self.cotrain > 0):
                streams, target, own = self._targets(tokens, following)
            constants = [stream.detach() for stream in streams], target.detach()
            if self.cotrain:
                out["primary"] = own
        rng = np.random.default_rng([self.seed, step, self.runtime.rank])
        gamma = draw_gamma(rng, tokens.shape[0], self.gamma_max, self.gamma_power).to(tokens.device)
        mask = self._mask(tokens.shape[1], gamma) if any("projections" in modules for modules in self.branches.values()) else None
        late = step >= round(steps * self.stage_one)
        for name, modules in self.branches.items():
            if name == "primary":
                continue
            seen, aim = (streams, target) if name == "tandem" else constants
            # The baseline stays the paper's, whatever the tandem is trained for.
            loss = {"tandem": self.loss if late else "ce", "distilled": "mix"}.get(name, "ce")
            if "projections" in modules:
                out[name] = self._tandem(
                    modules["secondary"], modules["projections"], seen, tokens, following, aim, mask, loss
                )
            else:
                out[name] = self._alone(modules["secondary"], tokens, following, aim, loss)
        return out

    def _mask(self, length: int, gamma: Tensor) -> Tensor:
        """What positions see in blocks of ``gamma`` tokens, as 0 or -inf: a compiled sum is faster than a compiled choice."""
        visible = block_masks(length, gamma, gamma.device)
        return torch.zeros(visible.shape, dtype=self.runtime.dtype, device=visible.device).masked_fill_(~visible, float("-inf"))

    def _primary_pass(self, tokens: Tensor, following: Tensor) -> tuple[list[Tensor], Tensor, Tensor | None]:
        """Streams, probabilities, and the primary's own loss where it is trained."""
        streams = self.fast_primary.streams(tokens, self.runtime.dtype)
        logits = self.fast_primary.logits(streams[-1])
        target = torch.softmax(logits.float(), -1)
        if not self.cotrain:
            return streams, target, None
        own = cross_entropy(logits, following)
        return [weighted(stream, self.cotrain) for stream in streams], weighted(target, self.cotrain), own

    def _alone_loss(self, secondary: LlamaLM, tokens: Tensor, following: Tensor, target: Tensor | None, loss: str) -> Tensor:
        return _loss(loss, secondary(tokens, self.runtime.dtype), following, target)

    def _tandem_loss(
        self, secondary: LlamaLM, projections: Projections, streams: list[Tensor], tokens: Tensor, following: Tensor,
        target: Tensor, mask: Tensor, loss: str,
    ) -> Tensor:
        return _loss(loss, tandem_logits(secondary, projections, streams, tokens, mask), following, target)


def _loss(loss: str, logits: Tensor, following: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy against the text (``ce``), or a loss of the second stage."""
    return cross_entropy(logits, following) if loss == "ce" else stage_two(loss, logits, following, target)
