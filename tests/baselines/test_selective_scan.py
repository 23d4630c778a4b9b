"""The selective scan in chunks, against the recurrence as defined."""

from __future__ import annotations

import numpy as np
import pytest

from baselines.layers.selective_scan import scan_selectively
from suite.worker.conformance.gradients import run
from tests.architectures import slow_on_jax_unless

BATCH, CHANNELS, NUMBERS, LENGTH = 2, 5, 3, 37


def random_parts(length: int = LENGTH) -> list[np.ndarray]:
    """Return inputs, step sizes, rates, keys, queries, and a state."""
    generator = np.random.default_rng(0)
    parts = (
        generator.normal(size=(BATCH, length, CHANNELS)),
        generator.exponential(size=(BATCH, length, CHANNELS)),
        -generator.uniform(0.1, 16, size=(CHANNELS, NUMBERS)),
        generator.normal(size=(BATCH, length, NUMBERS)),
        generator.normal(size=(BATCH, length, NUMBERS)),
        generator.normal(size=(BATCH, CHANNELS, NUMBERS)),
    )
    return [part.astype("float32") for part in parts]


def recurrence(inputs, sizes, rates, keys, queries, state):
    """Return the outputs and the last state, position by position, in float64."""
    outputs = []
    for place in range(inputs.shape[1]):
        size = sizes[:, place, :, None].astype("float64")
        added = size * inputs[:, place, :, None] * keys[:, place, None, :]
        state = state * np.exp(size * rates) + added
        outputs.append((state * queries[:, place, None, :]).sum(axis=-1))
    return np.stack(outputs, axis=1), state


@pytest.mark.parametrize(
    ("length", "chunk_length"),
    [
        slow_on_jax_unless(case == (LENGTH, 8), *case)
        for case in ((1, 8), (8, 8), (LENGTH, 8), (LENGTH, 64))
    ],
)
def test_the_chunks_equal_the_recurrence(length, chunk_length):
    parts = random_parts(length)
    exact, last = recurrence(*parts)
    found = run(lambda *given: scan_selectively(*given, chunk_length)[0], *parts)
    np.testing.assert_allclose(found, exact, atol=2e-5)
    found = run(lambda *given: scan_selectively(*given, chunk_length)[1], *parts)
    np.testing.assert_allclose(found, last, atol=2e-5)
    from_zeros, _ = recurrence(*parts[:-1], np.zeros_like(parts[-1]))
    found = run(lambda *given: scan_selectively(*given, chunk_length=chunk_length)[0], *parts[:-1])
    np.testing.assert_allclose(found, from_zeros, atol=2e-5)
