"""Short runs of the worker in the process of the tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from suite.worker.conformance.gradients import without_compiling
from suite.worker.train import checkpoint, evaluation_lengths
from tests.builders.trainings import cut, measure_briefly, score_few


@pytest.fixture
def eager() -> Iterator[None]:
    """Build no graphs on TensorFlow: a graph takes the time of twenty steps."""
    with without_compiling():
        yield


@pytest.fixture
def brief_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure briefly in cells that do not run by `trainings.run`, which does so by itself."""
    measure_briefly(monkeypatch)


@pytest.fixture
def frequent_checkpoints(brief_measurements: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a checkpoint after every step: blocks are as brief as the measurements."""
    monkeypatch.setattr(checkpoint, "SECONDS_BETWEEN", 0.0)


@pytest.fixture
def few_scored_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Score a few examples only; the training is the same."""
    score_few(monkeypatch)


@pytest.fixture
def few_examples_at_lengths(monkeypatch: pytest.MonkeyPatch) -> None:
    """Score a few examples only at evaluation lengths."""
    load = evaluation_lengths.load_length

    def load_few(setup, length):
        return {split: cut(examples) for split, examples in load(setup, length).items()}

    monkeypatch.setattr(evaluation_lengths, "load_length", load_few)
