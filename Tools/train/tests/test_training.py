# SPDX-License-Identifier: Apache-2.0
"""Training runs: resuming after a kill, data-parallel processes, stages, and what they write."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from tandem_train import checkpoint
from tandem_train.bundle import read_bundle
from tandem_train.cli import main
from tandem_train.errors import TrainError
from tandem_train.hf import load_model
from tandem_train.optim import orthogonalise, schedule
from tandem_train.slicing import slice_secondary
from tandem_train.tandem import Projections, block_masks, tandem_logits
from tandem_train.tandem_task import draw_gamma
from tandem_train.tiny import make_tiny
from tandem_train.warm_start import fit_projections

PACKAGE = Path(__file__).resolve().parents[1]


def history(out: Path) -> list:
    return json.loads((out / "history.json").read_text())["losses"]


def environment() -> dict:
    return os.environ | {"PYTHONPATH": str(PACKAGE), "OMP_NUM_THREADS": "1"}


def test_resumes_bit_identically_after_kill_9(pair, options, tmp_path):
    command = ["train", *pair, *options, "--steps", "60"]
    assert main([*command, "--out", str(tmp_path / "whole")]) == 0
    killed = tmp_path / "killed"
    process = subprocess.Popen(
        [sys.executable, "-m", "tandem_train", *command, "--out", str(killed)], env=environment(), stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not (killed / "training.pt").is_file() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    step = checkpoint.read(killed / "training.pt")["step"]
    assert 0 < step < 60 and not (killed / "history.json").exists()
    assert main([*command, "--out", str(killed)]) == 0
    assert history(killed) == history(tmp_path / "whole")
    for name in ("tandem.safetensors", "secondary/model.safetensors", "tandem.json"):
        assert (killed / "checkpoint" / name).read_bytes() == (tmp_path / "whole" / "checkpoint" / name).read_bytes()


def test_two_gloo_processes_equal_one(pair, options, tmp_path):
    command = ["train", *pair, *options, "--steps", "6", "--gamma-max", "1"]
    assert main([*command, "--out", str(tmp_path / "one")]) == 0
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "tandem_train"]
    run = subprocess.run([*launcher, *command, "--out", str(tmp_path / "two")], env=environment(), capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    one, two = np.array(history(tmp_path / "one")), np.array(history(tmp_path / "two"))
    # Losses agree to rounding; Newton-Schulz in bf16 amplifies it over the steps.
    assert np.abs(one - two)[:2].max() < 1e-4 and np.abs(one - two).max() < 2e-2


def test_pretrain_learns_and_exports(work, options, tmp_path, capsys):
    small = ["--hidden", "32", "--layers", "1", "--heads", "2", "--kv-heads", "1", "--head-dim", "16", "--ff", "64", "--context", "64"]
    out = tmp_path / "run"
    command = ["pretrain", *small, "--tokenizer", str(work / "tokenizer"), *options, "--final-length", "64", "--final-fraction", "0.25"]
    assert main([*command, "--steps", "40", "--out", str(out)]) == 0
    assert "ETA" in capsys.readouterr().err and (out / "loss.png").stat().st_size > 5000
    losses = history(out)
    assert losses[-1][1] < losses[0][1] - 1.0
    assert load_model(out / "model").config.bos == 0 and (out / "model" / "tokenizer.json").is_file()
    assert main([*command, "--muon-lr", "0.5", "--steps", "40", "--out", str(out)]) == 2
    assert "muon_lr" in capsys.readouterr().err


def test_pretrain_goes_on_from_a_model(work, options, tmp_path):
    begin = ["--from-model", str(work / "primary"), "--tokenizer", str(work / "tokenizer"), *options]
    assert main(["pretrain", *begin, "--steps", "30", "--out", str(tmp_path / "first")]) == 0
    further = [*begin[:1], str(tmp_path / "first" / "model"), *begin[2:]]
    assert main(["pretrain", *further, "--steps", "2", "--out", str(tmp_path / "second")]) == 0
    first, second = history(tmp_path / "first"), history(tmp_path / "second")
    assert first[-1][1] < first[0][1] - 1.0 and second[0][1] < first[0][1] - 1.0
    assert load_model(tmp_path / "second" / "model").config == load_model(work / "primary").config


def test_train_and_evaluate_all_branches(work, pair, options, tmp_path, capsys):
    out = tmp_path / "run"
    branches = ["--branches", "tandem", "distilled", "alone", "tandem-ce", "--layer-map", "0,2", "--ship", "distilled", "alone"]
    assert main(["train", *pair, *options, *branches, "--steps", "30", "--out", str(out)]) == 0
    bundle = read_bundle(out / "checkpoint")
    assert bundle.projections.layer_map == [0, 2] and set(bundle.baselines) == {"distilled", "alone"}
    for name, tensor in bundle.primary.state_dict().items():
        assert torch.equal(tensor, load_model(work / "primary").state_dict()[name]), "the primary must stay frozen"
    capsys.readouterr()
    given = ["--data", str(work / "data"), "--sources", "valid", "--gammas", "1,3", "--length", "32", "--dtype", "fp32", "--json"]
    assert main(["evaluate", "--training", str(out), *given]) == 0
    rows = {(row["model"], row["gamma"]): row for row in json.loads(capsys.readouterr().out)["valid"]}
    assert set(rows) == {("primary", None), ("alone", None), ("distilled", None), *((m, g) for m in ("tandem", "tandem-ce") for g in (1, 3))}
    assert rows["primary", None]["tv_distance"] < 1e-6 and rows["primary", None]["accuracy_vs_primary"] == 100
    assert main(["evaluate", "--checkpoint", str(out / "checkpoint"), *given]) == 0
    again = {(row["model"], row["gamma"]): row for row in json.loads(capsys.readouterr().out)["valid"]}
    assert again["tandem", 3] == rows["tandem", 3]


def test_a_model_alone_learns_the_same_without_the_others(work, pair, options, tmp_path):
    command = ["train", *pair, *options, "--layer-map", "0,2", "--steps", "5"]
    assert main([*command, "--out", str(tmp_path / "all")]) == 0
    assert main([*command, "--branches", "alone", "--out", str(tmp_path / "one")]) == 0
    column = json.loads((tmp_path / "all" / "history.json").read_text())["branches"].index("alone") + 1
    assert [row[1] for row in history(tmp_path / "one")] == [row[column] for row in history(tmp_path / "all")]
    exported = tmp_path / "one" / "checkpoint" / "alone"
    assert load_model(exported).config.hidden_size == 32 and (exported / "tokenizer.json").is_file()


def test_a_card_holds_measured_figures(work, pair, options, tmp_path, capsys):
    out, card, template = tmp_path / "run", tmp_path / "README.md", tmp_path / "template.md"
    assert main(["train", *pair, *options, "--layer-map", "0,2", "--steps", "3", "--out", str(out)]) == 0
    capsys.readouterr()
    given = ["--data", str(work / "data"), "--sources", "valid", "--gammas", "1,2", "--length", "32", "--dtype", "fp32", "--json"]
    assert main(["evaluate", "--training", str(out), *given]) == 0
    (tmp_path / "evaluation.json").write_text(capsys.readouterr().out)
    manifest = json.loads((out / "checkpoint" / "tandem.json").read_text())
    manifest["provenance"]["from_run"] = {"steps": 7, "from_run": {"steps": 20}}
    (out / "checkpoint" / "tandem.json").write_text(json.dumps(manifest))
    (tmp_path / "more.json").write_text(json.dumps({"own": json.loads((tmp_path / "evaluation.json").read_text())["valid"][:1]}))
    fill = ["card", "--checkpoint", str(out / "checkpoint"), "--evaluation", str(tmp_path / "evaluation.json"), str(tmp_path / "more.json"),
            "--template", str(template), "--out", str(card), "--prompts", "Tom saw", "--set", "WHO=us"]
    template.write_text("{{STEPS}} {{WHO}}\n{{SHAPES}}\n{{ALL}}\n{{SOURCE:valid}}\n{{SOURCE:own}}\n{{COMPARE}}\n{{PASSES}}\n{{SAMPLES}}\n")
    assert main(fill) == 0
    text = card.read_text()
    rows = json.loads((tmp_path / "evaluation.json").read_text())["valid"]
    row = next(r for r in rows if r["gamma"] == 2)
    assert text.startswith("20, 7 and 3 us\n") and text.count("| primary | ") == 4 and "{{" not in text
    assert text.count(f"| tandem, γ = 2 | {row['accuracy']:.2f} | {row['cross_entropy']:.3f} |") == 2
    alone = next(r for r in rows if r["model"] == "alone")["accuracy"]
    assert f"| {alone:.2f} → {row['accuracy']:.2f} % (" in text and "cross-entropy only" not in text
    assert "taps after 0, 2 primary layers" in text and "| primary alone | 150 | 150 | 150 | 150 |" in text and "> **Tom saw**" in text
    taught = row | {"model": "tandem-ce", "accuracy": 99.0}
    (tmp_path / "evaluation.json").write_text(json.dumps({"valid": [*rows, taught]}))
    template.write_text("{{COMPARE}}\n")
    assert main(fill) == 0
    text = card.read_text()
    assert f"secondary alone → tandem, cross-entropy only | 55.06 → 58.35 % (+3.29) | {alone:.2f} → 99.00 % (" in text
    template.write_text("{{NOTHING}}")
    assert main(fill) == 2
    assert "no value for {{NOTHING}}" in capsys.readouterr().err
    assert card.read_text() == text


def test_a_pair_saved_by_transformers(work, options, tmp_path):
    transformers = pytest.importorskip("transformers")
    shape = dict(vocab_size=300, num_attention_heads=4, max_position_embeddings=64, bos_token_id=0, eos_token_id=0)
    large = transformers.LlamaConfig(hidden_size=48, intermediate_size=80, num_hidden_layers=3, num_key_value_heads=2, **shape)
    small = transformers.LlamaConfig(
        hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_key_value_heads=4, head_dim=6,
        tie_word_embeddings=True, rope_theta=2000.0, **shape,
    )
    transformers.LlamaForCausalLM(large).save_pretrained(tmp_path / "large", max_shard_size="60KB")
    transformers.LlamaForCausalLM(small).save_pretrained(tmp_path / "small")
    assert (tmp_path / "large" / "model.safetensors.index.json").is_file()
    command = ["train", "--primary", str(tmp_path / "large"), "--secondary", str(tmp_path / "small")]
    command += ["--tokenizer", str(work / "tokenizer"), *options, "--steps", "3", "--out", str(tmp_path / "run")]
    assert main(command) == 0
    bundle = read_bundle(tmp_path / "run" / "checkpoint")
    assert bundle.projections.layer_map == [3] and bundle.secondary.config.rope_theta == 2000.0
    transformers.LlamaForCausalLM.from_pretrained(tmp_path / "run" / "checkpoint" / "secondary")


def test_a_damaged_training_checkpoint_is_one_clear_line(pair, options, tmp_path, capsys):
    (tmp_path / "training.pt").write_bytes(b"PK\x03\x04 not a checkpoint")
    assert main(["train", *pair, *options, "--steps", "2", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_writing_leaves_nothing_half_done(tmp_path):
    class Unpicklable:
        def __reduce__(self):
            raise ValueError("no")

    file = tmp_path / "training.pt"
    checkpoint.write_atomic(file, {"step": 1})
    with pytest.raises(ValueError):
        checkpoint.write_atomic(file, {"step": Unpicklable()})
    assert checkpoint.read(file) == {"step": 1} and list(tmp_path.iterdir()) == [file]
    with pytest.raises(TrainError, match="no training checkpoint"):
        checkpoint.read(tmp_path / "none.pt")


def test_schedule():
    values = [schedule(step, 100, 10, 0.5) for step in range(100)]
    assert values[0] == 0.1 and values[9:51] == [1.0] * 42 and values[75] == 0.5 and values[99] == pytest.approx(0.02)


def test_newton_schulz_orthogonalises():
    g = torch.randn(3, 24, 16, generator=torch.Generator().manual_seed(0))
    singular = torch.linalg.svdvals(orthogonalise(g))
    assert singular.min() > 0.5 and singular.max() < 1.4


def test_gamma_weights():
    drawn = draw_gamma(np.random.default_rng(0), 20_000, 4, 1.0)
    share = [(drawn == g).float().mean().item() for g in range(1, 5)]
    assert share == pytest.approx([0.48, 0.24, 0.16, 0.12], abs=0.02)


def test_fitted_projections_imitate_the_secondary():
    """A primary that is the secondary itself: the fit recovers its streams, and the tandem equals the secondary alone."""
    secondary = make_tiny("tied").secondary
    projections = Projections(secondary.config, secondary.config, [0, 1])
    generator = torch.Generator().manual_seed(0)
    batches = [torch.randint(0, 300, (8, 64), generator=generator) for _ in range(4)]
    assert min(fit_projections(secondary, secondary, projections, batches)) > 0.999
    ids = batches[0][:2]
    inside = tandem_logits(secondary, projections, secondary.streams(ids), ids, block_masks(64, 2))
    assert (inside - secondary(ids)).abs().max() < 0.02


def test_a_full_slice_is_the_primary_and_a_narrow_one_starts_a_tandem(work, options, tmp_path, capsys):
    primary = make_tiny("tied").primary
    batches = [torch.randint(0, 300, (8, 64), generator=torch.Generator().manual_seed(i)) for i in range(4)]
    secondary, projections = slice_secondary(primary, [0, 1, 2], 96, 160, batches)
    ids = batches[0][:2]
    assert (secondary(ids) - primary(ids)).abs().max() < 1e-3
    inside = tandem_logits(secondary, projections, primary.streams(ids), ids, block_masks(64, 3))
    assert (inside - primary(ids)).abs().max() < 1e-3
    with pytest.raises(TrainError, match="ascend"):
        slice_secondary(primary, [2, 1], 96, 160, batches)

    # Heads that write nothing are the ones that go: the fourth of six, and the first.
    for layer in primary.model.layers:
        layer.self_attn.o_proj.weight.data[:, :16] = 0
        layer.self_attn.o_proj.weight.data[:, 48:64] = 0
    fewer, _ = slice_secondary(primary, [0, 1, 2], 96, 160, batches, heads=4)
    assert fewer.config.num_heads == 4 and (fewer(ids) - primary(ids)).abs().max() < 1e-3
    for heads in (0, 3, 8):
        with pytest.raises(TrainError, match="multiple of the 2 key-value heads, at most 6"):
            slice_secondary(primary, [0], 96, 160, batches, heads=heads)
    with pytest.raises(TrainError, match="64 is no multiple of the 6 heads"):
        slice_secondary(primary, [0], 64, 160, batches)

    cut, out = tmp_path / "cut", tmp_path / "run"
    source = ["--primary", str(work / "primary")]
    mix = ["--data", str(work / "data"), "--mix", "train", "--length", "32", "--tokens", "8000", "--dtype", "fp32"]
    assert main(["slice", *source, "--keep", "1", "--width", "32", "--ff", "48", *mix, "--out", str(cut)]) == 0
    assert "layer map 1" in capsys.readouterr().out
    start = ["--secondary", str(cut), "--layer-map", "1", "--projection-start", str(cut / "tandem.safetensors")]
    assert main(["train", *source, *start, *options, "--steps", "2", "--out", str(out)]) == 0
    assert read_bundle(out / "checkpoint").provenance["projection_start"] == "tandem.safetensors"
