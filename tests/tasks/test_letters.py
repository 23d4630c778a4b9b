"""Texts of bytes or characters: what is fed of them, and how they are hidden."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from suite.api import Inputs
from suite.matrix.expansion import expand
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from tasks.common.neighbour_embedding import REACH, NeighbourEmbedding
from tasks.common.text_units import UNKNOWN
from tasks.ner.hiding import draw_hidden
from tasks.sentiment.task import HIDDEN_LETTERS, HIDDEN_TOKENS, TASK


def test_a_letter_is_embedded_with_its_neighbours_and_padding_is_none():
    embedding = NeighbourEmbedding(50, 8)
    token_ids = np.random.default_rng(0).integers(4, 50, (1, 20))
    mask = np.arange(20)[None] < 15

    def embed(ids):
        found = embedding({"token_ids": ids, "padding_mask": mask})
        return ops.convert_to_numpy(found)[0]

    before = embed(token_ids)
    for changed, reached in ((8, range(8 - REACH, 8 + REACH + 1)), (16, [16])):
        other = token_ids.copy()
        other[0, changed] = other[0, changed] % 40 + 4 + (other[0, changed] == 44)
        assert other[0, changed] != token_ids[0, changed]
        moved = np.abs(embed(other) - before).max(axis=-1) > 1e-6
        assert moved.nonzero()[0].tolist() == list(reached)


@pytest.mark.parametrize("span", [1, HIDDEN_LETTERS])
def test_spans_are_hidden_whole_and_as_many_whatever_their_length(span):
    real = np.ones((400, 61), bool)
    real[:, 50:] = False
    hidden = draw_hidden(real, HIDDEN_TOKENS, np.random.default_rng(0), span)
    assert not hidden[:, 50:].any()
    for start in range(0, 48, span):
        part = hidden[:, start : start + span]
        assert (part == part[:, :1]).all()
    assert hidden[:, :50].mean() == pytest.approx(HIDDEN_TOKENS, abs=0.02)


@pytest.mark.parametrize(("letters", "span"), [(False, 1), (True, HIDDEN_LETTERS)])
def test_letters_are_hidden_by_the_word_and_subwords_each_by_itself(letters, span):
    ids = np.full((200, 64), 9, np.int32)
    features = {"token_ids": ids, "padding_mask": np.ones(ids.shape, bool)}
    varied = TASK.augment(features, {"letters": letters}, np.random.default_rng(0))
    hidden = varied["token_ids"] == UNKNOWN
    assert hidden.mean() == pytest.approx(HIDDEN_TOKENS, abs=0.02)
    follows = (hidden[:, :-1] & hidden[:, 1:]).sum() / hidden[:, :-1].sum()
    assert (follows > 0.8) == (span > 1)


@pytest.mark.parametrize(
    ("units", "inputs"),
    [
        ("subwords", Inputs.TOKEN_IDS),
        ("bytes", Inputs.EMBEDDINGS),
        ("characters", Inputs.EMBEDDINGS),
    ],
)
def test_letters_are_fed_embedded_to_whoever_takes_such(units, inputs):
    assert TASK.inputs_for({"units": units}) is inputs
    assert TASK.inputs_for({}) is Inputs.TOKEN_IDS
    spec = {"letters": units != "subwords", "num_pairs": 0, "vocabulary_size": 9}
    embedding = TASK.build_embedding(spec, 8)
    assert (embedding is not None) == (inputs is Inputs.EMBEDDINGS)
    asked = Request(tasks=("sentiment",), lengths=(64,), seeds=(0,), options={"units": units})
    found = {planned.cell.architecture: planned.unsupported
             for planned in expand(asked, load_registry(()))}  # fmt: skip
    assert {name for name, reason in found.items() if reason is None} >= {
        "bert", "longformer", "reformer", "transformer_xl", "vanilla"
    }  # fmt: skip
    assert f"does not take {inputs}" in str(found["vit"])
