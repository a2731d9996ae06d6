# SPDX-License-Identifier: Apache-2.0
"""Muon for the hidden matrices, AdamW for the rest, under one warm-up, stable, decay schedule.

Muon (Jordan et al., 2024) replaces the momentum of a matrix by its nearest orthogonal matrix, found with a few
Newton-Schulz steps; matrices of one shape run as one batched product.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def orthogonalise(g: Tensor, steps: int = 5) -> Tensor:
    """Approximate orthogonal factor of each matrix of a batch ``[n, rows, cols]`` (quintic Newton-Schulz)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = g.shape[1] > g.shape[2]
    x = g.transpose(1, 2) if tall else g
    x = (x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)).bfloat16()
    for _ in range(steps):
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return (x.transpose(1, 2) if tall else x).to(g.dtype)


class Muon(torch.optim.Optimizer):
    """Muon with Nesterov momentum and decoupled weight decay, for 2-D parameters only."""

    def __init__(self, params: list[nn.Parameter], lr: float, momentum: float = 0.95, weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None) -> None:
        for group in self.param_groups:
            shapes: dict[torch.Size, list[nn.Parameter]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shapes.setdefault(parameter.shape, []).append(parameter)
            for shape, parameters in shapes.items():
                updates = []
                for parameter in parameters:
                    state = self.state[parameter]
                    if not state:
                        state["momentum"] = torch.zeros_like(parameter)
                    buffer = state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
                    updates.append(parameter.grad.lerp(buffer, group["momentum"]))
                scale = max(1.0, shape[0] / shape[1]) ** 0.5
                for parameter, update in zip(parameters, orthogonalise(torch.stack(updates))):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.add_(update, alpha=-group["lr"] * scale)


class Optimizer:
    """Both optimizers behind one interface; learning rates are peaks, scaled by the schedule at every step.

    A module that says ``uses_adam`` has nothing for Muon.
    """

    def __init__(self, modules: dict[str, nn.Module], muon_lr: float, adam_lr: float, weight_decay: float) -> None:
        matrices, others = [], []
        for module in modules.values():
            for name, parameter in module.named_parameters():
                hidden = parameter.dim() == 2 and not getattr(module, "uses_adam", False) and "embed_tokens" not in name and "lm_head" not in name
                (matrices if hidden else others).append(parameter)
        self.parts = {"adamw": torch.optim.AdamW(others, adam_lr, betas=(0.9, 0.99), eps=1e-10, weight_decay=0.0)}
        if matrices:
            self.parts = {"muon": Muon(matrices, muon_lr, weight_decay=weight_decay)} | self.parts
        self.peaks = {"muon": muon_lr, "adamw": adam_lr}

    def step(self, factor: float) -> None:
        """One update at ``factor`` times the peak learning rates; gradients are cleared."""
        for name, part in self.parts.items():
            for group in part.param_groups:
                group["lr"] = self.peaks[name] * factor
            part.step()
            part.zero_grad(set_to_none=True)

    def state_dict(self) -> dict:
        return {name: part.state_dict() for name, part in self.parts.items()}

    def load_state_dict(self, state: dict) -> None:
        for name, part in self.parts.items():
            part.load_state_dict(state[name])


def schedule(step: int, steps: int, warmup: int, decay: float) -> float:
    """Learning-rate factor: linear warm-up, stable, linear decay to zero over the last ``decay`` fraction of steps."""
    if step < warmup:
        return (step + 1) / warmup
    start = steps - max(1, round(steps * decay))
    return 1.0 if step < start else max(0.0, (steps - step) / (steps - start))
