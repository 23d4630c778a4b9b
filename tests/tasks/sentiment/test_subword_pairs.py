"""Tests of subword pairs: ids, embedding and word dropout."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from suite.api import IDENTITY, Inputs, RequestError, SourceRequest
from tasks.common.tokenization import UNKNOWN
from tasks.sentiment.subword_pairs import (
    NO_PAIR,
    UNKNOWN_PAIR,
    SubwordPairEmbedding,
    SubwordPairs,
)
from tasks.sentiment.task import TASK

ROWS = [np.array(row) for row in ([4, 5, 6], [4, 5, 4, 5, 9], [5, 6], [8], [])]


def test_only_frequent_pairs_have_ids():
    pairs = SubwordPairs(ROWS, 10)
    assert pairs.num_ids == 2 + 2, "4 5 occurs three times, 5 6 twice, all others once"
    four_five, five_six = pairs.encode(np.array([4, 5, 6]))[1:]
    assert {int(four_five), int(five_six)} == {2, 3}
    ids = pairs.encode(np.array([6, 4, 5, 9, 70_000, 5, 6])).tolist()
    assert ids == [
        NO_PAIR,
        UNKNOWN_PAIR,
        four_five,
        UNKNOWN_PAIR,
        UNKNOWN_PAIR,
        UNKNOWN_PAIR,
        five_six,
    ]
    assert SubwordPairs(ROWS, 1).encode(ROWS[0]).tolist() == [NO_PAIR, 2, UNKNOWN_PAIR]


def test_texts_without_known_pairs_are_encoded():
    pairs = SubwordPairs(ROWS, 10)
    assert pairs.encode(np.array([4])).tolist() == [NO_PAIR]
    assert pairs.encode(np.array([], int)).tolist() == []
    nothing = SubwordPairs([np.array([4, 5])], 10)
    assert nothing.num_ids == 2
    assert nothing.encode(np.array([4, 5])).tolist() == [NO_PAIR, UNKNOWN_PAIR]


def test_a_pair_changes_the_embedding_of_the_subword_that_ends_it():
    embedding = SubwordPairEmbedding(20, 6, 8)
    features = {"token_ids": np.array([[4, 5, 6]]), "pair_ids": np.array([[0, 2, 3]])}
    before = ops.convert_to_numpy(embedding(features))[0]
    table = embedding.pairs.embeddings
    assert not ops.convert_to_numpy(table).any()
    learned = np.zeros((6, 8), np.float32)
    learned[3, 0] = 1.0
    table.assign(learned)
    moved = np.abs(ops.convert_to_numpy(embedding(features))[0] - before).max(axis=1) > 1e-6
    assert moved.tolist() == [False, False, True]


def test_both_pairs_of_a_hidden_subword_are_hidden():
    shape = (50, 40)
    features = {
        "token_ids": np.full(shape, 9, np.int32),
        "pair_ids": np.full(shape, 7, np.int32),
    }
    hidden = np.random.default_rng(0).random(shape) < 0.15
    found = TASK.hide_tokens(features, {IDENTITY: hidden}, {"unknown_id": UNKNOWN})
    assert ((found["token_ids"] == UNKNOWN) == hidden).all()
    before = np.pad(hidden[:, :-1], ((0, 0), (1, 0)))
    assert ((found["pair_ids"] == UNKNOWN_PAIR) == (hidden | before)).all()


def test_pairs_come_from_the_training_split_and_are_cut_with_their_subwords(tmp_path):
    train = "label\ttext\n" + "".join(
        f"{label}\t{word} film it is\n" for label, word in (("a", "good"), ("b", "bad")) * 20
    )
    other = "label\ttext\na\tis it film good\nb\tgood film it is\n"
    for split, content in (("train", train), ("validation", other), ("test", other)):
        (tmp_path / f"{split}.tsv").write_text(content)
    request = SourceRequest("files", str(tmp_path))
    data = TASK.load(request, 32, {"pairs": 100, "vocabulary": 100})
    ids = data.validation.features["pair_ids"]
    backwards, forwards = ids[0], ids[1]
    assert (forwards > UNKNOWN_PAIR).sum() > (backwards > UNKNOWN_PAIR).sum()
    assert ids.max() < data.spec["num_pairs"]
    assert (ids[~data.validation.features["padding_mask"]] == NO_PAIR).all()
    short = TASK.load(request, 4, {"pairs": 100, "vocabulary": 100}).validation
    whole = int(data.validation.features["padding_mask"][1].sum())
    kept = [0, *range(whole - 3, whole)]
    assert short.features["pair_ids"][1].tolist() == forwards[kept].tolist()


def test_pairs_need_embeddings_and_subwords():
    assert TASK.inputs_for({}) is Inputs.TOKEN_IDS
    assert TASK.inputs_for({"pairs": 9}) is Inputs.EMBEDDINGS
    for options in (
        {"pairs": 9, "units": "bytes"},
        {"pairs": 9, "neighbour_convolution": True},
        {"pairs": -1},
    ):
        with pytest.raises(RequestError, match="pairs"):
            TASK.inspect(SourceRequest("synthetic"), options)
