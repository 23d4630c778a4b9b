"""Layers of tasks: heads, and the reach of convolutions before an architecture."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from suite.matrix.registry import load_registry
from tasks.common.classification import Classification
from tasks.common.heads import ExampleHead
from tasks.common.neighbour_embedding import REACH, NeighbourEmbedding
from tasks.common.patches import cut_patches
from tasks.curve_tracing.patch_convolutions import PatchConvolutions

TASKS = load_registry(()).tasks.plugins
CLASSIFIERS = [name for name, task in TASKS.items() if isinstance(task, Classification)]
WIDTH, DRAWS, LENGTH = 8, 400, 256
SPEC = {"classes": ["a", "b", "c"], "trace": False, "entity_states": False}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_zero_mean_noise_does_not_change_the_mean_score(name):
    """A maximum over positions would fail, more so for longer sequences."""
    random = np.random.default_rng(0)
    head = TASKS[name].build_head(SPEC)
    states = random.normal(size=(1, LENGTH, WIDTH)).astype("float32")
    features = {"padding_mask": np.ones((1, LENGTH), bool)}
    plain = ops.convert_to_numpy(head(states, features))
    noise = random.normal(size=(DRAWS, LENGTH, WIDTH)).astype("float32")
    masks = {"padding_mask": np.ones((DRAWS, LENGTH), bool)}
    disturbed = ops.convert_to_numpy(head(states + noise, masks))
    error = disturbed.std(axis=0) / np.sqrt(DRAWS)
    assert (np.abs(disturbed.mean(axis=0) - plain) < 5 * error).all()


def test_padding_does_not_change_scores():
    head = ExampleHead(3)
    states = np.random.default_rng(0).normal(size=(2, 6, WIDTH)).astype("float32")
    mask = np.arange(6) < np.array([[6], [4]])
    scores = ops.convert_to_numpy(head(states, {"padding_mask": mask}))
    alone = head(states[1:, :4], {"padding_mask": mask[1:, :4]})
    np.testing.assert_allclose(scores[1], ops.convert_to_numpy(alone)[0], atol=1e-6)


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


@pytest.mark.parametrize("patch_size", [1, 2, 4, 8])
def test_convolutions_reach_neighbouring_patches_only(patch_size):
    convolutions = PatchConvolutions()
    image = np.zeros((2, 32, 32, 1), np.float32)
    image[1, 16, 8] = 1
    patches = cut_patches(image, patch_size)
    outputs = ops.convert_to_numpy(convolutions({"patches": patches}))
    assert outputs.shape[:2] == patches.shape[:2]
    side = 32 // patch_size
    row, column = np.divmod(np.flatnonzero((outputs[0] != outputs[1]).any(axis=1)), side)
    reach = 1 if patch_size > 3 else 3 if patch_size == 1 else 2
    assert len(row) > 0
    assert abs(row - 16 // patch_size).max() <= reach
    assert abs(column - 8 // patch_size).max() <= reach
