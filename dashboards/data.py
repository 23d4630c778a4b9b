"""The rows and columns of the pages, from the results of the analysis. No figure is computed here.

The pages know an entry and a comparison by its place in the list of `data/index.js`, and a measure
by its number (`dashboards.scripts.MEASURE_NUMBERS`). Tables of many rows are written in columns. An
estimate of a chart is a list: the value, the ends of its interval, and the number of repeats.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dashboards.scripts import MEASURE_NUMBERS, estimate_row, shorten
from dashboards.styles import style_entries
from dashboards.words import TASKS
from suite.analysis.boards import Board, Row, shown_estimate
from suite.analysis.comparison_key import ComparisonKey, ComparisonKind, baseline_keys
from suite.analysis.comparisons import Comparison
from suite.analysis.cost_ratios import backend_ratios
from suite.analysis.diagnostic_charts import ChartSection, make_charts
from suite.analysis.diagnostics import abilities, find_diagnostics
from suite.analysis.estimates import Estimate
from suite.analysis.frame import frame_of_figures
from suite.analysis.growth import growths
from suite.analysis.history import history
from suite.analysis.learning_rates import SearchSummary
from suite.analysis.method_effects import condition_scores, data_size_scores, method_effects
from suite.analysis.pairwise import pair_crossings, pair_differences
from suite.analysis.predictions import predicted_costs
from suite.analysis.reports import grouped_reports
from suite.analysis.tradeoffs import comparable_shares, interquartile_mean
from suite.api import PROTOCOL, Architecture, Mode, Task, Track
from suite.records.measures import CHARTED, PRICES, score_decimals

if TYPE_CHECKING:
    import pandas

Numbers = Mapping[str, int]
"""The place of each entry in the list of entries."""
Columns = dict[str, list[Any]]
PLACE = {"sequence_length": "length", "batch_size": "batch"}
"""The short names of columns in the data of the pages."""
TRAINING_COSTS = list(CHARTED)[:2]
"""The costs of training: those that cross, and whose history is drawn."""
TRAIN = "bench run --benchmark diagnostics"
SECTIONS: Mapping[ChartSection, tuple[str, str]] = {
    ChartSection.RECALL: (
        "Recall against the decoding state",
        f"{TRAIN} --task associative_recall",
    ),
    ChartSection.STATES: ("State tracking", f"{TRAIN} --task state_tracking"),
    ChartSection.LENGTHS: (
        "Extrapolation beyond the training length",
        f"{TRAIN} --task induction_heads",
    ),
    ChartSection.DEPTHS: ("Retrieval by depth", f"{TRAIN} --task key_value_retrieval"),
    ChartSection.DECODING: ("Cost of decoding against the context", "bench run --mode decode"),
}
"""The title of each section of diagnostics, and a command whose records it draws."""


def columns(rows: Iterable[Mapping[str, Any]]) -> Columns:
    """Return rows as columns, with shortened numbers."""
    rows = list(rows)
    return {name: [shorten(row[name]) for row in rows] for name in rows[0]} if rows else {}


def make_entries(
    frame: pandas.DataFrame,
    searches: Iterable[SearchSummary],
    architectures: Mapping[str, Architecture],
) -> list[dict[str, Any]]:
    """Return each entry with its style: those of valid runs in a frame, and those of searches."""
    shown = frame.loc[frame["superseded_by"] == "", ["architecture", "entry"]].drop_duplicates()
    tuned = [(search.architecture, search.entry) for search in searches]
    pairs = [*shown.itertuples(index=False, name=None), *tuned]
    entries = []
    for style in style_entries(pairs, architectures):
        part = architectures.get(style["architecture"])
        about = ". ".join(filter(None, (part.title, part.paper))) if part else ""
        entries.append({**style, "control": bool(part and part.control), "about": about})
    return entries


def describe(comparison: Comparison, name: str, subject: str) -> dict[str, Any]:
    """Return the properties of a comparison that the pages show.

    The name is short and unique among the comparisons of the subject.
    """
    key, metric = comparison.key, comparison.metric
    machine, threads = comparison.measured_on
    newest = max(comparison.records, key=lambda record: record.run_id)
    same = ("kind", "form", "mode", "model_size", "steps", "benchmark", "track", "split",
            "precision", "backend", "batch")  # fmt: skip
    return {
        **{name: getattr(key, name) for name in same},
        "name": name,
        "subject": subject,
        "task": key.task or f"{key.mode}, {key.form_text}",
        "source": key.source or "random tokens",
        "why_unranked": key.unranked_reason or "",
        "model": comparison.model_text,
        "command": newest.invocation.command if key.is_own_data else "",
        "machine": machine,
        "threads": threads,
        "session": comparison.sessions_text,
        "protocol": max((record.protocol for record in comparison.records), default=PROTOCOL),
        "metric": metric.name if metric else "",
        "higher_is_better": metric.higher_is_better if metric else True,
        "share": metric.share if metric else False,
        "decimals": score_decimals(
            figure.value for entry in comparison.entries if metric and (figure := entry.score)
        ),
    }


def run_columns(frame: pandas.DataFrame, numbers: Numbers) -> Columns:
    """Return the place and the status of the valid runs of a frame (`analysis.frame.to_frame`)."""
    valid = frame[frame["superseded_by"] == ""]
    runs = valid.drop_duplicates(["comparison", "run_id"])
    shown = ["comparison", *PLACE, "status", "reason", "run_id"]
    named = runs[shown].rename(columns={**PLACE, "run_id": "run"}).fillna({"reason": ""})
    return _shortened(named.assign(entry=runs["entry"].map(numbers)))


def figure_columns(figures: pandas.DataFrame, numbers: Numbers) -> Columns:
    """Return figures (`suite.analysis.frame.to_figures`)."""
    numbered = {
        "entry": figures["entry"].map(numbers),
        "measure": figures["measure"].map(MEASURE_NUMBERS),
    }
    return _shortened(figures.assign(**numbered).rename(columns=PLACE))


def _shortened(frame: pandas.DataFrame) -> Columns:
    return {str(name): [*map(shorten, frame[name].tolist())] for name in frame}


def board_rows(
    boards: Sequence[Board], comparisons: Sequence[Comparison], numbers: Numbers
) -> list[Any]:
    """Return the boards with their rows. Differences of costs are ratios.

    Entries without a valid run are left out. The files of the leaderboard list them.
    """
    number_of = {comparison.key: number for number, comparison in enumerate(comparisons)}
    return [
        {
            "comparison": number_of[board.key],
            "length": board.sequence_length,
            "batch": board.batch_size,
            "metric": board.metric.name,
            "detectable": shorten(board.detectable),
            "rows": columns(
                {
                    "entry": numbers[row.entry],
                    "rank": row.rank,
                    **_shown(row, board),
                    "detectable": board.in_unit(row.detectable_difference),
                    "note": row.note,
                    "superseded": row.superseded_by,
                    "parameters": row.parameter_count,
                    "seconds": row.worker_seconds,
                    "date": str(row.measured_on),
                    "run": row.run_ids[0],
                    "digest": row.cost_digest or "",
                    "sessions": row.sessions,
                    "between": row.between_sessions,
                    "tested": {
                        str(length): score if isinstance(score, str) else _tested(score)
                        for length, score in row.by_evaluation_length.items()
                    },
                }
                for row in board.rows
                if row.entry in numbers
            ),
        }
        for board in boards
        if board.key in number_of
    ]


def _ends(estimate: Estimate) -> dict[str, Any]:
    return dict(zip(("value", "low", "high", "n"), estimate_row(estimate), strict=False))


def _shown(row: Row, board: Board) -> dict[str, Any]:
    figure = shown_estimate(row, board.metric)
    ends = _ends(figure or Estimate(math.nan))
    return {**ends, "disturbed": bool(figure and figure.is_disturbed)}


def _tested(score: Any) -> dict[str, Any]:
    return {**_ends(score), "missing": score.missing}


def report_rows(comparisons: Sequence[Comparison], numbers: Numbers) -> list[dict[str, Any]]:
    """Return the reports by group of each comparison, length and entry.

    A report has its name, for each figure the points by group, and the reasons why the model has no
    figures at some evaluation lengths.
    """
    found = []
    for number, comparison in enumerate(comparisons):
        for report in grouped_reports(comparison):
            figures: dict[str, list[Any]] = {}
            for group, named in report.figures.items():
                for name, figure in named.items():
                    figures.setdefault(name, []).append([group, *estimate_row(figure)])
            found.append(
                {
                    "comparison": number,
                    "length": report.sequence_length,
                    "entry": numbers[report.entry],
                    "name": report.name,
                    "figures": figures,
                    "reasons": dict(report.reasons),
                }
            )
    return found


def make_findings(
    comparisons: Sequence[Comparison],
    figures: pandas.DataFrame,
    boards: Sequence[Board],
    architectures: Mapping[str, Architecture],
) -> dict[str, Any]:
    """Return growth with length, crossings, pairs, ratios of backends, and the best shares."""
    shares = comparable_shares(boards)
    numbered = list(enumerate(comparisons))
    probes = [item for item in numbered if item[1].key.mode is not Mode.TRAIN]
    return {
        "growth": columns(
            {
                "comparison": number,
                "entry": item.entry,
                "measure": item.measure,
                **_ends(item.exponent or Estimate(math.nan)),
                "rounds": item.rounds,
                "first": item.shortest,
                "last": item.longest,
                "claim": item.claim,
                "contradicted": item.contradicted,
                "disturbed": item.is_disturbed,
            }
            for number, comparison in probes
            for item in growths(comparison, architectures)
            if item.slope is None
        ),
        "crossings": columns(
            {
                "comparison": number,
                "measure": item.measure,
                "behind": item.behind,
                "ahead": item.ahead,
                "changes": [_ends(change) for change in item.changes],
                "first": item.shortest,
                "last": item.longest,
            }
            for number, comparison in probes
            for measure in TRAINING_COSTS
            for item in pair_crossings(comparison, measure)
        ),
        "pairs": columns(
            {
                "comparison": number,
                "measure": MEASURE_NUMBERS[item.measure],
                "length": item.sequence_length,
                "batch": item.batch_size,
                "first": item.first,
                "second": item.second,
                **_ends(item.estimate),
                "better": item.better,
            }
            for number, comparison in numbered
            for item in pair_differences(comparison, list(CHARTED))
        ),
        "backends": columns(_backends(probes)),
        "shares": {
            entry: [interquartile_mean(values), len(values)] for entry, values in shares.items()
        },
    }


def _backends(probes: Sequence[tuple[int, Comparison]]) -> list[dict[str, Any]]:
    """Compare probes of several backends or precisions with the baseline on the same machine."""
    by_key = {comparison.key: (number, comparison) for number, comparison in probes}
    baselines = baseline_keys(by_key)
    found = []
    for key, (number, comparison) in by_key.items():
        base, baseline = by_key[baselines[key]]
        if base != number and comparison.measured_on == baseline.measured_on:
            found += [
                {"comparison": number, "baseline": base, **item.to_dict()}
                for item in backend_ratios(comparison, baseline)
            ]
    return found


def make_predictions(
    comparisons: Sequence[Comparison], sources: Sequence[Sequence[int]]
) -> pandas.DataFrame:
    """Return predicted costs, as rows of `to_figures`.

    A fit takes 10 ms, so they are those of the preferred probes and decodings of each training, and
    of each form and engine. The lengths of the trainings are among the predicted ones.
    """
    wanted: dict[int, set[int]] = {}
    forms: dict[Any, int] = {}
    for number, comparison in enumerate(comparisons):
        key = comparison.key
        if key.kind is ComparisonKind.COSTS and key.track == Track.STANDARD:
            place = key.mode, key.form, key.backend, key.precision
            wanted.setdefault(forms.setdefault(place, number), set())
        modes: dict[Mode, int] = {}
        for source in sources[number]:
            first = modes.setdefault(comparisons[source].key.mode, source)
            lengths = {entry.sequence_length for entry in comparison.entries}
            wanted.setdefault(first, set()).update(lengths)
    return frame_of_figures(
        [
            (number, *one, 0, False)
            for number, lengths in sorted(wanted.items())
            for one in predicted_costs(comparisons[number], lengths)
            if one.measure in CHARTED
        ]
    )


def make_history(comparisons: Sequence[Comparison], numbers: Numbers) -> Columns:
    """Return how the figures of trainings moved over commits."""
    return columns(
        {
            "comparison": number,
            "entry": numbers[one.entry],
            "length": one.sequence_length,
            "measure": MEASURE_NUMBERS[one.measure],
            "commit": f"{one.day} {one.commit}",
            **_ends(one.estimate),
        }
        for number, comparison in enumerate(comparisons)
        if comparison.key.mode is Mode.TRAIN
        for one in history(comparison, TRAINING_COSTS)
        if one.entry in numbers
    )


def make_diagnostics(
    comparisons: Sequence[Comparison], numbers: Numbers, tasks: Mapping[str, Task]
) -> dict[str, Any]:
    """Return the sections of diagnostics with their charts, and the rows of the table.

    `comparisons` are in the order in which the pages prefer them.
    """
    number_of = {comparison.key: number for number, comparison in enumerate(comparisons)}
    diagnostics = find_diagnostics(comparisons, tasks)
    able = abilities(diagnostics)
    charts: dict[ChartSection, list[Any]] = {section: [] for section in SECTIONS}
    for chart in make_charts(diagnostics, comparisons):
        charts[chart.section].append(
            {
                "title": chart.title,
                "measure": chart.measure,
                "against": chart.against,
                "comparison": number_of[chart.key],
                "length": chart.sequence_length,
                "entry": numbers.get(chart.entry),
                "entries": [
                    {
                        "name": line.name,
                        "entry": numbers.get(line.name),
                        "points": _points(line.figures),
                        "reasons": dict(line.reasons),
                    }
                    for line in chart.lines
                ],
                "share": chart.is_share,
                "note": chart.note,
                "guesses": list(chart.guesses.items()),
            }
        )
    return {
        "sections": [
            {"title": title, "command": command, "charts": charts[section]}
            for section, (title, command) in SECTIONS.items()
        ],
        "abilities": {name: {e: a._asdict() for e, a in own.items()} for name, own in able.items()},
        "tasks": [
            {
                "title": diagnostic.title,
                "comparison": number_of[diagnostic.comparison.key],
                "solved_at": diagnostic.task.solved_at,
                "rows": [
                    {
                        "entry": numbers[row.entry],
                        "length": row.sequence_length,
                        "score": _optional(row.score),
                        "solved": _optional(row.solved),
                        "steps": shorten(row.median_steps),
                        "never": row.median_steps is not None and math.isinf(row.median_steps),
                        "effective": str(row.effective_length or ""),
                        "state": row.state_bytes,
                        "note": row.note,
                    }
                    for row in diagnostic.rows()
                ],
            }
            for diagnostic in diagnostics
            if diagnostic.task.solved_at is not None
        ],
    }


def make_methods(comparisons: Sequence[Comparison], numbers: Numbers) -> dict[str, Any]:
    """Return the names of the prices, and what the page of methods draws of each comparison."""
    sizes = data_size_scores(comparisons)
    found = []
    # Probes come last: what a method gains is read before what it costs.
    for number, comparison in sorted(enumerate(comparisons), key=lambda item: not item[1].metric):
        parts = {
            "effects": [
                {
                    "entry": numbers[one.entry],
                    "reference": numbers[one.reference] if one.reference else None,
                    "length": one.sequence_length,
                    "score": _optional(one.score),
                    "gain": _optional(one.gain),
                    "prices": [_optional(one.prices.get(measure)) for measure in PRICES],
                }
                for one in method_effects(comparison)
            ],
            "conditions": [
                {
                    "entry": numbers[one.entry],
                    "disturbance": one.disturbance,
                    "length": one.sequence_length,
                    "points": _points(one.by_strength),
                }
                for one in condition_scores(comparison)
            ],
            "sizes": [
                {
                    "entry": numbers[one.entry],
                    "length": one.sequence_length,
                    "points": _points(one.by_share),
                }
                for one in sizes
                if one.comparison is comparison
            ],
        }
        if any(parts.values()):
            found.append({"comparison": number, **parts})
    return {"prices": list(PRICES.values()), "comparisons": found}


def _points(by_place: Mapping[Any, Estimate]) -> list[list[Any]]:
    return [[str(place), *estimate_row(score)] for place, score in by_place.items()]


def _optional(estimate: Estimate | None) -> list[Any] | None:
    return estimate_row(estimate) if estimate else None


def subject_of(key: ComparisonKey, tasks: Mapping[str, Task]) -> str:
    """Return the title of the task of a comparison, or of the probe."""
    if key.mode is not Mode.TRAIN:
        what = "Generation" if key.mode is Mode.DECODE else "Speed and memory"
        return f"{what}, {key.form_text}"
    return task_name(key.task, tasks)


def task_name(task: str, tasks: Mapping[str, Task]) -> str:
    """Return the name of a task that a person searches for: its title, or that of the site."""
    return TASKS.get(task) or (tasks[task].title if task in tasks else task)
