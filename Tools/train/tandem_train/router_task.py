# SPDX-License-Identifier: Apache-2.0
"""Training a router over a frozen tandem (or pair), its calibration, and how good its estimates are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .bundle import Bundle
from .errors import TrainError
from .router import OUTPUTS, Router, embedding_scale, features
from .runtime import Runtime
from .tandem import block_masks, tandem_logits
from .tandem_task import draw_gamma

CONFIDENCE_BINS = 12


class FrozenPair:
    """A bundle's models in the compute type: what the secondary predicts, and how likely it is to be kept."""

    def __init__(self, bundle: Bundle, runtime: Runtime) -> None:
        self.primary = bundle.primary.requires_grad_(False).eval().to(runtime.device, runtime.dtype)
        self.secondary = bundle.secondary.requires_grad_(False).eval().to(runtime.device)
        self.projections = bundle.projections
        if bundle.projections is not None:
            self.projections = bundle.projections.requires_grad_(False).to(runtime.device)
        self.runtime = runtime
        self.embedding = self.secondary.model.embed_tokens.weight

    @torch.no_grad()
    def outcome(self, tokens: Tensor, gamma: Tensor) -> tuple[Tensor, Tensor]:
        """The secondary's logits ``[B, T, V]`` at block lengths ``gamma [B]``, and the targets ``[B, T, 2]``: the overlap
        ``sum(min(p_S, p_L))`` = 1 - TV of both distributions, and whether their largest probabilities agree."""
        streams = self.primary.streams(tokens, self.runtime.dtype)
        truth = self.primary.logits(streams[-1]).float()
        if self.projections is None:
            logits = self.secondary(tokens, self.runtime.dtype).float()
        else:
            mask = block_masks(tokens.shape[1], gamma, tokens.device)
            logits = tandem_logits(self.secondary, self.projections, streams, tokens, mask).float()
        overlap = torch.minimum(torch.softmax(logits, -1), torch.softmax(truth, -1)).sum(-1)
        agree = (logits.argmax(-1) == truth.argmax(-1)).float()
        return logits, torch.stack((overlap, agree), -1)


class RouterTraining:
    """A ``loop.Task``: binary cross-entropy against the targets, one branch for each of ``OUTPUTS`` and both in one router."""

    def __init__(
        self, bundle: Bundle, runtime: Runtime, *, top_k: int, hidden: int, gamma_max: int = 16, gamma_power: float = 0.5, seed: int = 0
    ) -> None:
        if gamma_max < 1:
            raise TrainError("need --gamma-max of at least 1")
        if top_k > bundle.secondary.config.vocab_size:
            raise TrainError(f"--top-k {top_k} is more than the vocabulary of {bundle.secondary.config.vocab_size}")
        self.pair, self.runtime, self.seed = FrozenPair(bundle, runtime), runtime, seed
        self.gamma_max, self.gamma_power = gamma_max, gamma_power
        self.router = Router(bundle.secondary.config.hidden_size, top_k, hidden, embedding_scale(bundle.secondary))
        self.router.initialise(seed)
        self.router.to(runtime.device)
        self.branches = {"router": {"router": self.router}}

    def losses(self, batch: Tensor, step: int, steps: int) -> dict[str, Tensor]:
        """The loss on windows ``[B, T + 1]``."""
        tokens = batch[:, :-1].contiguous()
        gamma = self.gamma([self.seed, step, self.runtime.rank], tokens.shape[0]).to(tokens.device)
        logits, target = self.pair.outcome(tokens, gamma)
        estimate = self.router(features(logits, self.pair.embedding, self.router.top_k))
        return {"router": F.binary_cross_entropy_with_logits(estimate, target)}

    def gamma(self, seed: list[int], count: int) -> Tensor:
        """Block lengths for ``count`` windows."""
        return draw_gamma(np.random.default_rng(seed), count, self.gamma_max, self.gamma_power)

    @torch.no_grad()
    def observe(self, batches: Iterable[Tensor]) -> "Observations":
        """The router's log-odds, the largest probability and the targets at every position of windows ``[B, T + 1]``."""
        odds, confidences, targets = [], [], []
        for index, batch in enumerate(batches):
            tokens = batch[:, :-1].contiguous().to(self.runtime.device)
            gamma = self.gamma([self.seed, index, 1 << 20], tokens.shape[0]).to(tokens.device)
            logits, target = self.pair.outcome(tokens, gamma)
            inputs = features(logits, self.pair.embedding, self.router.top_k)
            odds.append(self.router(inputs).flatten(0, 1).cpu())
            confidences.append(inputs[..., 1].flatten().cpu())
            targets.append(target.flatten(0, 1).cpu())
        return Observations(torch.cat(odds), torch.cat(confidences), torch.cat(targets))


