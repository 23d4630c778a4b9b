"""Length runs: one MLflow run per entry of a comparison, whose step is the sequence length.

Their values come from the analysis that tables, boards and the site use. The names of their metrics
say what the step is, because MLflow makes them the titles of its charts.
"""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from operator import attrgetter

from jinja2 import Environment, PackageLoader, StrictUndefined
from mlflow.entities import Metric, Param

from suite.analysis.comparisons import Comparison
from suite.analysis.entry_at_length import EntryAtLength
from suite.api import Mode
from suite.records.measures import DECLARED
from suite.records.schema import RecordSummary
from suite.tracking.experiments import CONTENT, milliseconds
from suite.tracking.runs import DISTURBED, PARAMS, axis_tags, params_of

Values = Mapping[str, Mapping[int, float]]
"""Metric → sequence length → value."""

NOT_CHARTED = ("compile_seconds", *(measure.name for measure in DECLARED if measure.keep == 0))
"""Measures that length runs leave out, to keep the number of charts in MLflow small."""
BY_LENGTH, BY_EVALUATION_LENGTH = " by sequence length", " by evaluation length"
"""The ends of the names of metrics, which say what their step is."""
PREFIX = "lengths-"
"""The start of every length run's key."""
LENGTH_RUN_PARAMS = frozenset(PARAMS) - {"sequence_length", "seed", "round", "batch_size"}


def values_by_length(entries: Iterable[EntryAtLength]) -> Values:
    """Return the values of one entry: scores, costs and the number of parameters.

    Scores are means over seeds, costs geometric means over quiet runs; the names of others begin
    with `DISTURBED`. If a length has points of several batch sizes, the largest batch counts. The
    scores at evaluation lengths of models trained at n are under a name with ".trained_at_n".
    """
    largest = {
        entry.sequence_length: entry for entry in sorted(entries, key=attrgetter("batch_size"))
    }
    values: dict[str, dict[int, float]] = {}
    for length, entry in sorted(largest.items()):
        for name, value in _values(entry):
            if value is not None:
                values.setdefault(f"{name}{BY_LENGTH}", {})[length] = value
        if entry.metric:
            name = f"{entry.split}.{entry.metric.name}.trained_at_{length}{BY_EVALUATION_LENGTH}"
            for evaluated, score in entry.by_evaluation_length.items():
                if not isinstance(score, str):
                    values.setdefault(name, {})[evaluated] = score.value
    return values


def _values(entry: EntryAtLength) -> Iterator[tuple[str, float | None]]:
    good = entry.good
    metrics = {
        (split, name)
        for record in good
        for split, of_split in record.metrics.items()
        for name in of_split
    }
    for split, name in sorted(metrics):
        if split == entry.split or split != "validation":
            values = [record.metric(name, split) for record in good]
            known = [value for value in values if value is not None]
            yield f"{split}.{name}", statistics.fmean(known) if known else None
    measures = {
        f"{phase}.{name}"
        for record in good
        for phase, measurements in record.measurements.items()
        for name in measurements
    }
    for measure in sorted(measures):
        if not measure.endswith(NOT_CHARTED):
            figure = entry.shown_cost(measure)
            mark = DISTURBED if figure and figure.is_disturbed else ""
            yield f"{mark}{measure}", figure.value if figure else None
    counts = [record.parameter_count for record in good if record.parameter_count is not None]
    if counts:
        yield "parameter_count", statistics.fmean(counts)


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
        stated = (
            {(name, str(value)) for name, value in params_of(record).items()}
            for record in self.records
        )
        shared = sorted(set.intersection(*stated))
        return [Param(name, value) for name, value in shared if name in LENGTH_RUN_PARAMS]

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
    runs = []
    for comparison in comparisons:
        for name, entries in comparison.by_entry().items():
            run = LengthRun(_key(comparison, name, writer), name, entries)
            if run.records:
                runs.append(run)
    return runs


def _key(comparison: Comparison, entry: str, writer: str) -> str:
    identity = json.dumps([asdict(comparison.key), entry], sort_keys=True)
    return f"{PREFIX}{hashlib.sha256(identity.encode()).hexdigest()[:16]}-{writer}"
