# SPDX-License-Identifier: Apache-2.0
"""The draft vocabulary: how frequent tokens are in the training texts, and from how many of them drafts are to come.

A small secondary spends most of a step on its head. Drafts that come from the most frequent tokens alone need a part of it, and
the text does not change: verification is over all tokens (FR-Spec, arXiv 2502.14856, ranks tokens the same way).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from .data import Corpus, check_mix
from .errors import TrainError
from .hf import read_safetensors

TENSOR = "token_frequencies"
# Rows that a packed matrix holds together: sizes between would cost the same.
PANEL_ROWS = 16


@dataclass
class DraftVocabulary:
    """``frequencies [V]``, float32: each token's share of all; ``size``: the number of most frequent tokens to draft from."""

    frequencies: Tensor
    size: int

    @property
    def coverage(self) -> float:
        """Share of the tokens of the texts that are among the ``size`` most frequent ones."""
        return float(self.frequencies.sort(descending=True).values[: self.size].double().sum() / self.frequencies.double().sum())


def count_frequencies(corpus: Corpus, mix: dict[str, float], vocab_size: int) -> Tensor:
    """Each token's share, float32 ``[vocab_size]``, of a mix of sources with these weights. Raises ``TrainError``."""
    corpus.check_fits(vocab_size)
    check_mix(mix)
    shares = np.zeros(vocab_size)
    for name, weight in mix.items():
        tokens = corpus.tokens(name)
        if tokens.size == 0:
            raise TrainError(f"source {name} has no tokens")
        if int(tokens.max()) >= vocab_size:
            raise TrainError(f"source {name} holds token {int(tokens.max())}, the models have {vocab_size} entries")
        shares += weight * np.bincount(tokens, minlength=vocab_size) / tokens.size
    return torch.from_numpy(shares / sum(mix.values())).float()


def size_for(frequencies: Tensor, coverage: float) -> int:
    """The smallest multiple of ``PANEL_ROWS`` whose most frequent tokens make up this share, at most all."""
    if not 0 < coverage <= 1:
        raise TrainError(f"--coverage must be above 0 and at most 1, not {coverage}")
    sums = frequencies.double().sort(descending=True).values.cumsum(0)
    needed = int((sums < coverage * sums[-1] - 1e-9).sum()) + 1
    return min(-(-needed // PANEL_ROWS) * PANEL_ROWS, frequencies.numel())


def save_frequencies(vocabulary: DraftVocabulary, file: Path) -> None:
    """Writes the tensor of Formats/tandem-checkpoint.md; the file appears whole or not at all."""
    temporary = file.with_name(f".{file.name}.tmp")
    save_file({TENSOR: vocabulary.frequencies.float().contiguous()}, str(temporary), metadata={"format": "pt"})
    temporary.replace(file)


def read_frequencies(file: Path, vocab_size: int, size: int) -> DraftVocabulary:
    """Reads what ``save_frequencies`` wrote. Raises ``TrainError`` for a missing or misshapen tensor and impossible values."""
    tensors = read_safetensors(file)
    if TENSOR not in tensors:
        raise TrainError(f"{file}: tensor {TENSOR} is missing")
    values = tensors[TENSOR].float()
    if list(values.shape) != [vocab_size]:
        raise TrainError(f"{file}: {TENSOR} has shape {list(values.shape)}, needs [{vocab_size}]")
    if not (torch.isfinite(values).all() and (values >= 0).all()):
        raise TrainError(f"{file}: {TENSOR} holds values that are negative or not finite")
    if size > vocab_size:
        raise TrainError(f"draft_vocabulary.size is {size}, the models have {vocab_size} entries")
    return DraftVocabulary(values, size)
