"""Fixtures of the worker's tests, for the tests of methods."""

from tests.suite.worker.conftest import brief_measurements, eager  # noqa: F401
from tests.suite.worker.train.test_checkpoint import (  # noqa: F401
    few_scored_examples,
    frequent_checkpoints,
)
