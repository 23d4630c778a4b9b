"""Records → tidy frames: a row a record, and a row a point, which pools the repeats of a cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from suite.contracts import Metric, Status, Task
from suite.leaderboard import Entry, comparisons, figure, line_of, repeat_of, scores, standing
from suite.record import Record
from suite.setting import Setting
from suite.statistics import Estimate, ratio_interval

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
    Measure("training.matrix_rate_share", "Share of the machine's matrix rate", "%", 0.01, True),
)


@dataclass(frozen=True)
class Comparison:
    """Records that may be drawn in one picture. `measured_on` says whose costs are shown.

    Quality may come from several machines and numbers of threads; cost is pooled from one of
    them, that with most records.
    """

    setting: Setting
    metric: Metric | None
    entries: Sequence[Entry]
    measured_on: tuple[str, int]


def make_comparisons(entries: Iterable[Entry], tasks: Mapping[str, Task]) -> list[Comparison]:
    """Group the records, each group with the machine whose costs are shown."""
    made = []
    for setting, group in comparisons(entries, tasks).items():
        newest = max(entry.record.protocol for entry in group)
        group = standing((e for e in group if e.record.protocol == newest), tasks)
        machines = Counter((entry.owner, entry.record.cell.threads) for entry in group)
        measured_on = max(sorted(machines), key=machines.__getitem__)
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
                    "noisy": bool(record.details.get("noisy")),
                    "shows_cost": (entry.owner, cell.threads) == comparison.measured_on,
                    QUALITY: record.metric(comparison.metric.name) if comparison.metric else None,
                    **{measure.key: figure(record, measure.key) for measure in MEASURES},
                }
            )
    columns = ["comparison", "line", "architecture", "sequence_length", "batch_size", "repeat",
               "status", "reason", "run_id", "noisy", "shows_cost", QUALITY,
               *(measure.key for measure in MEASURES)]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def point_frame(
    made: Sequence[Comparison], records: pd.DataFrame, tasks: Mapping[str, Task]
) -> pd.DataFrame:
    """Return a row a point and measure: mean, ends of the 95% interval, n, and how many noisy.

    The mean is geometric where it is of a cost.

    A point's cost leaves out what was measured while something else ran, unless all was.
    """
    rows = []
    place = ["comparison", "line", "sequence_length", "batch_size"]
    good = records[records["status"] == Status.OK]
    for key, group in good.groupby(place, sort=True):
        shown = group[group["shows_cost"]]
        quiet = shown[~shown["noisy"]]
        noisy = len(shown) if quiet.empty else 0
        used = shown if quiet.empty else quiet
        for measure in MEASURES:
            values = [value for value in used[measure.key].dropna().tolist() if value > 0]
            if values:
                rows.append((*key, measure.key, *_ends(ratio_interval(values)), noisy))
    for number, comparison in enumerate(made):
        if metric := comparison.metric:
            points: dict[tuple[str, int, int], list[Record]] = {}
            for entry in comparison.entries:
                cell = entry.record.cell
                at = (line_of(entry, tasks), cell.sequence_length, cell.batch_size)
                points.setdefault(at, []).append(entry.record)
            for at, repeats in points.items():
                found = scores(repeats, metric)
                if found.by_seed:
                    rows.append((number, *at, QUALITY, *_ends(found.estimate()), 0))
    return pd.DataFrame(rows, columns=[*place, "measure", "value", "low", "high", "n", "noisy"])


def _ends(estimate: Estimate) -> tuple[float, float | None, float | None, int]:
    return estimate.value, estimate.low, estimate.high, estimate.n
