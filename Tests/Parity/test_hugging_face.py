# SPDX-License-Identifier: Apache-2.0
"""Plain Hugging Face directories, as `save_pretrained` writes them: sharded, in every source type, tied and untied."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tandem_train.tiny import byte_tokenizer
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

TEXT = "the hen that sat on the hat is not at the stone. " * 5
SHAPES = {
    "tied": dict(num_attention_heads=6, num_key_value_heads=2, hidden_size=96, tie_word_embeddings=True),
    "untied": dict(num_attention_heads=4, num_key_value_heads=4, hidden_size=64, tie_word_embeddings=False),
    "wide-heads": dict(num_attention_heads=3, num_key_value_heads=1, hidden_size=72, head_dim=40, rope_theta=500000.0),
}


def save(folder, shape: str, dtype: torch.dtype, seed: int = 11) -> LlamaForCausalLM:
    """A random model with a tokenizer in `folder`; returns it in f32 with the weights as stored."""
    torch.manual_seed(seed)
    config = LlamaConfig(vocab_size=300, intermediate_size=136, num_hidden_layers=3, max_position_embeddings=256,
                         initializer_range=0.15, bos_token_id=0, eos_token_id=0, **SHAPES[shape])
    model = LlamaForCausalLM(config).to(dtype)
    model.save_pretrained(folder, max_shard_size="150KB")
    PreTrainedTokenizerFast(tokenizer_object=byte_tokenizer(300), bos_token="<|endoftext|>",
                            eos_token="<|endoftext|>").save_pretrained(folder)
    assert (folder / "model.safetensors.index.json").exists(), "the test wants more than one shard"
    # Loaded again: casting a model also rounds its RoPE frequencies, which are no weights.
    return LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=["f32", "f16", "bf16"])
@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_single_model(tandem, tmp_path, shape, dtype):
    model = save(tmp_path / "hf", shape, dtype)
    file = tmp_path / "model.tandem"
    tandem("pack", tmp_path / "hf", "-o", file, "--quantize", "f32", "--quiet")
    (tmp_path / "text.txt").write_text(TEXT)
    tandem("eval", "-m", file, "-f", tmp_path / "text.txt", "-ctk", "f32", "--save-logits", tmp_path / "out")
    ids = byte_tokenizer(300).encode(TEXT).ids[:256]
    with torch.no_grad():
        expected = model(torch.tensor([ids])).logits[0].numpy()
    assert np.abs(np.load(tmp_path / "out.primary.npy")[: len(ids)] - expected).max() < 1e-4

    prompt = byte_tokenizer(300).decode(ids[:24])
    with torch.no_grad():
        wanted = model.generate(torch.tensor([ids[:24]]), max_new_tokens=40, do_sample=False, eos_token_id=None,
                                pad_token_id=0)[0, 24:].tolist()
    run = tandem.json("generate", "-m", file, "-p", prompt, "-n", 40, "--temp", 0, "-ctk", "f32", "--ignore-eos")
    assert run["tokens"] == wanted


def test_pair_of_models(tandem, tmp_path):
    """Two plain directories make a vanilla pair; the text is the large model's own."""
    save(tmp_path / "large", "tied", torch.bfloat16)
    save(tmp_path / "small", "untied", torch.float16, seed=12)
    tandem("pack", tmp_path / "large", "-o", tmp_path / "one.tandem", "--quiet")
    tandem("pack", tmp_path / "large", "--secondary", tmp_path / "small", "-o", tmp_path / "pair.tandem", "--quiet")
    common = ["-p", "the hen", "-n", 60, "--temp", 0, "--ignore-eos"]
    alone = tandem.json("generate", "-m", tmp_path / "one.tandem", *common)["tokens"]
    for gamma in (1, 4, 7):
        assert tandem.json("generate", "-m", tmp_path / "pair.tandem", *common, "--draft-max", gamma, "--draft-min", gamma)["tokens"] == alone
