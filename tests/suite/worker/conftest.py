"""Short runs of the worker in the process of the tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from suite.worker.conformance.gradients import without_compiling
from suite.worker.measure import timing, warmup


@pytest.fixture
def eager() -> Iterator[None]:
    """Build no graphs on TensorFlow: a graph takes the time of twenty steps."""
    with without_compiling():
        yield


@pytest.fixture
def brief_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the fewest samples that a record may hold, without a warm-up."""
    monkeypatch.setattr(warmup, "throwaway_step", lambda xla: None)
    monkeypatch.setattr(timing, "ATTEMPTS", 1)
    monkeypatch.setattr(timing, "BLOCK_SECONDS", 0.0)
    monkeypatch.setattr(timing, "MIN_SECONDS", 0.0)
    monkeypatch.setattr(timing, "LATENCY_SECONDS", 0.0)
