"""Records → tidy frames: a row a record, and a row a point, which pools the repeats of a cell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from suite.analysis.boards import (
    Entry,
    comparisons,
    figure,
    line_of,
    newest_rules,
    repeat_of,
    scores,
    standing,
)
from suite.analysis.grouping import ComparisonKey, Place, place_of_most, rules_of
from suite.analysis.statistics import Estimate, ratio_interval
from suite.api import Metric, Status, Task
from suite.records.schema import RecordSummary

MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True)
class Measure:
    """What can be drawn: its name in the record, its title, the unit, and what divides it."""

    key: str
    title: str
    unit: str
    scale: float = 1.0
    higher_is_better: bool = False


QUALITY = "quality"
"""The key of the task's primary metric on test, which has another name in each task."""

MEASURES = (
    Measure("training.tokens_per_second", "Training throughput", "tokens/s", 1, True),
    Measure("training.peak_memory_bytes", "Peak training memory", "MiB", MEBIBYTE),
    Measure("inference.tokens_per_second", "Inference throughput", "tokens/s", 1, True),
    Measure("inference.peak_memory_bytes", "Peak inference memory", "MiB", MEBIBYTE),
    Measure("inference.latency_p50_seconds", "Latency of one sequence, median", "ms", 1e-3),
    Measure("training.step_seconds", "Time of a training step", "s"),
    Measure(
        "training.model_flops_utilization", "Share of the machine's matrix rate", "%", 0.01, True
    ),
)


@dataclass(frozen=True)
class Comparison:
    """Records that may be drawn in one picture. `measured_on` says whose costs are shown.

    Quality may come from several machines and numbers of threads; cost is pooled from one of
    them, that with most records.
    """

    setting: ComparisonKey
    metric: Metric | None
    entries: Sequence[Entry]
    measured_on: Place

    def cost_records(self, repeats: Sequence[Entry]) -> list[RecordSummary]:
        """Return those of a point's records whose costs are shown.

        What was measured while something else ran is left out, unless all was.
        """
        return self.quiet_records(repeats) or self._measured(repeats)

    def quiet_records(self, entries: Iterable[Entry]) -> list[RecordSummary]:
        """Return those whose costs are evidence, of any points: measured while nothing else ran."""
        return [record for record in self._measured(entries) if record.quiet]

    def _measured(self, entries: Iterable[Entry]) -> list[RecordSummary]:
        return [
            entry.record
            for entry in entries
            if entry.record.status is Status.OK
            and (entry.machine, entry.record.cell.threads) == self.measured_on
        ]


def make_comparisons(entries: Iterable[Entry], tasks: Mapping[str, Task]) -> list[Comparison]:
    """Group the records, each group with the machine whose costs are shown."""
    made = []
    for setting, group in comparisons(entries, tasks).items():
        rules = newest_rules((entry.record for entry in group), tasks)
        group = standing((entry for entry in group if rules_of(entry.record) == rules), tasks)
        if not group:
            continue  # all of it ran under rules that are no more
        measured_on = place_of_most((entry.machine, entry.record.cell.threads) for entry in group)
        task = tasks.get(setting.task)
        made.append(Comparison(setting, task.primary_metric if task else None, group, measured_on))
    return made


def record_frame(made: Sequence[Comparison], tasks: Mapping[str, Task]) -> pd.DataFrame:
    """Return a row a record: where it belongs, what became of it, and its figures."""
    rows = []
    for number, comparison in enumerate(made):
        for entry in comparison.entries:
            record, cell = entry.record, entry.record.cell
            rows.append(
                {
                    "comparison": number,
                    "line": line_of(entry, tasks),
                    "architecture": cell.architecture,
                    "sequence_length": cell.sequence_length,
                    "batch_size": cell.batch_size,
                    "repeat": repeat_of(record),
                    "status": str(record.status),
                    "reason": record.reason or "",
                    "run_id": record.run_id,
                    QUALITY: record.metric(comparison.metric.name) if comparison.metric else None,
                    **{measure.key: figure(record, measure.key) for measure in MEASURES},
                }
            )
    columns = ["comparison", "line", "architecture", "sequence_length", "batch_size", "repeat",
               "status", "reason", "run_id", QUALITY,
               *(measure.key for measure in MEASURES)]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def point_frame(made: Sequence[Comparison], tasks: Mapping[str, Task]) -> pd.DataFrame:
    """Return a row a point and measure: mean, ends of the 95% interval, n, and how many noisy.

    The mean is geometric where it is of a cost.
    """
    rows: list[tuple[object, ...]] = []
    for number, comparison in enumerate(made):
        points: dict[tuple[str, int, int], list[Entry]] = {}
        for entry in comparison.entries:
            cell = entry.record.cell
            at = (line_of(entry, tasks), cell.sequence_length, cell.batch_size)
            points.setdefault(at, []).append(entry)
        for at, repeats in sorted(points.items()):
            rows += [(number, *at, *row) for row in _measures_of(comparison, repeats)]
    columns = ["comparison", "line", "sequence_length", "batch_size"]
    columns += ["measure", "value", "low", "high", "n", "noisy"]
    return pd.DataFrame(rows, columns=columns)


def _measures_of(
    comparison: Comparison, repeats: Sequence[Entry]
) -> Iterator[tuple[str, float, float | None, float | None, int, int]]:
    """Yield a point's measures: the key, the estimate, and how many of them were noisy."""
    shown = comparison.cost_records(repeats)
    noisy = sum(not record.quiet for record in shown)
    for measure in MEASURES:
        figures = [figure(record, measure.key) for record in shown]
        if known := [value for value in figures if value is not None and value > 0]:
            yield (measure.key, *_ends(ratio_interval(known)), noisy)
    if comparison.metric:
        found = scores((entry.record for entry in repeats), comparison.metric)
        if found.by_seed:
            yield (QUALITY, *_ends(found.estimate()), 0)


def _ends(estimate: Estimate) -> tuple[float, float | None, float | None, int]:
    return estimate.value, estimate.low, estimate.high, estimate.n
