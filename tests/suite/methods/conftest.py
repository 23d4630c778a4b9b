"""Fixtures of the worker's tests, for the tests of methods."""

from tests.suite.worker.conftest import (  # noqa: F401
    brief_measurements,
    eager,
    few_scored_examples,
    frequent_checkpoints,
)
