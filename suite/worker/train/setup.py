"""The model of a train cell with its data and methods, as the steps of the cell share them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from suite.api import Architecture, BuildRequest, Examples, Job, Options, Task, TaskData
from suite.api.errors import LengthwiseError
from suite.worker.composition import Composition
from suite.worker.model import Model


@dataclass(frozen=True)
class Setup:
    """A train cell whose model is built.

    `request` is the one that the model was built from. A checkpoint of other `code_digests` is
    ignored.
    """

    job: Job
    task: Task
    architecture: Architecture
    request: BuildRequest
    options: Options
    data: TaskData
    model: Model
    methods: Composition
    xla: bool
    code_digests: Sequence[str | None]
    report_progress: Callable[..., None]

    @property
    def scored_splits(self) -> tuple[str, ...]:
        """The splits that the cell scores."""
        return ("validation", "test") if self.job.cell.scores_test else ("validation",)


def splits_of(data: TaskData) -> Mapping[str, Examples]:
    """Return the splits by name; the test split may be sealed."""
    return {"train": data.train, "validation": data.validation, "test": data.test}


class SealedSplitError(LengthwiseError):
    """Code read the test split of a run that scores validation alone."""


class _SealedExamples:
    """The examples of a sealed split: a read of any attribute raises."""

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
