"""Figures of the analysis → the rows and columns that the pages read.

The pages know an entry by its place in the list of `lines`, a comparison by its place, and a
measure by its number (`dashboards.scripts.measure_number`). A row of an estimate has the value, the
ends of its interval, and the number of repeats.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dashboards.scripts import estimate_row, measure_number, shorten
from suite.analysis.boards import Board, Row
from suite.analysis.comparison_key import ComparisonKey, baseline_keys
from suite.analysis.comparisons import Comparison
from suite.analysis.cost_ratios import backend_ratios
from suite.analysis.diagnostic_charts import Chart, ChartSection, make_charts
from suite.analysis.diagnostics import DiagnosticRow, find_diagnostics
from suite.analysis.estimates import Estimate
from suite.analysis.growth import growths
from suite.analysis.method_effects import (
    condition_scores,
    data_size_scores,
    method_effects,
    read_effects,
)
from suite.analysis.pairwise import pair_crossings, pair_differences
from suite.analysis.reports import grouped_reports
from suite.analysis.tradeoffs import (
    comparable_shares,
    interquartile_mean,
    pareto_front,
    performance_profile,
)
from suite.api import PROTOCOL, Architecture, Mode, Task
from suite.records.measures import CHARTED, PRICES, QUALITY

if TYPE_CHECKING:
    import pandas

Numbers = Mapping[str, int]
"""The place of each entry in the list of lines."""
AGAINST_QUALITY = list(CHARTED)[:2]
"""The costs that are drawn against quality."""
PROFILE_SHARES = [round(0.5 + 0.01 * step, 2) for step in range(51)]
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


def describe(
    comparison: Comparison,
    title_of: Mapping[ComparisonKey, str],
    name_of: Mapping[ComparisonKey, str],
    subject: str,
) -> dict[str, Any]:
    """Return the properties of a comparison that the pages show and filter by.

    The title is unique; the name is short and unique among the comparisons of the subject.
    """
    setting, metric = comparison.key, comparison.metric
    machine, threads = comparison.measured_on
    return {
        "kind": setting.kind,
        "title": title_of[setting],
        "name": name_of[setting],
        "subject": subject,
        "form": setting.form,
        "mode": setting.mode,
        "task": setting.task or f"{setting.mode}, {setting.form.replace('_', '-')}",
        "source": setting.source or "random tokens",
        "options": setting.task_options,
        "model_size": setting.model_size,
        "steps": setting.steps,
        "benchmark": setting.benchmark,
        "track": setting.track,
        "split": setting.split,
        "why_unranked": setting.unranked_reason or "",
        "precision": setting.precision,
        "backend": setting.backend,
        "batch": setting.batch,
        "machine": machine,
        "threads": threads,
        "session": comparison.sessions_text,
        "protocol": max((record.protocol for record in comparison.records), default=PROTOCOL),
        "metric": metric.name if metric else "",
        "higher_is_better": metric.higher_is_better if metric else True,
        "share": metric.share if metric else False,
    }  # fmt: skip


def run_columns(frame: pandas.DataFrame, numbers: Numbers) -> dict[str, Any]:
    """Return the columns of the valid runs of a frame (`suite.analysis.frame.to_frame`).

    Each run has its place, its status, and the figures that count.
    """
    valid = frame[frame["superseded_by"] == ""]
    place = ["comparison", "run_id"]
    runs = valid.drop_duplicates(place).set_index(place, drop=False)
    values = valid[valid["counts"] | valid["is_primary"]]
    values = values.assign(measure=values["measure"].mask(values["is_primary"], QUALITY))
    wide = values[values["measure"].isin([QUALITY, *CHARTED])].pivot(
        index=place, columns="measure", values="value"
    )
    wide = wide.reindex(index=runs.index, columns=[QUALITY, *CHARTED])
    texts = {name: _texts(runs[name].fillna("").tolist()) for name in ("status", "reason")}
    plain = ("comparison", "sequence_length", "batch_size", "repeat", "run_id")
    return {
        **{name: runs[name].tolist() for name in plain},
        "line": runs["entry"].map(numbers).tolist(),
        **texts,
        **_shortened(wide),
    }


def figure_columns(figures: pandas.DataFrame, numbers: Numbers) -> dict[str, Any]:
    """Return the columns of figures (`suite.analysis.frame.to_figures`)."""
    shown = figures.assign(
        line=figures["entry"].map(numbers), measure=figures["measure"].map(measure_number)
    ).drop(columns="entry")
    return _shortened(shown)


def _shortened(frame: pandas.DataFrame) -> dict[str, list[Any]]:
    """Return the columns of a frame with shortened numbers."""
    return {str(name): [*map(shorten, frame[name].tolist())] for name in frame}


def _texts(values: Sequence[str]) -> dict[str, Any]:
    """Return a column of texts as places in a list of the texts."""
    texts = sorted(set(values))
    places = {text: place for place, text in enumerate(texts)}
    return {"texts": texts, "at": [places[value] for value in values]}


def board_rows(
    boards: Sequence[Board], comparisons: Sequence[Comparison], numbers: Numbers
) -> list[Any]:
    """Return the comparison, length, batch, metric, rows and detectable difference of each board.

    Differences of costs are ratios. Entries without a valid run are left out. The files of the
    leaderboard list them.
    """
    number_of = {comparison.key: number for number, comparison in enumerate(comparisons)}
    return [
        [
            number_of[board.key],
            board.sequence_length,
            board.batch_size,
            board.metric.name,
            [[numbers[row.entry], *_row(row, board)] for row in board.rows if row.entry in numbers],
            shorten(board.detectable),
        ]
        for board in boards
        if board.key in number_of
    ]


def _row(row: Row, board: Board) -> list[Any]:
    """Return a row of a board without its entry."""
    return [
        row.rank,
        *estimate_row(row.estimate or Estimate(math.nan)),
        shorten(board.in_unit(row.detectable_difference)),
        row.note,
        row.superseded_by,
        row.parameter_count,
        shorten(row.worker_seconds),
        str(row.measured_on),
        row.run_ids[0],
        row.cost_digest or "",
        row.sessions,
        shorten(row.between_sessions),
        {
            str(length): score if isinstance(score, str) else [*estimate_row(score), score.missing]
            for length, score in row.by_evaluation_length.items()
        },
    ]


def report_rows(comparisons: Sequence[Comparison], numbers: Numbers) -> list[dict[str, Any]]:
    """Return the reports by group of each comparison, length and entry.

    A report has its name, for each figure the list of [group, mean, low, high, n], and the reasons
    why the model has no figures at some evaluation lengths.
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
                    "line": numbers[report.entry],
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
    """Return growth with length, crossings, pairs, engines, fronts and shares of the best score."""
    shares = comparable_shares(boards)
    numbered = list(enumerate(comparisons))
    probes = [item for item in numbered if item[1].key.mode is not Mode.TRAIN]
    return {
        "growth": [row for probe in probes for row in _growth(*probe, architectures)],
        "crossings": [row for probe in probes for row in _crossings(*probe)],
        "pairs": [row for item in numbered for row in _pairs(*item)],
        "engines": _backends(probes),
        "fronts": [row for item in numbered for row in _fronts(*item, figures)],
        "profile": {
            "shares": PROFILE_SHARES,
            "lines": performance_profile(shares, PROFILE_SHARES),
            "means": {
                entry: [interquartile_mean(values), len(values)] for entry, values in shares.items()
            },
        },
    }


