"""The values of length runs, taken from the analysis that tables, boards and the site use."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping

from suite.analysis.comparisons import Comparison, compare
from suite.analysis.entry_at_length import EntryAtLength
from suite.api.plugins import search_path_from_environment
from suite.matrix.registry import load_registry
from suite.records.measures import DECLARED
from suite.records.published import local_record
from suite.records.store import Store

Values = Mapping[str, Mapping[int, float]]
"""Metric → sequence length → value."""

NOT_CHARTED = ("compile_seconds", *(measure.name for measure in DECLARED if measure.keep == 0))
"""Measures that length runs leave out, to keep the number of charts in MLflow small."""


def read_comparisons(store: Store) -> list[Comparison]:
    """Return the comparisons of a home's records."""
    records = [local_record(record, store.path_of(record)) for record in store.summaries()]
    registry = load_registry(search_path_from_environment())
    return compare(records, registry.task_versions)


def values_by_length(entries: Iterable[EntryAtLength]) -> Values:
    """Return the values of one entry: scores, costs and the number of parameters.

    Scores are means over seeds. Costs are geometric means over quiet runs; a length without a quiet
    run has no cost. If a length has points of several batch sizes, the largest batch counts.

    The scores of the models trained at a length n also have values by evaluation length, under a
    name that ends with ".trained_at_n".
    """
    largest = {entry.sequence_length: entry for entry in sorted(entries, key=_batch_size)}
    found: dict[str, dict[int, float]] = {}
    for length, entry in sorted(largest.items()):
        for name, value in _values(entry):
            if value is not None:
                found.setdefault(name, {})[length] = value
        if entry.metric:
            name = f"{entry.split}.{entry.metric.name}.trained_at_{length}"
            for evaluated, score in entry.by_evaluation_length.items():
                if not isinstance(score, str):
                    found.setdefault(name, {})[evaluated] = score.value
    return found


def _batch_size(entry: EntryAtLength) -> int:
    return entry.batch_size


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
            yield measure, entry.cost_value(measure)
    counts = [record.parameter_count for record in good if record.parameter_count is not None]
    if counts:
        yield "parameter_count", statistics.fmean(counts)
