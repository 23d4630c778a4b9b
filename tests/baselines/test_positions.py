"""Position tables of images at another grid, and errors for sequences that do not fit."""

from __future__ import annotations

import numpy as np
from keras import ops

from baselines.layers.positions import resize_grid
from suite.api import BuildRequest, Form, Inputs, ModelSize
from suite.api.plugins import ARCHITECTURES, find_plugin

SIZE = ModelSize("case", 1, 12, 3, 20)


def test_the_same_grid_keeps_a_table():
    table = np.random.default_rng(0).normal(size=(1 + 6, 5)).astype("float32")
    np.testing.assert_allclose(resize_grid(table, (2, 3), (2, 3)), table, atol=1e-6)


def test_resizing_keeps_a_ramp_and_the_class_token():
    rows, columns = np.meshgrid(np.arange(4.0), np.arange(4.0), indexing="ij")
    table = np.stack([rows, columns], axis=-1).reshape(16, 2).astype("float32")
    token = np.array([[7.0, 8.0]], "float32")
    resized = resize_grid(np.concatenate([token, table]), (4, 4), (8, 8))
    np.testing.assert_array_equal(resized[:1], token)
    grid = resized[1:].reshape(8, 8, 2)
    # At twice the resolution, inner rows and columns are half a step apart.
    np.testing.assert_allclose(np.diff(grid[1:7, :, 0], axis=0), 0.5, atol=1e-5)
    np.testing.assert_allclose(np.diff(grid[:, 1:7, 1], axis=1), 0.5, atol=1e-5)


def vit(length: int, **options):
    architecture = find_plugin(ARCHITECTURES, "vit")
    options = {**architecture.options, **options}
    return architecture.build(BuildRequest(Form.ENCODER, Inputs.PATCHES, SIZE, length, options))


def test_the_class_token_or_the_mean_represents_an_image():
    patches = np.random.default_rng(0).normal(size=(2, 4, 6)).astype("float32")
    mask = np.array([[True] * 4, [True, True, False, False]])
    with_token, without = vit(4), vit(4, class_token=False)
    states = ops.convert_to_numpy(with_token.encode(patches, mask)[0])
    assert states.shape == (2, 5, 12)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(with_token.summarize(ops.convert_to_tensor(states))), states[:, 0]
    )
    states = ops.convert_to_numpy(without.encode(patches, mask)[0])
    summary = without.summarize(*map(ops.convert_to_tensor, (states, mask)))
    expected = np.stack([states[0].mean(axis=0), states[1, :2].mean(axis=0)])
    np.testing.assert_allclose(ops.convert_to_numpy(summary), expected, atol=1e-6)
    mask[1] = False
    summary = without.summarize(*map(ops.convert_to_tensor, (states, mask)))
    np.testing.assert_allclose(
        ops.convert_to_numpy(summary), [expected[0], np.zeros(12)], atol=1e-6
    )
