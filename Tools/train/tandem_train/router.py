# SPDX-License-Identifier: Apache-2.0
"""The block-length router: a small MLP that says, after each step of the secondary, how likely its draft is to be kept.

It looks at the secondary's distribution and never at the token drawn from it: the entropy, the ``top_k`` largest
probabilities and the embeddings of their tokens (paper, section on adaptive block length), each times its probability: that
tells more than plain ones (README.md). Two outputs share a hidden
layer: ``sampled`` is the expected acceptance under sampling, 1 - TV(p_S, p_L), the paper's soft target; ``greedy`` is the
probability that both models prefer the same token (ours, for greedy decoding).
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from .errors import TrainError
from .hf import read_safetensors
from .model import LlamaLM

OUTPUTS = ("sampled", "greedy")
MAX_TOP_K, MAX_HIDDEN = 32, 1024


def feature_count(width: int, top_k: int) -> int:
    """Inputs of a router over embeddings of ``width`` elements."""
    return 1 + top_k + top_k * width


def features(logits: Tensor, embedding: Tensor, top_k: int) -> Tensor:
    """Inputs ``[..., 1 + k + k * d]``: entropy in nats, ``k`` probabilities in descending order, ``k`` embedding rows, each
    times its probability.

    ``logits [..., V]`` of the secondary, ``embedding [V, d]`` its table as stored.
    """
    logp = torch.log_softmax(logits.float(), -1)
    probabilities = logp.exp()
    entropy = -(probabilities * logp).sum(-1, keepdim=True)
    largest, tokens = probabilities.topk(top_k, -1)
    rows = F.embedding(tokens, embedding.float()) * largest[..., None]
    return torch.cat((entropy, largest, rows.flatten(-2)), -1)


class Router(nn.Module):
    """``sigmoid(output . relu(hidden x + bias) + bias)`` for each of ``OUTPUTS``.

    ``scale`` brings the embeddings to the size of the other inputs while training; it is folded into the stored weights.
    """

    # Orthogonal updates of so few rows would follow the noise of the embeddings first.
    uses_adam = True

    def __init__(self, width: int, top_k: int, hidden: int, scale: float = 1.0) -> None:
        super().__init__()
        if not (1 <= top_k <= MAX_TOP_K and 1 <= hidden <= MAX_HIDDEN):
            raise TrainError(f"a router takes 1 to {MAX_TOP_K} tokens and 1 to {MAX_HIDDEN} hidden units, not {top_k} and {hidden}")
        self.width, self.top_k = width, top_k
        self.hidden = nn.Linear(feature_count(width, top_k), hidden)
        self.output = nn.Linear(hidden, len(OUTPUTS))
        factors = torch.ones(feature_count(width, top_k))
        factors[1 + top_k :] = scale
        self.register_buffer("factors", factors)

    @torch.no_grad()
    def initialise(self, seed: int) -> None:
        """Random start, the same for every platform's CPU. Embeddings begin without a say."""
        generator = torch.Generator().manual_seed(seed)
        for layer, deviation in ((self.hidden, 1.0), (self.output, self.output.in_features**-0.5)):
            layer.weight.copy_(torch.empty(layer.weight.shape).normal_(0.0, deviation, generator=generator))
            layer.bias.zero_()
        self.hidden.weight[:, 1 + self.top_k :] = 0

    def forward(self, inputs: Tensor) -> Tensor:
        """Log-odds ``[..., 2]`` of being kept, in the order of ``OUTPUTS``."""
        return self.output(torch.relu(self.hidden(inputs * self.factors)))

    @torch.no_grad()
    def rescale(self, slope: Tensor, shift: Tensor) -> None:
        """Replaces every output ``z`` by ``slope z + shift`` (``[2]`` each)."""
        self.output.weight.mul_(slope[:, None])
        self.output.bias.mul_(slope).add_(shift)


def embedding_scale(secondary: LlamaLM) -> float:
    """What brings the secondary's embeddings to a root mean square of one."""
    return float(secondary.model.embed_tokens.weight.float().square().mean().sqrt().clamp_min(1e-9).reciprocal())


def save_router(router: Router, file: Path) -> None:
    """Writes the tensors of Formats/tandem-checkpoint.md in float32."""
    tensors = {
        "router.hidden.weight": router.hidden.weight * router.factors,
        "router.hidden.bias": router.hidden.bias,
    }
    for row, name in enumerate(OUTPUTS):
        tensors[f"router.{name}.weight"] = router.output.weight[row]
        tensors[f"router.{name}.bias"] = router.output.bias[row : row + 1]
    save_file({k: v.detach().to("cpu", torch.float32).contiguous() for k, v in tensors.items()}, str(file), metadata={"format": "pt"})


def read_router(file: Path, width: int, top_k: int) -> Router:
    """Reads a router over embeddings of ``width`` elements. Raises ``TrainError`` for missing or misshapen tensors."""
    tensors = read_safetensors(file)
    count = feature_count(width, top_k)
    hidden = tensors["router.hidden.bias"].numel() if "router.hidden.bias" in tensors else 0
    wanted = {"router.hidden.weight": [hidden, count], "router.hidden.bias": [hidden]}
    for name in OUTPUTS:
        wanted |= {f"router.{name}.weight": [hidden], f"router.{name}.bias": [1]}
    for name, shape in wanted.items():
        if name not in tensors:
            raise TrainError(f"{file}: tensor {name} is missing")
        if list(tensors[name].shape) != shape:
            raise TrainError(f"{file}: {name} has shape {list(tensors[name].shape)}, needs {shape}")
    router = Router(width, top_k, hidden)
    with torch.no_grad():
        router.hidden.weight.copy_(tensors["router.hidden.weight"])
        router.hidden.bias.copy_(tensors["router.hidden.bias"])
        for row, name in enumerate(OUTPUTS):
            router.output.weight[row].copy_(tensors[f"router.{name}.weight"])
            router.output.bias[row].copy_(tensors[f"router.{name}.bias"][0])
    return router.requires_grad_(False)
