"""Length runs: one MLflow run per architecture and comparison, whose step is sequence length."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property

from jinja2 import Environment, PackageLoader, StrictUndefined
from mlflow.entities import Metric, Param

from suite.api import Mode, Status
from suite.records.schema import RecordSummary
from suite.records.standing import probed_machine
from suite.tracking.experiments import CONTENT, milliseconds
from suite.tracking.points import Points, points_by_length
from suite.tracking.runs import PARAMS, axis_tags, params_of

LENGTH_RUN_PARAMS = frozenset(PARAMS) - {"sequence_length", "seed", "round", "batch_size"}
REPEATED = ("sequence_length", "batch_size", "seed", "round")
"""The fields of a cell in which the records of one length run differ."""

_templates = Environment(
    loader=PackageLoader("suite.tracking"), autoescape=True, undefined=StrictUndefined
)


@dataclass(frozen=True)
class LengthRun:
    """The content of one length run. `key` identifies the comparison."""

    key: str
    records: list[RecordSummary]

    @cached_property
    def points(self) -> Points:
        """The value of each metric at each sequence length."""
        return points_by_length(self.records)

    @cached_property
    def newest(self) -> RecordSummary:
        """The record that ended last."""
        return max(self.records, key=lambda record: record.ended_at)

    @property
    def content(self) -> str:
        """A hash of the points."""
        text = json.dumps(self.points, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    @property
    def title(self) -> str:
        """The name of the run."""
        return f"{self.newest.cell.architecture} · all lengths"

    @property
    def tags(self) -> dict[str, str]:
        """The tags of the run; those of a probe name the processor."""
        newest = self.newest
        tags = {CONTENT: self.content, "lengthwise.status": "ok", **axis_tags(newest)}
        if newest.cell.mode is Mode.PROBE and (processor := newest.environment.get("processor")):
            tags["lengthwise.processor"] = str(processor)
        return tags

    @property
    def metrics(self) -> list[Metric]:
        """The points as MLflow metrics with step = sequence length."""
        timestamp = milliseconds(self.newest.ended_at)
        return [
            Metric(name, value, timestamp, length)
            for name, values in self.points.items()
            for length, value in values.items()
        ]

    @property
    def params(self) -> list[Param]:
        """The parameters that all records of the run share."""
        params = params_of(self.newest)
        return [Param(name, str(params[name])) for name in params if name in LENGTH_RUN_PARAMS]

    def page(self) -> str:
        """Return an HTML table of the points: a row per metric, a column per sequence length."""
        lengths = sorted({length for values in self.points.values() for length in values})
        template = _templates.get_template("by_length.html")
        return template.render(title=self.title, points=self.points, lengths=lengths)


def length_runs(records: Iterable[RecordSummary]) -> list[LengthRun]:
    """Return the length runs of the successful records.

    The records of one run differ only in sequence length, batch size, seed and round. Each machine
    has its own runs of probes.
    """
    groups: dict[str, list[RecordSummary]] = {}
    for record in records:
        if record.status is Status.OK:
            fields = asdict(record.cell)
            for name in REPEATED:
                del fields[name]
            identity = json.dumps(
                [fields, record.protocol, *probed_machine(record)], sort_keys=True
            )
            digest = hashlib.sha256(identity.encode()).hexdigest()
            groups.setdefault(f"lengths-{digest[:16]}", []).append(record)
    return [LengthRun(key, group) for key, group in sorted(groups.items())]
