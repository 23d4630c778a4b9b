"""Short trainings in the process of the tests."""

from __future__ import annotations

from tests.suite.worker.conftest import brief_measurements, eager  # noqa: F401
from tests.suite.worker.train.test_checkpoint import few_scored_examples  # noqa: F401
