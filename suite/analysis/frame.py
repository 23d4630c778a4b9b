"""Records → one tidy DataFrame: a row for each run and measure of each comparison.

Beside the columns of `run_columns`, which state the run and its cell, the frame has

- `comparison`, the number of the comparison, and `entry`, the name of the entry in it;
- `repeat`, the seed of a training or the round of a probe;
- `superseded_by`: the reason why another run counts instead; "" for a valid run;
- `measure` and `value`: a score as "test.accuracy", a cost as "training.step_seconds", or the
  number of parameters. `is_primary` marks the score that the comparison ranks by.
  Scores at an evaluation length or of disturbed examples have measures of
  their own. A run without any measure has one row, without a value;
- `noisy`: whether other processes disturbed the measurement;
- `counts`: whether the value is compared: scores of runs that ended well, and quiet costs of the
  session that the entry's costs come from.

Everything that a page, a chart or a document shows of several runs is a group of these rows, and
`estimate_of` aggregates a group.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from suite.analysis.comparisons import Comparison
from suite.analysis.estimates import Estimate, mean_interval, ratio_interval
from suite.analysis.sessions import counts
from suite.api import Status
from suite.records.environment import machine_name
from suite.records.measures import CHARTED, QUALITY, is_cost, phase_of
from suite.records.schema import RecordSummary

if TYPE_CHECKING:
    import pandas


def to_frame(comparisons: Iterable[Comparison]) -> pandas.DataFrame:
    """Return a row for each run and measure of some comparisons."""
    import pandas  # not at the top: commands that only list or plan do not need pandas

    runs: list[dict[str, Any]] = []
    values: list[tuple[int, str, float, bool, bool, bool]] = []
    for number, comparison in enumerate(comparisons):
        for entry in comparison.entries:
            primary = f"{entry.split}.{entry.metric.name}" if entry.metric else ""
            session_runs = {id(run.record) for run in entry.session_runs.values()}
            for run, superseded_by in [*((run, "") for run in entry.runs), *entry.superseded]:
                record, row = run.record, len(runs)
                runs.append(
                    {
                        "comparison": number,
                        **run_columns(record),
                        "entry": entry.name,
                        "repeat": record.repeat,
                        "superseded_by": superseded_by,
                    }
                )
                is_good = record.status is Status.OK and not superseded_by
                in_session = id(record) in session_runs
                for measure, value in measured_values(record):
                    noisy, compared = False, is_good
                    if is_cost(measure):
                        noisy = not record.is_quiet(phase_of(measure))
                        compared = in_session and counts(record, phase_of(measure))
                    values.append((row, measure, value, noisy, compared, measure == primary))
    flags = ["noisy", "counts", "is_primary"]
    table = pandas.DataFrame(values, columns=["row", "measure", "value", *flags])
    frame = pandas.DataFrame(runs).join(table.set_index("row"))
    frame[flags] = frame[flags].eq(True)  # a run without any measure has none of them
    return frame


def run_columns(record: RecordSummary) -> dict[str, Any]:
    """Return the facts about a run and its cell by the name of their column."""
    return {
        "entry": record.ranking.entry,
        **record.cell.to_dict(),
        "status": str(record.status),
        "reason": record.reason,
        "learning_rate": record.ranking.learning_rate,
        "noisy_phases": ", ".join(record.details.get("noisy", ())),
        "machine": machine_name(record.environment),
        "cost_digest": record.environment.get("cost_digest"),
        "invocation": record.invocation.id,
        "run_id": record.run_id,
    }


def measured_values(record: RecordSummary) -> Iterator[tuple[str, float]]:
    """Yield the name and the value of each measure of a run: scores, costs and parameters."""
    for split in ("validation", "test"):
        yield from _named(split, record.metrics.get(split, {}))
    for split, reports in record.reports.items():
        for length, figures in reports.get("by_evaluation_length", {}).items():
            if not isinstance(figures, str):
                yield from _named(split, figures, f"_at_{length}")
    metric = record.ranking.metric or ""
    for condition, by_split in record.conditions.items():
        for split, scores in by_split.items():
            yield from _named(split, {metric: scores.get(metric)}, f" ({condition})")
    yield from record.costs().items()
    if record.parameter_count is not None:
        yield "parameter_count", record.parameter_count


def _named(
    split: str, figures: Mapping[str, float | None], suffix: str = ""
) -> Iterator[tuple[str, float]]:
    for name, value in figures.items():
        if value is not None:
            yield f"{split}.{name}{suffix}", value


def estimate_of(measure: str, values: Sequence[float]) -> Estimate:
    """Return the mean of a measure over runs; that of a cost is geometric."""
    return ratio_interval(values) if is_cost(measure) else mean_interval(values)


def to_figures(comparisons: Iterable[Comparison]) -> pandas.DataFrame:
    """Return a row for each entry at a length and measure: the figure, its interval, n, the noise.

    The measures are the charted costs, and `QUALITY` for the primary metric. `noisy` counts the
    runs with a noisy phase, which are never aggregated.
    """
    import pandas

    rows = []
    for number, comparison in enumerate(comparisons):
        for entry in sorted(comparison.entries, key=lambda one: (one.name, one.sequence_length)):
            figures = {measure: entry.cost(measure) for measure in CHARTED}
            for measure, figure in [*figures.items(), (QUALITY, entry.score())]:
                if figure:
                    noisy = 0 if measure == QUALITY else entry.num_noisy
                    ends = figure.value, figure.low, figure.high, figure.n
                    rows.append((number, entry.name, *entry.place, measure, *ends, noisy))
    columns = ["comparison", "entry", "sequence_length", "batch_size", "measure"]
    return pandas.DataFrame(rows, columns=[*columns, "value", "low", "high", "n", "noisy"])
