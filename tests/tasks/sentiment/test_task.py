"""Tests of the sentiment task with bytes and characters."""

from __future__ import annotations

import pytest

from suite.api import Inputs
from suite.matrix.expansion import expand
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from tasks.sentiment.task import TASK


@pytest.mark.parametrize(
    ("options", "inputs"),
    [
        ({"units": "subwords"}, Inputs.TOKEN_IDS),
        ({"units": "bytes"}, Inputs.TOKEN_IDS),
        ({"units": "bytes", "neighbour_convolution": "True"}, Inputs.EMBEDDINGS),
        ({"pairs": "9"}, Inputs.EMBEDDINGS),
    ],
)
def test_convolutions_and_pairs_need_architectures_that_take_embeddings(options, inputs):
    assert TASK.inputs_for(options) is inputs
    spec = {
        "neighbour_convolution": "neighbour_convolution" in options,
        "num_pairs": int(options.get("pairs", 0)),
        "vocabulary_size": 9,
    }
    embedding = TASK.build_embedding(spec, 8)
    assert (embedding is not None) == (inputs is Inputs.EMBEDDINGS)
    names = ("linear_attention", "longformer", "lstm", "mamba2", "vanilla", "vit")
    request = Request(
        tasks=("sentiment",), architectures=names, lengths=(64,), seeds=(0,), options=options
    )
    reasons = {
        planned.cell.architecture: planned.unsupported
        for planned in expand(request, load_registry(()))
    }
    assert [name for name, reason in reasons.items() if reason is None] == list(names[:-1])
    assert f"does not take {inputs}" in str(reasons["vit"])
