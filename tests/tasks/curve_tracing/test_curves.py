"""Tests of the generated images of curves."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.curve_tracing.curves import CURVE, MARK, choose_marks, draw_images, draw_pairs


def test_images_are_balanced_distinct_and_reproducible():
    images, labels, _ = draw_images(400, 32, 0, 12)
    again, _, _ = draw_images(400, 32, 0, 12)
    other, _, _ = draw_images(400, 32, 1, 12)
    assert (images == again).all() and (images != other).any()
    assert 0.4 < labels.mean() < 0.6
    assert set(np.unique(images)) == {0, CURVE, MARK}
    assert len(np.unique(images.reshape(400, -1), axis=0)) == 400
    joined, apart = images[labels == 1], images[labels == 0]
    # The number of pixels must not depend on the label.
    assert abs(joined.mean() - apart.mean()) < 0.01


@pytest.mark.parametrize(("size", "points"), [(32, 6), (32, 9), (64, 12)])
def test_the_positions_of_marks_do_not_depend_on_the_label(size, points):
    generator = np.random.default_rng(0)
    pairs = draw_pairs(generator, points, size / 32, size)
    assert len(pairs) > 100 and pairs.min() >= 1 and pairs.max() <= size - 2
    by_label = []
    for label in (0, 1):
        marks, marked = choose_marks(generator, pairs, np.full(len(pairs), label))
        at_end = (marks[:, :, None, None] == pairs[:, None, :, [0, -1]]).all(axis=-1).any(axis=-1)
        both_on_one = at_end.all(axis=1).any(axis=1)
        assert at_end.any(axis=-1).all() and (both_on_one == label).all()
        assert (at_end.any(axis=1) == marked).all()
        by_label.append(marks)
    apart, joined = (np.linalg.norm(marks[:, 0] - marks[:, 1], axis=-1) for marks in by_label)
    assert np.allclose(apart, joined, atol=1e-4)
    margins = [np.minimum(marks, size - 1 - marks).min(axis=(1, 2)) for marks in by_label]
    assert abs(np.mean(margins[0]) - np.mean(margins[1])) < 0.1 * np.std(margins[0])


def test_traces_are_the_curves_with_a_mark():
    images, labels, traces = draw_images(400, 32, 0, 9)
    assert (images[traces] > 0).all()
    sizes = traces.sum(axis=(1, 2))
    assert sizes[labels == 1].min() > 0
    # Label 0 has two traced curves instead of one.
    assert 1.9 < sizes[labels == 0].mean() / sizes[labels == 1].mean() < 2.1
    untraced = (images == CURVE) & ~traces
    assert untraced[labels == 1].any(axis=(1, 2)).all(), "the other curve has no mark"


def test_curves_scale_with_the_image():
    small, _, _ = draw_images(50, 32, 0, 12)
    large, _, _ = draw_images(50, 64, 0, 12)
    assert large.shape == (50, 64, 64)
    assert large.sum(axis=(1, 2)).mean() > 1.5 * small.sum(axis=(1, 2)).mean()
