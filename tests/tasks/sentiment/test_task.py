"""Tests of the sentiment task with bytes and characters."""

from __future__ import annotations

import numpy as np
import pytest

from suite.api import Inputs
from suite.matrix.expansion import expand
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from tasks.common.tokenization import UNKNOWN
from tasks.sentiment.task import HIDDEN_SPAN, HIDDEN_TOKENS, TASK


@pytest.mark.parametrize(("letters", "span"), [(False, 1), (True, HIDDEN_SPAN)])
def test_letters_are_hidden_in_spans_and_subwords_one_by_one(letters, span):
    ids = np.full((200, 64), 9, np.int32)
    features = {"token_ids": ids, "padding_mask": np.ones(ids.shape, bool)}
    augmented = TASK.augment(features, {"letters": letters}, np.random.default_rng(0))
    hidden = augmented["token_ids"] == UNKNOWN
    assert hidden.mean() == pytest.approx(HIDDEN_TOKENS, abs=0.02)
    share_followed = (hidden[:, :-1] & hidden[:, 1:]).sum() / hidden[:, :-1].sum()
    assert (share_followed > 0.8) == (span > 1)


@pytest.mark.parametrize(
    ("units", "inputs"),
    [
        ("subwords", Inputs.TOKEN_IDS),
        ("bytes", Inputs.EMBEDDINGS),
        ("characters", Inputs.EMBEDDINGS),
    ],
)
def test_letters_need_architectures_that_take_embeddings(units, inputs):
    assert TASK.inputs_for({"units": units}) is inputs
    assert TASK.inputs_for({}) is Inputs.TOKEN_IDS
    spec = {"letters": units != "subwords", "num_pairs": 0, "vocabulary_size": 9}
    embedding = TASK.build_embedding(spec, 8)
    assert (embedding is not None) == (inputs is Inputs.EMBEDDINGS)
    request = Request(tasks=("sentiment",), lengths=(64,), seeds=(0,), options={"units": units})
    reasons = {
        planned.cell.architecture: planned.unsupported
        for planned in expand(request, load_registry(()))
    }
    assert {name for name, reason in reasons.items() if reason is None} >= {
        "bert", "longformer", "reformer", "transformer_xl", "vanilla"
    }  # fmt: skip
    assert f"does not take {inputs}" in str(reasons["vit"])
