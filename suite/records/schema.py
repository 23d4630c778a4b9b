"""The schema of a record: what one run leaves, as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, NotRequired, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    with_config,
)
from typing_extensions import TypedDict  # pydantic takes that of typing from Python 3.12 on

from suite.api import PROTOCOL, Cell, LengthwiseError, Metric, Mode, Status
from suite.records.measures import phase_of
from suite.records.migrations import MIGRATIONS, SCHEMA_VERSION, migrate

NAME_OF_A_FILE = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"
"""A run id is a part of the names of files, which must stay in their folder and not be too long."""
FIRST_FIELD = re.compile(rb'\s*\{\s*"schema_version"\s*:\s*(\d{1,9})\s*[,}]')


NUMBERS = (
    *("task_version", "architecture_version", "sequence_length", "batch_size", "steps"),
    *("threads", "seed", "round"),
)
"""The fields of a cell that hold a number."""
Whole = Annotated[int, Field(gt=-(2**63), lt=2**63)]
"""A whole number that fits a float and a column of a table; JSON has others."""


class RecordError(LengthwiseError):
    """A file that is not a record, or whose schema this version does not read."""


class UnknownSchemaError(RecordError):
    """A record whose schema this version does not read: a newer one, or 1 or 2."""


class _Model(BaseModel):
    # Defaults come from factories: pydantic copies others deeply for each of thousands of records.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")


class MeasuredValue(_Model, extra="ignore"):
    """The value of a measurement."""

    value: float | None


class Measurement(MeasuredValue, extra="forbid"):
    """A measured quantity. Its name carries the unit. Archives keep `value` and `n` alone."""

    n: Whole
    samples: tuple[FiniteFloat, ...] = ()
    quartiles: tuple[FiniteFloat, FiniteFloat] | None = None
    method: str = ""


class Variant(_Model, extra="ignore"):
    """Figures of another variant of the model, such as the one before its compression."""

    metrics: Mapping[str, Mapping[str, float | None]] = Field(default_factory=dict)
    measurements: Mapping[str, Mapping[str, MeasuredValue]] = Field(default_factory=dict)


class Curve(_Model):
    """Values along training, by the number of tokens seen."""

    tokens: tuple[Whole, ...]
    values: tuple[float | None, ...]


@with_config(extra="ignore")
class PartReport(TypedDict, total=False):
    """The parts of a split's report that comparing needs.

    `without_part` has each metric without each of the split's consecutive parts.
    `by_evaluation_length` has figures by name for each evaluation length, or the reason why the
    length has none.
    """

    without_part: Mapping[str, tuple[FiniteFloat | None, ...]]
    by_evaluation_length: Mapping[str, str | Mapping[str, Whole | FiniteFloat | None]]


@with_config(extra="allow")
class Report(PartReport, total=False):
    """The detail behind a split's metrics: the task's own fields, and the scores without a part."""


@with_config(extra="allow")
class MeasuredCode(TypedDict, total=False):
    """The digests of the code that ran."""

    architecture_digest: str | None
    engine_digest: str | None
    task_digest: str | None
    training_digest: str | None


@with_config(extra="allow")
class Environment(TypedDict, total=False):
    """The machine, the packages and the code of a run (`suite.records.environment`)."""

    processor: str | None
    num_cores: Whole | None
    memory_bytes: Whole | None
    accelerators: list[str]
    devices: list[str]
    packages: Mapping[str, str | None]
    code: MeasuredCode | None
    cost_digest: str | None
    commit: Any
    dirty: Any


@with_config(extra="allow")
class Data(TypedDict, total=False):
    """The data of a training: its digest and its fingerprint, its sizes by split, its licence."""

    digest: str | None
    fingerprint: str | None
    examples: Mapping[str, Whole]
    redistributable: bool
    notes: tuple[str, ...]


@with_config(extra="allow")
class TrainedParent(TypedDict):
    """The cell whose trained weights another cell evaluates, and their checksum."""

    cell_id: str
    weights_sha256: str


@with_config(extra="allow")
class Details(TypedDict, total=False):
    """How a cell was run: the recipe, the resolved options, the limits, and more.

    `noisy` names the phases during which other processes used the machine, and parts that are
    measured apart, as "training.compile". `lost` says how earlier executions of the cell were lost
    together with their machines. `parents` are the ids of the cells whose trained models the cell
    took, by role. `earlier_runs` counts the earlier runs of the cell in this home, by status.
    """

    noisy: tuple[str, ...]
    limits: Mapping[str, Whole | float]
    lost: tuple[str, ...]
    parent: TrainedParent
    parents: Mapping[str, str]
    weights: Mapping[str, Any]
    earlier_runs: Mapping[str, Whole]
    declared_state_bytes: Whole | None
    resumed_at_steps: tuple[Whole, ...]
    training_steps: Whole
    training_tokens: Whole


class Failure(_Model):
    """The error that ended a run."""

    type: str
    message: str
    traceback: str | None = None


class Invocation(_Model):
    """The command that a run belongs to. A command that searches has no `planned_cells`."""

    id: str
    started_at: AwareDatetime
    command: str
    planned_cells: Whole | None


@with_config(extra="allow")
class TrialRun(TypedDict):
    """A run of a learning rate: its seed, its status, and its validation score if it has one."""

    seed: Whole
    status: str
    validation: FiniteFloat | None


@with_config(extra="allow")
class RateTrial(TypedDict):
    """The runs of a learning rate in one stage of a search, and their mean validation score."""

    learning_rate: FiniteFloat
    steps: Whole
    validation: NotRequired[FiniteFloat | None]
    runs: list[TrialRun]


class TuningChoice(_Model):
    """A learning rate that `bench tune` chose on validation for a `setting`, and the evidence.

    `trials` holds the validation scores of each learning rate in each stage of the search.
    `good_range_decades` is the width of the range of rates that score within one standard error of
    the best. `cost` is the number of updates of all trials divided by those of a final run.
    """

    learning_rate: float
    metric: str
    setting: Mapping[str, Any]
    good_range_decades: float | None = None
    cost: FiniteFloat | None = None
    trials: tuple[RateTrial, ...] = ()


class RankingFacts(_Model):
    """The facts that ranking needs in addition to the cell and the figures.

    `entry` names the architecture, with the options that do not belong to the comparison;
    `task_options` are those that all entries share. `metric` is the task's primary metric, and
    `share` whether it goes from 0 to 1; a probe has none. `scored_unit` is what a batch has equally
    many of at every length: "positions" or "examples". `drawn_for_length` is true if each length
    has raw examples of its own. `track` is "standard" or "open". `benchmark_hash` is that of the
    frozen benchmark; `ranked` is true if it ranks its trainings, and `seeds` are those that a rank
    needs.
    """

    entry: str
    task_options: Mapping[str, Any] = Field(default_factory=dict)
    metric: str | None = None
    higher_is_better: bool = True
    share: bool = False
    scored_unit: str = "positions"
    track: str = "standard"
    benchmark_hash: str | None = None
    ranked: bool = False
    seeds: tuple[Whole, ...] = ()
    drawn_for_length: bool = False
    learning_rate: float | None = None
    tuning: TuningChoice | None = None

    @property
    def good_range_decades(self) -> float | None:
        """The width of the range of good learning rates; None if the rate was not tuned."""
        return self.tuning.good_range_decades if self.tuning else None

    @property
    def primary_metric(self) -> Metric | None:
        """The primary metric; None for a probe."""
        return Metric(self.metric, self.higher_is_better, self.share) if self.metric else None


class Conformance(_Model):
    """The result of the conformance kit for the code that ran; `failed` names the failed checks.

    `kit` is the version of the kit; 0 in a record of schema 3 or older, which did not state it.
    """

    kit: Whole
    failed: tuple[str, ...] = ()


def _check_numbers(cell: Cell) -> Cell:
    """Return a cell whose numbers are whole numbers as other fields have them."""
    for name in NUMBERS:
        if not -(2**63) < (getattr(cell, name) or 0) < 2**63:
            raise ValueError(f"{name} is too large")
    return cell


class RecordSummary(_Model, extra="ignore"):
    """The part of a record that comparing needs, read in half the time of the whole record.

    `variants` holds figures of other variants of the model by name. `conditions` holds metrics by
    the name of a disturbance and by split.
    """

    schema_version: int = SCHEMA_VERSION
    protocol: Whole = PROTOCOL
    run_id: str = Field(pattern=NAME_OF_A_FILE)
    cell_id: str
    cell: Annotated[Cell, AfterValidator(_check_numbers)]
    status: Status
    reason: str | None = None
    started_at: AwareDatetime
    ended_at: AwareDatetime
    worker_seconds: float | None = None
    ranking: RankingFacts
    metrics: Mapping[str, Mapping[str, float | None]] = Field(default_factory=dict)
    reports: Mapping[str, PartReport] = Field(default_factory=dict)
    measurements: Mapping[str, Mapping[str, MeasuredValue]] = Field(default_factory=dict)
    variants: Mapping[str, Variant] = Field(default_factory=dict)
    conditions: Mapping[str, Mapping[str, Mapping[str, float | None]]] = Field(default_factory=dict)
    parameter_count: Whole | None = None
    parameter_counts: Mapping[str, Whole] = Field(default_factory=dict)
    details: Details = Field(default_factory=Details)
    data: Data | None = None
    environment: Environment
    conformance: Conformance | None = None
    invocation: Invocation

    def metric(self, name: str, split: str = "test") -> float | None:
        """Return a metric of a split; None where the record has none."""
        return self.metrics.get(split, {}).get(name)

    def measured(self, phase: str, name: str) -> float | None:
        """Return the value of a measurement; None where the record has none."""
        measurement = self.measurements.get(phase, {}).get(name)
        return measurement.value if measurement else None

    def costs(self) -> dict[str, float]:
        """Return the value of each measure, as "training.step_seconds", quiet or not."""
        return {
            f"{phase}.{name}": item.value
            for phase, items in self.measurements.items()
            for name, item in items.items()
            if item.value is not None
        }

    def is_quiet(self, phase: str) -> bool:
        """Return whether other processes left the machine alone while a phase was measured."""
        return phase not in self.details.get("noisy", ())

    def cost(self, measure: str) -> float | None:
        """Return a measure such as "training.step_seconds"; None if its phase was noisy."""
        phase, _, name = measure.partition(".")
        return self.measured(phase, name) if self.is_quiet(phase_of(measure)) else None

    @property
    def fingerprint(self) -> str:
        """The hash of the raw examples; empty for a probe, or a cell that did not read its data."""
        return (self.data or Data()).get("fingerprint") or ""

    @property
    def quiet(self) -> bool:
        """Whether every measured phase was quiet."""
        return not self.details.get("noisy")

    @property
    def repeat(self) -> int:
        """The number that tells repeats of a cell apart: the seed, or a probe's round."""
        return self.cell.seed if self.cell.mode is Mode.TRAIN else self.cell.round


