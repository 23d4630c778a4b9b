"""Tests of the embedding of tokens with their neighbours."""

from __future__ import annotations

import numpy as np
from keras import ops

from tasks.common.neighbour_embedding import REACH, NeighbourEmbedding


def test_a_token_reaches_its_neighbours_and_padding_reaches_none():
    embedding = NeighbourEmbedding(50, 8)
    token_ids = np.random.default_rng(0).integers(4, 50, (1, 20))
    mask = np.arange(20)[None] < 15

    def embed(ids):
        return ops.convert_to_numpy(embedding({"token_ids": ids, "padding_mask": mask}))[0]

    before = embed(token_ids)
    for changed, reached in ((8, range(8 - REACH, 8 + REACH + 1)), (16, [16])):
        other = token_ids.copy()
        other[0, changed] = other[0, changed] % 40 + 4 + (other[0, changed] == 44)
        assert other[0, changed] != token_ids[0, changed]
        moved = np.abs(embed(other) - before).max(axis=-1) > 1e-6
        assert moved.nonzero()[0].tolist() == list(reached)
