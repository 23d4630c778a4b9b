"""The sections of a benchmark file, as `docs/add-a-benchmark.md` describes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from suite.api import Form

HALF_DECADES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
"""The learning rates of a search where the benchmark has no section [tuning]."""


def _increasing(values: Any) -> Any:
    if list(values) != sorted(set(values)):
        raise ValueError("write the numbers in increasing order, each once")
    return values


def _each_once(values: Any) -> Any:
    if len(set(values)) < len(values):
        raise ValueError("name each value once")
    return values


def _as_several(value: Any) -> Any:
    return [value] if type(value) in (int, str) or isinstance(value, Mapping) else value


Rates = Annotated[tuple[Annotated[float, Field(gt=0)], ...], AfterValidator(_increasing)]
Lengths = Annotated[tuple[int, ...], AfterValidator(_increasing)]
Seeds = Annotated[tuple[Annotated[int, Field(ge=0)], ...], AfterValidator(_increasing)]
Budgets = Annotated[tuple[Annotated[int, Field(ge=1)], ...], AfterValidator(_increasing)]
"""Numbers of updates: each is a training and a comparison of its own."""
ModelSizes = Annotated[tuple[str, ...], BeforeValidator(_as_several), AfterValidator(_each_once)]
"""Names of model sizes: each is a model and a comparison of its own."""


class BenchmarkSection(BaseModel):
    """A part of a benchmark file; an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Batch(BenchmarkSection):
    """The size of a batch: `positions_per_step` fixes positions, `examples_per_step` examples."""

    positions_per_step: int | None = Field(None, ge=1)
    examples_per_step: int | None = Field(None, ge=1)

    def batch_size(self, sequence_length: int) -> int:
        """Return the number of examples in a batch at a sequence length."""
        if self.examples_per_step:
            return self.examples_per_step
        return max(1, (self.positions_per_step or 1) // sequence_length)

    @property
    def batch_text(self) -> str:
        """The size of a batch, such as "2,048 positions"."""
        if self.examples_per_step:
            return f"{self.examples_per_step:,} example{'s' if self.examples_per_step > 1 else ''}"
        return f"{self.positions_per_step or 0:,} positions"


class OtherTasks(_Batch):
    """The settings of each task that a benchmark does not name, such as a user's own.

    The lengths are the first `num_lengths` of the task's default lengths. The unit that the task
    scores decides which size of a batch it takes.
    """

    num_lengths: int = Field(ge=1)
    steps: int = Field(ge=1)


class TaskSettings(_Batch):
    """Settings of a task. Each number of `steps` is a budget, with trainings of its own.

    Each trained model is scored at the `evaluation_lengths` too.
    """

    lengths: Lengths = Field(min_length=1, strict=False)
    evaluation_lengths: Lengths = Field(default=(), strict=False)
    steps: Annotated[Budgets, BeforeValidator(_as_several)] = Field(min_length=1, strict=False)
    source: str | None = None
    options: Mapping[str, Any] = {}

    @property
    def steps_text(self) -> str:
        """The budgets, such as "122, 366 or 1,098"."""
        *fewer, most = (f"{steps:,}" for steps in self.steps)
        return f"{', '.join(fewer)} or {most}" if fewer else most


SettingsOfTask = Annotated[
    tuple[TaskSettings, ...], BeforeValidator(_as_several), Field(min_length=1, strict=False)
]
"""All settings of a task: one table, or an array of tables that differ in options or lengths."""


class ProbeSettings(_Batch):
    """Probes of one form: the lengths, the size of a batch and the number of rounds."""

    form: Form = Field(Form.ENCODER, strict=False)
    lengths: Lengths = Field(min_length=1, strict=False)
    rounds: int = Field(ge=1)


class DecodingSettings(ProbeSettings):
    """Decodings of one form: the lengths are contexts, whose tokens come before the generated."""

    form: Form = Field(Form.DECODER, strict=False)


class EntrySettings(BenchmarkSection):
    """An entry beside the architectures with their default options.

    `methods` are written as on the command line: ["lora:rank=8", "int8"]. `tasks`, `lengths` and
    `steps` limit the entry; without options and methods, they limit the architecture itself.
    """

    architecture: str
    options: Mapping[str, Any] = {}
    methods: tuple[str, ...] = Field(default=(), strict=False)
    tasks: tuple[str, ...] = Field(default=(), strict=False)
    lengths: Lengths = Field(default=(), strict=False)
    steps: Budgets = Field(default=(), strict=False)

    @property
    def is_plain(self) -> bool:
        """Whether the entry is the architecture itself, with its default options."""
        return not self.options and not self.methods

    def includes(self, task: str | None, length: int, steps: int | None) -> bool:
        """Return whether the entry runs a task, or a probe (None), at a length and for steps."""
        return (
            (not self.tasks or task in self.tasks)
            and (not self.lengths or length in self.lengths)
            and (not self.steps or steps is None or steps in self.steps)
        )


class TuningPoint(BenchmarkSection):
    """A length and a number of steps at which the learning rates of a task are chosen.

    `learning_rates` and `seeds` are those of the section [tuning] if the point states none.
    """

    length: int = Field(ge=1)
    steps: int = Field(ge=1)
    learning_rates: Rates | None = Field(None, min_length=3, strict=False)
    seeds: Seeds | None = Field(None, min_length=1, strict=False)

    def is_of(self, settings: TaskSettings) -> bool:
        """Return whether settings have a training at the point."""
        return self.length in settings.lengths and self.steps in settings.steps


PointsOfTask = Annotated[
    tuple[TuningPoint, ...], BeforeValidator(_as_several), Field(min_length=1, strict=False)
]
"""The points of a task's searches: one table, or an array of tables for several settings."""


class TuningSettings(BenchmarkSection):
    """The search for the learning rate of each entry, task and length.

    A search starts with `learning_rates`, and goes beyond them if the best lies at an edge. The
    last stage trains with each of `seeds`. With `full_trials`, each trial has the steps of a final
    run. `at` maps a task to the points of its searches: a rate holds for all lengths and steps of
    the settings that have the point.
    """

    learning_rates: Rates = Field(default=HALF_DECADES, min_length=3, strict=False)
    seeds: Seeds = Field(default=(0, 1), min_length=1, strict=False)
    full_trials: bool = False
    at: Mapping[str, PointsOfTask] = {}

    @model_validator(mode="after")
    def _check(self) -> TuningSettings:
        if not self.full_trials and len(self.seeds) < 2:
            raise ValueError("seeds: short trials need at least two seeds, or set full_trials")
        if self.at and not self.full_trials:
            raise ValueError("at: rates that hold for other lengths and steps need full_trials")
        return self

    @property
    def rates_text(self) -> str:
        """The number of learning rates, and the seeds."""
        return f"{len(self.learning_rates)} learning rates, seeds {', '.join(map(str, self.seeds))}"

    def of_point(self, task: str, length: int, steps: int) -> TuningSettings:
        """Return the settings of the search at one length and number of steps of a task."""
        for point in self.at.get(task, ()):
            if (point.length, point.steps) == (length, steps):
                own = point.model_dump(include={"learning_rates", "seeds"}, exclude_none=True)
                return self.model_copy(update=own)
        return self


class ExpectedFigure(BenchmarkSection):
    """A published figure that the benchmark's result is compared with."""

    task: str
    architecture: str
    length: int
    metric: str
    value: float
    tolerance: float = Field(gt=0)
    source: str