def _growth(
    number: int, comparison: Comparison, architectures: Mapping[str, Architecture]
) -> list[Any]:
    return [
        [
            number,
            item.entry,
            item.measure,
            *(estimate_row(item.exponent)[:3] if item.exponent else [None] * 3),
            item.rounds,
            item.shortest,
            item.longest,
            item.claim,
            item.contradicted,
        ]
        for item in growths(comparison, architectures)
        if item.slope is None
    ]


def _crossings(number: int, comparison: Comparison) -> list[Any]:
    return [
        [
            number,
            item.measure,
            item.behind,
            item.ahead,
            [estimate_row(change)[:3] for change in item.changes],
            item.shortest,
            item.longest,
        ]
        for measure in AGAINST_QUALITY
        for item in pair_crossings(comparison, measure)
    ]


def _pairs(number: int, comparison: Comparison) -> list[Any]:
    return [
        [
            number,
            measure_number(item.measure),
            item.sequence_length,
            item.batch_size,
            item.first,
            item.second,
            *estimate_row(item.estimate),
            item.better,
        ]
        for item in pair_differences(comparison, list(CHARTED))
    ]


def _backends(probes: Sequence[tuple[int, Comparison]]) -> list[Any]:
    """Compare probes of several backends or precisions with the baseline on the same machine."""
    by_key = {comparison.key: (number, comparison) for number, comparison in probes}
    baselines = baseline_keys(by_key)
    found = []
    for key, (number, comparison) in by_key.items():
        base, baseline = by_key[baselines[key]]
        if base != number and comparison.measured_on == baseline.measured_on:
            found += [
                [
                    number,
                    base,
                    item.entry,
                    item.sequence_length,
                    item.measure,
                    *estimate_row(item.ratio),
                    shorten(item.hours_apart),
                ]
                for item in backend_ratios(comparison, baseline)
            ]
    return found


