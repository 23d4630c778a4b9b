"""The record's schema: what one run leaves, as JSON. All that people see is drawn from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    FiniteFloat,
    ValidationError,
    with_config,
)
from typing_extensions import TypedDict  # pydantic takes that of typing from Python 3.12 on

from suite.api import PROTOCOL, Cell, Status
from suite.api.errors import LengthwiseError

SCHEMA_VERSION = 1


class RecordError(LengthwiseError):
    """A file that is no record, or of a schema this version does not know."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")


class Figure(_Model, extra="ignore"):
    """The figure that a measurement comes to."""

    value: float | None


class Measurement(Figure, extra="forbid"):
    """A measured quantity; its name, where it is kept, carries the unit."""

    n: int
    samples: tuple[FiniteFloat, ...]
    quartiles: tuple[FiniteFloat, FiniteFloat] | None
    method: str


class Curve(_Model):
    """Values along training: `tokens` seen, and the figure there."""

    tokens: tuple[int, ...]
    values: tuple[float | None, ...]


@with_config(extra="ignore")
class Parts(TypedDict, total=False):
    """Each metric on consecutive parts of a split, null where a part has none."""

    by_part: Mapping[str, tuple[FiniteFloat | None, ...]]


@with_config(extra="allow")
class Report(Parts, total=False):
    """The detail behind a split's metrics: whatever its task tells, and what statistics rest on."""


@with_config(extra="allow")
class Details(TypedDict, total=False):
    """How a cell was run: the recipe, the resolved options, the limits, and what else there is.

    `noisy` names the phases during which others used the machine, `lost` how it was lost with
    machines before.
    """

    noisy: tuple[str, ...]
    limits: Mapping[str, int | float]
    lost: tuple[str, ...]


class Failure(_Model):
    """What ended a run that did not end well."""

    type: str
    message: str
    traceback: str | None = None


class Invocation(_Model):
    """The command that this run belongs to; one that searches plans its cells as it goes (None)."""

    id: str
    started_at: AwareDatetime
    command: str
    planned_cells: int | None


class RecordSummary(_Model, extra="ignore"):
    """What comparing needs of a record; the rest of its file is not looked at.

    Read in half the time, and held in half the memory, of the whole: boards, tables and pages are
    drawn from as many as 100,000.
    """

    schema_version: int = SCHEMA_VERSION
    protocol: int = PROTOCOL
    run_id: str
    cell_id: str
    cell: Cell
    status: Status
    reason: str | None = None
    started_at: AwareDatetime
    ended_at: AwareDatetime
    worker_seconds: float | None = None
    metrics: Mapping[str, Mapping[str, float | None]] = {}
    reports: Mapping[str, Parts] = {}
    measurements: Mapping[str, Mapping[str, Figure]] = {}
    parameter_count: int | None = None
    details: Details = {}
    data: Mapping[str, Any] | None = None
    environment: Mapping[str, Any]

    def metric(self, name: str, split: str = "test") -> float | None:
        """Return one number, or None where the record has none."""
        return self.metrics.get(split, {}).get(name)

    def measured(self, phase: str, name: str) -> float | None:
        """Return the value of one measurement, or None where the record has none."""
        measurement = self.measurements.get(phase, {}).get(name)
        return measurement.value if measurement else None

    @property
    def quiet(self) -> bool:
        """Whether nothing else used the machine, so that its costs are evidence."""
        return not self.details.get("noisy")


class Record(RecordSummary, extra="forbid"):
    """One run of one cell.

    `metrics` are numbers by split; `reports` the detail behind them by split; `measurements` are
    by phase (`training`, `inference`) and name, units in the names; `details` say how it was run:
    the learning rate, the resolved options, the compiler, the limits. `log_tail`, host name and
    paths never leave the machine.
    """

    reports: Mapping[str, Report] = {}
    curves: Mapping[str, Curve] = {}
    measurements: Mapping[str, Mapping[str, Measurement]] = {}
    parameter_counts: Mapping[str, int] = {}
    invocation: Invocation
    error: Failure | None = None
    log_tail: str = ""

    def to_json(self) -> str:
        """Write the record; NaN and infinities become null."""
        return self.model_dump_json(indent=1)


Read = TypeVar("Read", bound=RecordSummary)


def parse_record(text: str | bytes) -> Record:
    """Read what `Record.to_json` wrote.

    Raises:
        RecordError: the text is no record, or of another schema.
    """
    return _parse(text, Record)


def parse_summary(text: str | bytes) -> RecordSummary:
    """Read of what `Record.to_json` wrote what comparing needs.

    Raises:
        RecordError: that part of it is not as a record has it, or of another schema.
    """
    return _parse(text, RecordSummary)


def _parse(text: str | bytes, kind: type[Read]) -> Read:
    """Read a record, or a part of one.

    Raises:
        RecordError: the text is no record, or of another schema.
    """
    try:
        record = kind.model_validate_json(text)
    except ValidationError as error:
        if (version := _schema_version(text)) not in (None, SCHEMA_VERSION):
            raise _other_schema(version) from None
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise RecordError(
            "A record is a JSON object of the schema in suite/records/schema.py",
            received=f"{place}: {first['msg']}",
        ) from None
    if record.schema_version != SCHEMA_VERSION:
        raise _other_schema(record.schema_version)
    if record.cell.id != record.cell_id and record.protocol == PROTOCOL:
        raise RecordError("A record's cell_id is the hash of its cell", received=record.cell_id)
    return record


def _schema_version(text: str | bytes) -> object:
    """Return the schema that a text names, None where it names none."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return content.get("schema_version") if isinstance(content, dict) else None


def _other_schema(version: object) -> RecordError:
    return RecordError(
        f"This version reads records of schema {SCHEMA_VERSION}",
        received=f"schema {str(version)[:40]}",
        remedy="Update Lengthwise",
    )


def utc_now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(UTC)
