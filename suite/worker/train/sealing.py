"""The seal of the test split: a run that does not score the test split cannot read it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NoReturn

from suite.api import TaskData
from suite.api.errors import LengthwiseError


class SealedSplitError(LengthwiseError):
    """Code read the test split of a run that scores validation alone."""


class _SealedExamples:
    """Stands for the examples of a sealed split; reading any attribute raises."""

    def __getattr__(self, name: str) -> NoReturn:
        raise SealedSplitError(
            "This run scores validation alone, so that its test split is sealed",
            received=f"a read of test.{name}",
            remedy="Run a frozen benchmark with its own settings, or pass --test",
        )


def seal_test(data: TaskData) -> TaskData:
    """Return the data without its test split and the entries of its spec that belong to it."""
    sealed: Any = _SealedExamples()
    return replace(data, test=sealed, spec={**data.spec, **data.sealed_spec})