@dataclass
class Observations:
    """What a router said and what happened, ``[n, 2]``, with the secondary's largest probability ``[n]``."""

    odds: Tensor
    confidence: Tensor
    target: Tensor

    @staticmethod
    def joined(parts: "list[Observations]") -> "Observations":
        """All positions of several."""
        return Observations(*(torch.cat([getattr(part, name) for part in parts]) for name in ("odds", "confidence", "target")))

    def halves(self) -> tuple["Observations", "Observations"]:
        """Positions before and after the middle: one half to fit on, one to test on."""
        middle = len(self.odds) // 2
        if middle < 1:
            raise TrainError("too few validation tokens: give longer sources or a higher --valid-tokens")
        return tuple(
            Observations(self.odds[part], self.confidence[part], self.target[part]) for part in (slice(0, middle), slice(middle, None))
        )


def calibration(odds: Tensor, target: Tensor, steps: int = 50) -> tuple[float, float]:
    """Slope and shift of the log-odds ``[n]`` that give the least cross-entropy against ``target [n]`` (Platt scaling).

    Newton's method on odds of unit deviation, with a small ridge and steps that are halved until they gain.
    """
    y, deviation = target.double(), odds.double().std().clamp_min(1e-6)
    z = torch.stack((odds.double() / deviation, torch.ones_like(y)), -1)
    start = torch.tensor([float(deviation), 0.0], dtype=torch.float64)
    ridge = 1e-4 * torch.eye(2, dtype=torch.float64)

    def loss(weights: Tensor) -> float:
        change = weights - start
        return float(F.binary_cross_entropy_with_logits(z @ weights, y) + 0.5 * change @ ridge @ change)

    weights, least = start, loss(start)
    for _ in range(steps):
        p = torch.sigmoid(z @ weights)
        gradient = z.T @ (p - y) / len(y) + ridge @ (weights - start)
        change = torch.linalg.solve(z.T @ (z * (p * (1 - p))[:, None]) / len(y) + ridge, gradient)
        while change.norm() > 1e-9 and loss(weights - change) > least:
            change = change / 2
        if change.norm() <= 1e-9:
            break
        weights = weights - change
        least = loss(weights)
    return float(weights[0] / deviation), float(weights[1])


def calibrate(router: Router, fit: Observations, test: Observations) -> None:
    """Makes the router's probabilities those that happened in ``fit``: the scaling is folded into its weights, and both sets
    of log-odds become what the scaled router says."""
    pairs = [calibration(fit.odds[:, row], fit.target[:, row]) for row in range(len(OUTPUTS))]
    slope, shift = (torch.tensor(values, dtype=torch.float32) for values in zip(*pairs))
    router.rescale(slope.to(router.output.weight.device), shift.to(router.output.weight.device))
    for seen in (fit, test):
        seen.odds = seen.odds * slope + shift


def brier(estimate: Tensor, target: Tensor) -> float:
    """Mean squared error of a probability against the event, whose own probability is ``target``."""
    return float(((estimate - target).square() + target * (1 - target)).mean())


def bins(confidence: Tensor, target: Tensor, count: int = CONFIDENCE_BINS) -> Tensor:
    """Mean of ``target`` in ``count`` equal bins of the confidence: what running estimates of acceptance converge to."""
    place = (confidence * count).long().clamp(0, count - 1)
    sums, seen = torch.zeros(count).index_add(0, place, target), torch.zeros(count).index_add(0, place, torch.ones_like(target))
    return (sums + target.mean()) / (seen + 1)


def evaluate(fit: Observations, test: Observations) -> dict:
    """Brier scores of the router, of confidence bins and of one constant on ``test`` (the latter two learn from ``fit``),
    and a calibration table of the router in ten classes of equal size."""
    result = {"tokens": len(test.odds)}
    for row, name in enumerate(OUTPUTS):
        target, estimate = test.target[:, row], torch.sigmoid(test.odds[:, row])
        shares = bins(fit.confidence, fit.target[:, row])
        place = (test.confidence * CONFIDENCE_BINS).long().clamp(0, CONFIDENCE_BINS - 1)
        order = estimate.argsort()
        table = [(float(estimate[part].mean()), float(target[part].mean())) for part in order.tensor_split(10) if len(part)]
        result[name] = {
            "mean": float(target.mean()),
            "brier_router": brier(estimate, target),
            "brier_confidence": brier(shares[place], target),
            "brier_constant": brier(fit.target[:, row].mean(), target),
            "calibration": table,
        }
    return result


def describe(result: dict) -> str:
    """``evaluate`` as text."""
    lines = [f"{'output':<8} {'mean':>7} {'Brier router':>13} {'confidence':>11} {'constant':>9}"]
    for name in OUTPUTS:
        part = result[name]
        lines.append(
            f"{name:<8} {part['mean']:7.4f} {part['brier_router']:13.4f} {part['brier_confidence']:11.4f} {part['brier_constant']:9.4f}"
        )
    for name in OUTPUTS:
        said = " ".join(f"{a:.2f}" for a, _ in result[name]["calibration"])
        was = " ".join(f"{b:.2f}" for _, b in result[name]["calibration"])
        lines += [f"{name}: said {said}", f"{'':<{len(name)}}  was  {was}"]
    return "\n".join(lines)
