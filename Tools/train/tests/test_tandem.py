# SPDX-License-Identifier: Apache-2.0
"""The architecture: parity with transformers, and of the parallel pass with step-by-step decoding."""

import pytest
import torch

from tandem_train.decode import greedy, greedy_speed, stepwise_logits
from tandem_train.hf import load_model, save_model
from tandem_train.model import attend, written_out
from tandem_train.tandem import block_masks, default_layer_map, tandem_logits
from tandem_train.tiny import VARIANTS, make_tiny

TANDEMS = [name for name, (_, _, layer_map) in VARIANTS.items() if layer_map is not None]


def tokens(count: int, seed: int = 3) -> torch.Tensor:
    return torch.randint(1, 300, (count,), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("role", ["primary", "secondary"])
@torch.no_grad()
def test_equals_transformers(variant, role, tmp_path):
    transformers = pytest.importorskip("transformers")
    model = getattr(make_tiny(variant), role)
    save_model(model, tmp_path, torch.float32)
    theirs = transformers.LlamaForCausalLM.from_pretrained(tmp_path, dtype=torch.float32).eval()
    ids = tokens(40)[None]
    assert (theirs(ids).logits - load_model(tmp_path)(ids)).abs().max() < 1e-5


@pytest.mark.parametrize("variant", TANDEMS)
@pytest.mark.parametrize("gamma", [1, 2, 3, 5, 8])
@torch.no_grad()
def test_parallel_pass_equals_stepwise_decoding(variant, gamma):
    bundle = make_tiny(variant)
    ids = tokens(37)
    streams = bundle.primary.streams(ids[None])
    mask = block_masks(len(ids), gamma)
    parallel = tandem_logits(bundle.secondary, bundle.projections, streams, ids[None], mask)[0]
    stepwise = stepwise_logits(bundle.primary, bundle.secondary, bundle.projections, ids, gamma)
    assert (parallel - stepwise).abs().max() < 1e-4


@pytest.mark.parametrize("masked", ["causal", "boolean", "added"])
def test_attention_written_out_equals_pytorchs(masked):
    generator = torch.Generator().manual_seed(1)
    q, k, v = (torch.randn(2, heads, 12, 8, generator=generator, requires_grad=True) for heads in (6, 2, 2))
    mask = None
    if masked != "causal":
        k, v = (torch.cat((t, t.flip(2)), 2) for t in (k, v))
        mask = block_masks(12, torch.tensor([2, 5]))
    if masked == "added":
        mask = torch.zeros(mask.shape).masked_fill(~mask, float("-inf"))
    results = []
    for attention in (attend, written_out):
        out = attention(q, k, v, mask)
        results.append((out.detach(), *torch.autograd.grad(out.square().sum(), (q, k, v), retain_graph=True)))
    for ours, theirs in zip(*results):
        assert (ours - theirs).abs().max() < 1e-5


@torch.no_grad()
def test_gamma_may_differ_per_sequence():
    bundle = make_tiny("mixed")
    ids = tokens(48).reshape(2, 24)
    streams = bundle.primary.streams(ids)
    both = tandem_logits(bundle.secondary, bundle.projections, streams, ids, block_masks(24, torch.tensor([2, 5])))
    for row, gamma in enumerate((2, 5)):
        one = [stream[row : row + 1] for stream in streams]
        alone = tandem_logits(bundle.secondary, bundle.projections, one, ids[row : row + 1], block_masks(24, gamma))
        assert (both[row] - alone[0]).abs().max() < 1e-5


@torch.no_grad()
def test_one_block_is_the_secondary_alone():
    bundle = make_tiny("tied")
    ids = tokens(20)[None]
    streams = bundle.primary.streams(ids)
    inside = tandem_logits(bundle.secondary, bundle.projections, streams, ids, block_masks(20, 20))
    assert (inside - bundle.secondary(ids)).abs().max() < 1e-5


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("gamma", [1, 2, 4, 7])
def test_greedy_speed_equals_greedy_primary(variant, gamma):
    bundle = make_tiny(variant)
    prompt = tokens(6).tolist()
    result = greedy_speed(bundle.primary, bundle.secondary, bundle.projections, prompt, 40, gamma)
    assert result.tokens == greedy(bundle.primary, prompt, 40)
    assert result.drafted == gamma * (result.primary_passes - 1)


def test_speed_accepts_everything_when_the_draft_is_the_primary():
    bundle = make_tiny("pair")
    result = greedy_speed(bundle.primary, bundle.primary, None, [5, 6, 7], 41, 4)
    assert result.tokens == greedy(bundle.primary, [5, 6, 7], 41)
    assert result.accepted == result.drafted and result.primary_passes == 9


def test_default_layer_map_ends_at_the_last_layer():
    assert default_layer_map(6, 2) == [3, 6]
    assert default_layer_map(7, 3) == [3, 5, 7]
    assert default_layer_map(2, 2) == [1, 2]
