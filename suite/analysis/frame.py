"""Records → one tidy DataFrame: a row for each run and measure of each entry at a length.

Every figure of several runs is a group of its rows. The columns of `Comparison.frame` are

- `group`, `run` and `stored`: the numbers of the entry at a length and of the run, and its record;
- `entry`, `sequence_length`, `batch_size`, and `repeat`: the seed of a training or the round of a
  probe;
- `superseded_by`: the reason why another run counts instead, "" for a valid run, and "another
  session" for a run that is there for its session alone;
- `session`: the session; `in_session` marks the one that the entry's costs come from, and `is_like`
  the sessions on machines equal to that one's;
- `measure` and `value`: a score as "test.accuracy", a cost as "training.step_seconds", or the
  number of parameters. Scores at an evaluation length or of disturbed examples have measures of
  their own. `is_primary` marks the score that the comparison ranks by. A run without any measure
  has one row, without a value;
- `noisy`: whether other processes disturbed the measurement;
- `usable`: whether a cost stands for its session, because it is of the newest code and of one run;
- `counts`: whether the value is compared: scores of runs that ended well, and usable costs of the
  session that the entry's costs come from, unless they are noisy.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from suite.analysis.estimates import Estimate, Figure, mean_interval, ratio_interval, variance
from suite.analysis.sessions import CostSession, is_whole
from suite.api import Status
from suite.records.environment import machine_name
from suite.records.measures import CHARTED, COUNTED, QUALITY, is_cost, phase_of
from suite.records.schema import RecordSummary

if TYPE_CHECKING:
    import pandas

    from suite.analysis.comparisons import Comparison
    from suite.analysis.entry_at_length import EntryAtLength

PLACE = ["entry", "sequence_length", "batch_size"]
"""The columns that tell the entries at a length of a comparison apart."""
OF_RUN = ["repeat", "superseded_by", "session", "in_session", "is_like"]
COLUMNS = ["group", "run", "stored", *PLACE, *OF_RUN]
FLAGS = ["noisy", "usable", "counts", "is_primary"]


def make_frame(entries: Sequence[EntryAtLength]) -> pandas.DataFrame:
    """Return the frame of entries, whose numbers are their groups, and fill in their costs."""
    import pandas  # not at the top: commands that only list or plan do not need pandas

    runs: list[tuple[Any, ...]] = []
    values: list[tuple[int, str, float, bool, bool, bool, bool]] = []
    for group, entry in enumerate(entries):
        primary = f"{entry.split}.{entry.metric.name}" if entry.metric else ""
        valid = {id(run): run for run in entry.runs}
        in_sessions = {
            id(run): (run, session)
            for session, by_repeat in entry.runs_by_session.items()
            for run in by_repeat.values()
        }
        for key in valid | in_sessions:
            run, session = in_sessions.get(key) or (valid[key], None)
            record, number = run.record, len(runs)
            in_session = session is not None and session == entry.session
            is_like = session and entry.session and session.is_on_machine_of(entry.session)
            reason = entry.superseded_by if key in valid else "another session"
            of_run = record.repeat, reason, session, in_session, bool(is_like)
            runs.append((group, number, run, entry.name, *entry.place, *of_run))
            is_good = key in valid and record.status is Status.OK and not entry.superseded_by
            for measure, value in measured_values(record):
                noisy, usable, compared = False, False, is_good
                if is_cost(measure):
                    phase = phase_of(measure)
                    noisy = not record.is_quiet(phase)
                    usable = session is not None and is_whole(record, phase)
                    compared = usable and in_session and not noisy
                flags = noisy, usable, compared, measure == primary
                values.append((number, measure, value, *flags))
    table = pandas.DataFrame(values, columns=["run", "measure", "value", *FLAGS])
    frame = pandas.DataFrame(runs, columns=COLUMNS).merge(table, how="left", on="run")
    marks = ["in_session", "is_like", *FLAGS]
    # A run without any measure has no mark.
    frame = frame.assign(**{mark: frame[mark].eq(True) for mark in marks})
    costs = frame[frame["usable"] & ~frame["noisy"]]
    for (group, measure), figure in cost_figures(costs, ["group"]).items():
        entries[group].costs[measure] = figure
    disturbed = cost_figures(frame[frame["usable"] & frame["noisy"]], ["group"])
    for (group, measure), figure in disturbed.items():
        entries[group].disturbed[measure] = replace(figure, is_disturbed=True)
    positive = costs[costs["counts"] & (costs["value"] > 0)]
    columns = (positive[name].tolist() for name in ("group", "measure", "repeat", "value"))
    for group, measure, repeat, value in zip(*columns, strict=True):
        entries[group].cost_values.setdefault(measure, {})[repeat] = value
    superseded = [group for group, entry in enumerate(entries) if entry.superseded_by]
    return frame.assign(usable=frame["usable"] & ~frame["group"].isin(superseded))


def cost_figures(costs: pandas.DataFrame, by: Sequence[str]) -> dict[tuple[Any, ...], Figure]:
    """Return the geometric means of the costs of the entries' sessions, by columns and measure.

    `sessions` and `between_sessions` are those of the sessions on equal machines. A cost of 0 is
    left out; the figure of a counted size may be 0.
    """
    columns = (*by, "measure", "session", "in_session", "is_like", "value")
    by_session: dict[tuple[Any, ...], dict[CostSession, list[float]]] = {}
    in_sessions: dict[tuple[Any, ...], list[float]] = {}
    for *names, session, in_session, is_like, value in zip(
        *(costs[name].tolist() for name in columns), strict=True
    ):
        place = tuple(names)
        if is_like and value > 0:
            by_session.setdefault(place, {}).setdefault(session, []).append(value)
        if in_session and value >= 0:
            in_sessions.setdefault(place, []).append(value)
    figures = {}
    for place, values in in_sessions.items():
        if positive := [value for value in values if value > 0]:
            means = map(statistics.geometric_mean, by_session[place].values())
            logs = [math.log(mean) for mean in means]
            deviation = math.sqrt(variance(logs)) if len(logs) > 1 else None
            facts = {"sessions": len(logs), "between_sessions": deviation}
            figures[place] = Figure.of(ratio_interval(positive), positive, **facts)
        elif place[-1] in COUNTED:
            figures[place] = Figure.of(mean_interval(values), values)
    return figures


def to_frame(comparisons: Iterable[Comparison]) -> pandas.DataFrame:
    """Return the frames of comparisons as one, with the columns of `run_columns`."""
    import pandas

    frames = [
        comparison.frame.assign(comparison=number) for number, comparison in enumerate(comparisons)
    ]
    if not frames:
        return pandas.DataFrame(columns=["comparison", *COLUMNS, "measure", "value", *FLAGS])
    frame = pandas.concat(frames)
    runs = frame.drop_duplicates("run").set_index("run")["stored"]
    facts = pandas.DataFrame([run_columns(run.record) for run in runs], index=runs.index)
    others = facts.drop(columns=facts.columns.intersection(frame.columns))
    return frame.drop(columns="stored").join(others, on="run").reset_index(drop=True)


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
    """Return a row for each entry at a length and measure: the figure, its interval, and n.

    The measures are the charted costs, and `QUALITY` for the primary metric. `disturbed` marks the
    costs that only noisy runs measured.
    """
    rows = []
    for number, comparison in enumerate(comparisons):
        for entry in sorted(comparison.entries, key=lambda item: (item.name, item.sequence_length)):
            figures = {measure: entry.shown_cost(measure) for measure in CHARTED}
            for measure, figure in [*figures.items(), (QUALITY, entry.score)]:
                if figure:
                    facts = figure.value, figure.low, figure.high, figure.n, figure.is_disturbed
                    rows.append((number, entry.name, *entry.place, measure, *facts))
    return frame_of_figures(rows)


def frame_of_figures(rows: Sequence[tuple[Any, ...]]) -> pandas.DataFrame:
    """Return rows with the columns of `to_figures` as a frame."""
    import pandas

    columns = ["comparison", *PLACE, "measure", "value", "low", "high", "n", "disturbed"]
    return pandas.DataFrame(rows, columns=columns).astype({"disturbed": bool})  # also without rows
