"""Length runs: one MLflow run per entry of a comparison, whose step is the sequence length."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

from jinja2 import Environment, PackageLoader, StrictUndefined
from mlflow.entities import Metric, Param

from suite.analysis.comparisons import Comparison
from suite.analysis.entry_at_length import EntryAtLength
from suite.api import Mode
from suite.records.schema import RecordSummary
from suite.tracking.experiments import CONTENT, milliseconds
from suite.tracking.points import Values, values_by_length
from suite.tracking.runs import PARAMS, axis_tags, params_of

PREFIX = "lengths-"
"""The start of every length run's key."""
LENGTH_RUN_PARAMS = frozenset(PARAMS) - {"sequence_length", "seed", "round", "batch_size"}

_templates = Environment(
    loader=PackageLoader("suite.tracking"), autoescape=True, undefined=StrictUndefined
)


@dataclass(frozen=True)
class LengthRun:
    """The content of the length run of one entry. `key` identifies comparison, entry, home."""

    key: str
    entry: str
    entries: Sequence[EntryAtLength]

    @cached_property
    def values(self) -> Values:
        """The value of each metric at each sequence length."""
        return values_by_length(self.entries)

    @cached_property
    def records(self) -> list[RecordSummary]:
        """The successful records, the latest last."""
        good = [record for entry in self.entries for record in entry.good]
        return sorted(good, key=lambda record: record.run_id)

    @property
    def newest(self) -> RecordSummary:
        """The record of the last run."""
        return self.records[-1]

    @property
    def content(self) -> str:
        """A hash of the values."""
        text = json.dumps(self.values, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    @property
    def title(self) -> str:
        """The name of the run: its entry, its benchmark, and "trials" for runs without a test."""
        cell = self.newest.cell
        kind = ["trials"] if cell.mode is Mode.TRAIN and not cell.scores_test else []
        benchmark = [cell.benchmark] if cell.benchmark else []
        return " · ".join([self.entry, *benchmark, *kind, "all lengths"])

    @property
    def tags(self) -> dict[str, str]:
        """The tags of the run; those of a probe name the processor."""
        newest = self.newest
        tags = {CONTENT: self.content, "lengthwise.status": "ok", **axis_tags(newest)}
        processor = newest.environment.get("processor")
        if newest.cell.mode is not Mode.TRAIN and processor:
            tags["lengthwise.processor"] = str(processor)
        return tags

    @property
    def metrics(self) -> list[Metric]:
        """The values as MLflow metrics with step = sequence length."""
        timestamp = milliseconds(self.newest.ended_at)
        return [
            Metric(name, value, timestamp, length)
            for name, by_length in self.values.items()
            for length, value in by_length.items()
        ]

    @property
    def params(self) -> list[Param]:
        """The parameters that all records of the run share."""
        shared = set.intersection(*(set(_params(record).items()) for record in self.records))
        return [Param(name, value) for name, value in sorted(shared)]

    def page(self) -> str:
        """Return an HTML table of the values: a row per metric, a column per sequence length."""
        lengths = sorted({length for by_length in self.values.values() for length in by_length})
        template = _templates.get_template("by_length.html")
        return template.render(title=self.title, rows=self.values, lengths=lengths)


def length_runs(comparisons: Iterable[Comparison], writer: str) -> list[LengthRun]:
    """Return a length run for each entry with a successful record in each comparison.

    `writer` is the identity of the home. Its keys differ from those of other homes, which have
    other seeds.
    """
    found = []
    for comparison in comparisons:
        for name, entries in comparison.by_entry().items():
            run = LengthRun(_key(comparison, name, writer), name, entries)
            if run.records:
                found.append(run)
    return found


def is_length_run(key: str, writer: str) -> bool:
    """Return whether a key is that of a length run of a home."""
    return key.startswith(PREFIX) and key.endswith(f"-{writer}")


def _key(comparison: Comparison, entry: str, writer: str) -> str:
    identity = json.dumps([asdict(comparison.key), entry], sort_keys=True)
    return f"{PREFIX}{hashlib.sha256(identity.encode()).hexdigest()[:16]}-{writer}"


def _params(record: RecordSummary) -> dict[str, str]:
    params = params_of(record)
    return {name: str(value) for name, value in params.items() if name in LENGTH_RUN_PARAMS}
