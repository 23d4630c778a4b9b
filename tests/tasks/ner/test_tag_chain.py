"""Tests of the CRF against an enumeration of all paths."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from keras import ops

from tasks.ner.tag_chain import TagChain, best_path, log_normalizer, path_score

OUTSIDE = 1


@pytest.mark.parametrize("length", [1, 2, 5, 7])
def test_sum_score_and_best_path_agree_with_enumeration(length):
    generator = np.random.default_rng(length)
    num_tags, real_length = 3, max(1, length - 2)
    chain = TagChain(num_tags, OUTSIDE)
    hidden_states = generator.normal(size=(2, length, 4)).astype("float32") * 2
    mask = np.arange(length) < np.array([[length], [real_length]])
    chain.build(hidden_states.shape)
    chain.transitions.assign(generator.normal(size=(num_tags, num_tags)) * 2)
    potentials = chain(hidden_states, {"padding_mask": mask})

    emissions = ops.convert_to_numpy(chain.emissions(hidden_states)).astype("float64")
    transitions = ops.convert_to_numpy(chain.transitions).astype("float64")
    for row, count in enumerate((length, real_length)):
        scores = {}
        for path in itertools.product(range(num_tags), repeat=count):
            before = (OUTSIDE, *path[:-1])
            scores[path] = sum(
                emissions[row, place, tag] + transitions[last, tag]
                for place, (last, tag) in enumerate(zip(before, path, strict=True))
            )
        expected = np.log(np.sum(np.exp(list(scores.values()))))
        found = ops.convert_to_numpy(log_normalizer(potentials))[row]
        np.testing.assert_allclose(found, expected, rtol=1e-4)
        best = max(scores, key=scores.__getitem__)
        assert tuple(ops.convert_to_numpy(best_path(potentials))[row, :count]) == best
        tags = np.zeros((2, length), np.int32)
        path = generator.integers(0, num_tags, count)
        tags[row, :count] = path
        found = ops.convert_to_numpy(path_score(potentials, tags, mask))[row]
        np.testing.assert_allclose(found, scores[tuple(path)], rtol=1e-4)


def test_large_potentials_give_finite_results():
    potentials = np.random.default_rng(0).normal(size=(1, 300, 5, 5)).astype("float32") * 200
    found = ops.convert_to_numpy(log_normalizer(potentials))
    best = ops.max(ops.convert_to_numpy(best_path(potentials)))
    assert np.isfinite(found).all()
    assert best < 5
