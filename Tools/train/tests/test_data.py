# SPDX-License-Identifier: Apache-2.0
"""Texts, tokenizer, token files and the batch sampler."""

from pathlib import Path

import numpy as np
import pytest

from tandem_train.data import Corpus, Sampler, prepare
from tandem_train.errors import TrainError
from tandem_train.text import iter_documents, repair
from tandem_train.tokenizer import end_of_text_id, fingerprint, load_tokenizer, train_tokenizer

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "corpus"


def test_repairs_mojibake():
    assert repair("â€œLetâ€™s go.â€\x9d She said â€œyesâ€ â€“ cafÃ©â€¦") == "“Let’s go.” She said “yes” – café…"
    assert repair("âge “x”") == "âge “x”"


def test_documents_are_split_and_stripped(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("one\ntwo\n<|endoftext|>\n\n<|endoftext|>\nthree")
    assert list(iter_documents(file)) == ["one\ntwo", "three"]


def test_tokens_decode_to_the_text(work):
    corpus, tokenizer = Corpus(work / "data"), load_tokenizer(work / "tokenizer")
    ids = corpus.tokens("valid")
    texts = tokenizer.decode(ids.tolist(), skip_special_tokens=False).split("<|endoftext|>")
    assert texts[:-1] == list(iter_documents(work / "texts" / "valid.txt")) and texts[-1] == ""


def test_every_byte_string_survives(work):
    tokenizer = load_tokenizer(work / "tokenizer")
    for text in ("naïve — “q”", "日本語 🙂\t x  y", "\u0000\u007f"):
        assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_tokenizer_training_is_deterministic(work):
    file = work / "texts" / "train.txt"
    assert train_tokenizer([file], 300).to_str() == train_tokenizer([file], 300).to_str()
    with pytest.raises(TrainError, match="at least 257"):
        train_tokenizer([file], 200)


def sampler(work, seed=5, mix=None):
    return Sampler(Corpus(work / "data"), mix or {"train": 0.75, "more": 0.25}, 32, seed)


def test_batches_depend_on_the_seed_alone(work):
    a, b, c = sampler(work), sampler(work), sampler(work, seed=6)
    first = a.batch(8)
    assert first.shape == (8, 33) and (first == b.batch(8)).all() and (first != c.batch(8)).any()


def test_state_continues_the_stream(work):
    a, b = sampler(work), sampler(work)
    a.batch(8)
    b.restore(a.state())
    assert (a.batch(8) == b.batch(8)).all()
    with pytest.raises(TrainError, match="--mix"):
        sampler(work, mix={"train": 1.0}).restore(a.state())


def test_ranks_share_one_batch(work):
    whole, ranks = sampler(work).batch(8), [sampler(work).batch(8, rank, 2) for rank in range(2)]
    assert (whole[0::2] == ranks[0]).all() and (whole[1::2] == ranks[1]).all()


def test_weights_that_change_count_from_there(work):
    first = sampler(work)
    first.batch(40)
    state = first.state()
    second = sampler(work, mix={"train": 0.25, "more": 0.75})
    second.restore(state)
    second.batch(40)
    assert [after - before for after, before in zip(second.drawn, state["drawn"])] == [10, 30]
    again = sampler(work, mix={"train": 0.25, "more": 0.75})
    again.restore(second.state())
    assert (again.batch(8) == second.batch(8)).all(), "the same weights go on where they were"
    old = {"names": state["names"], "drawn": state["drawn"]}
    same = sampler(work)
    same.restore(old)
    assert (same.batch(8) == first.batch(8)).all(), "states of earlier versions have no weights"


def test_an_epoch_visits_every_window_once_and_the_mix_holds(work):
    s = sampler(work)
    s.batch(400)
    assert s.drawn == [300, 100]
    single = sampler(work, mix={"train": 1.0})
    count = single.arrays[0].size // 33 - 1
    rows = single.batch(count).numpy()
    offset = single._orders[0][1]
    expected = np.asarray(single.arrays[0][offset : offset + count * 33]).reshape(count, 33)
    assert sorted(map(tuple, rows.tolist())) == sorted(map(tuple, expected.tolist()))


def test_clear_errors(work, tmp_path):
    with pytest.raises(TrainError, match="prepare"):
        Corpus(tmp_path)
    with pytest.raises(TrainError, match="more, train, valid"):
        Corpus(work / "data").tokens("nothing")
    with pytest.raises(TrainError, match="too few"):
        Sampler(Corpus(work / "data"), {"valid": 1.0}, 100_000, 0)
    with pytest.raises(TrainError, match="another tokenizer"):
        Corpus(work / "data").check_vocabulary(train_tokenizer([work / "texts" / "more.txt"], 290))


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no corpus folder at {SHARED.name}: the shared data is not part of a clone")
def test_on_the_real_corpus(tmp_path):
    file = SHARED / "tinystories_cased_valid.txt"
    tokenizer = train_tokenizer([file], 512)
    index = prepare([file], tokenizer, tmp_path)
    assert index["sources"][file.stem]["documents"] == 150
    assert end_of_text_id(tokenizer) == 0 and len(fingerprint(tokenizer)) == 64
    assert (Corpus(tmp_path).tokens(file.stem) == 0).sum() == 150