def _fronts(number: int, comparison: Comparison, figures: pandas.DataFrame) -> list[Any]:
    """Return the Pareto front of quality and each cost that is drawn against quality."""
    if comparison.metric is None:
        return []
    own, higher = figures[figures["comparison"] == number], comparison.metric.higher_is_better
    fronts = [
        (place, pareto_front(own, measure, higher_is_better=higher), measure)
        for place, measure in enumerate(AGAINST_QUALITY)
    ]
    return [
        [number, place, *([*map(shorten, front[name].tolist())] for name in (measure, QUALITY))]
        for place, front, measure in fronts
        if len(front)
    ]


def make_diagnostics(
    comparisons: Sequence[Comparison], numbers: Numbers, tasks: Mapping[str, Task]
) -> dict[str, Any]:
    """Return the sections of diagnostics with their charts, and the rows of the table.

    `comparisons` are in the order in which the pages prefer them.
    """
    number_of = {comparison.key: number for number, comparison in enumerate(comparisons)}
    diagnostics = find_diagnostics(comparisons, tasks)
    charts = make_charts(diagnostics, comparisons)
    return {
        "sections": [
            {
                "title": title,
                "command": command,
                "charts": [
                    {**_chart(chart, numbers), "comparison": number_of[chart.key]}
                    for chart in charts
                    if chart.section is section
                ],
            }
            for section, (title, command) in SECTIONS.items()
        ],
        "tasks": [
            {
                "title": diagnostic.title,
                "comparison": number_of[diagnostic.comparison.key],
                "solved_at": diagnostic.solved_at,
                "rows": [_diagnostic_row(row, numbers) for row in diagnostic.rows()],
            }
            for diagnostic in diagnostics
            if diagnostic.solved_at is not None
        ],
    }


def _chart(chart: Chart, numbers: Numbers) -> dict[str, Any]:
    return {
        "title": chart.title,
        "measure": chart.measure,
        "against": chart.against,
        "length": chart.sequence_length,
        "line": numbers.get(chart.entry),
        "lines": [
            {
                "name": line.name,
                "line": numbers.get(line.name),
                "points": _points(line.figures),
                "reasons": dict(line.reasons),
            }
            for line in chart.lines
        ],
        "reading": chart.reading,
        "share": chart.is_share,
        "note": chart.note,
        "guesses": list(chart.guesses.items()),
    }


def _diagnostic_row(row: DiagnosticRow, numbers: Numbers) -> dict[str, Any]:
    return {
        "line": numbers[row.entry],
        "length": row.sequence_length,
        "score": row.score and estimate_row(row.score),
        "solved": row.solved and estimate_row(row.solved),
        "steps": shorten(row.median_steps),
        "never": row.median_steps is not None and math.isinf(row.median_steps),
        "effective": "" if row.effective_length is None else str(row.effective_length),
        "state": row.state_bytes,
        "note": row.note,
    }


def make_methods(comparisons: Sequence[Comparison], numbers: Numbers) -> dict[str, Any]:
    """Return the names of the prices, and what the page of methods draws of each comparison."""
    sizes = data_size_scores(comparisons)
    found = []
    # Probes come last: what a method gains is read before what it costs.
    for number, comparison in sorted(enumerate(comparisons), key=lambda item: not item[1].metric):
        metric, effects = comparison.metric, method_effects(comparison)
        parts = {
            "effects": [
                {
                    "line": numbers[one.entry],
                    "reference": numbers[one.reference] if one.reference else None,
                    "length": one.sequence_length,
                    "score": one.score and estimate_row(one.score),
                    "reference_score": one.reference_score and estimate_row(one.reference_score),
                    "gain": one.gain and estimate_row(one.gain),
                    "prices": [
                        estimate_row(price) if (price := one.prices.get(measure)) else None
                        for measure in PRICES
                    ],
                }
                for one in effects
            ],
            "conditions": [
                {
                    "line": numbers[one.entry],
                    "disturbance": one.disturbance,
                    "length": one.sequence_length,
                    "points": _points(one.by_strength),
                }
                for one in condition_scores(comparison)
            ],
            "sizes": [
                {
                    "line": numbers[one.entry],
                    "length": one.sequence_length,
                    "points": _points(one.by_share),
                }
                for one in sizes
                if one.comparison is comparison
            ],
        }
        if any(parts.values()):
            found.append(
                {
                    "comparison": number,
                    "reading": read_effects(effects, metric.name) if metric else "",
                    **parts,
                    "share": metric is not None and metric.share,
                }
            )
    return {"prices": list(PRICES.values()), "comparisons": found}


def _points(by_place: Mapping[Any, Estimate]) -> list[list[Any]]:
    return [[str(place), *estimate_row(score)] for place, score in by_place.items()]