class Record(RecordSummary, extra="forbid"):
    """One run of one cell.

    `metrics` holds numbers by split, `reports` the detail behind them, `measurements` measured
    quantities by phase and name, with the unit in the name. `log_tail`, the host name and paths
    never leave the machine.
    """

    reports: Mapping[str, Report] = Field(default_factory=dict)
    curves: Mapping[str, Curve] = Field(default_factory=dict)
    measurements: Mapping[str, Mapping[str, Measurement]] = Field(default_factory=dict)
    error: Failure | None = None
    log_tail: str = ""

    def to_json(self) -> str:
        """Return the record as JSON; NaN and infinities become null."""
        return self.model_dump_json(indent=1)


Read = TypeVar("Read", bound=RecordSummary)


def parse_record(text: str | bytes) -> Record:
    """Read a record that `Record.to_json` wrote, of the current or an older schema.

    Raises:
        RecordError: the text is not a record, or its schema is unknown.
    """
    return _parse(text, Record)


def parse_summary(text: str | bytes) -> RecordSummary:
    """Read the summary of a record, as `parse_record` does."""
    return _parse(text, RecordSummary)


def first_error(error: ValidationError) -> str:
    """Return the first field that pydantic found wrong, and why."""
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"


def _parse(text: str | bytes, kind: type[Read]) -> Read:
    # The parser of pydantic refuses texts that are no UTF-8, such as lone surrogates.
    current = text if stated_version(text) == SCHEMA_VERSION else json.dumps(_migrated(text))
    try:
        record = kind.model_validate_json(current)
    except ValidationError as error:
        raise _malformed(first_error(error)) from None
    if record.cell.id != record.cell_id and record.protocol == PROTOCOL:
        raise RecordError("A record's cell_id is the hash of its cell", received=record.cell_id)
    return record


def stated_version(text: str | bytes) -> int | None:
    """Return the schema version where it is the first field, as `to_json` writes it."""
    match = FIRST_FIELD.match(text if isinstance(text, bytes) else text[:200].encode())
    return int(match[1]) if match else None


def _migrated(text: str | bytes) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _malformed(f"the file: {str(error)[:200]}") from None
    if not isinstance(content, dict):
        raise _malformed(f"the file: {type(content).__name__}")
    version = content.get("schema_version", SCHEMA_VERSION)
    if type(version) is not int or version not in (SCHEMA_VERSION, *MIGRATIONS):
        raise UnknownSchemaError(
            f"This version reads records of schemas {min(MIGRATIONS)} to {SCHEMA_VERSION}",
            received=f"schema {str(version)[:40]}",
            remedy="Update Lengthwise, or read an old record with the version that wrote it",
        )
    try:
        return migrate({"schema_version": version, **content})
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise _malformed(f"schema {version}: {type(error).__name__} {str(error)[:200]}") from None


def _malformed(received: str) -> RecordError:
    return RecordError(
        "A record is a JSON object of the schema in suite/records/schema.py", received=received
    )


def utc_now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)
