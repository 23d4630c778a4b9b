"""Crossover points from records that exist, of scores or of published costs: nothing is run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from statistics import fmean

from suite.analysis.bisection import find_crossing, pair_up
from suite.analysis.comparisons import Comparison, compare, in_precedence
from suite.analysis.entry_at_length import EntryAtLength
from suite.analysis.ranking import Scores, difference
from suite.api import Cell, Metric, RequestError, unknown_name
from suite.api.plugins import search_path_from_environment
from suite.matrix.expansion import expand
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.records.measures import DEFAULT_MEASURE, find_directed_measure, mode_measuring
from suite.records.published import StoredRecord
from suite.search.crossover import Crossover, cells_of, check_pair
from suite.search.probing import architectures_of


def score_crossover(
    request: Request, records: Iterable[StoredRecord], metric: str | None = None
) -> Crossover:
    """Compare the scores of two entries at the lengths and seeds that both have.

    By default the task's primary metric is compared. The number of threads makes no difference.
    Tuned records are preferred over untuned ones.

    Raises:
        RequestError: an entry is unknown, or fewer than two lengths have records of both.
    """
    pair = check_pair(request)
    request = replace(request, architectures=architectures_of(pair))
    if not request.tasks or len(request.tasks) != 1:
        raise RequestError(
            "Scores are compared on one task", received=", ".join(request.tasks or ())
        )
    if request.evaluation_lengths:
        raise RequestError(
            "Scores are compared at training lengths, not at evaluation lengths",
            received=f"--evaluation-lengths {','.join(map(str, request.evaluation_lengths))}",
            remedy="Leave the option out; `bench report` prints the scores at each length",
        )
    if metric and "." in metric:
        raise RequestError(
            "A score of trainings is one of the task's metrics",
            received=f"--metric {metric}",
            remedy="Leave --task out to compare costs by probes",
        )
    registry = load_registry(search_path_from_environment())
    first, second, cells = cells_of(pair, expand(request, registry))
    requested = {_score_id(planned.cell, tuned=False) for planned in cells}
    entries = _requested_entries(compare(records, registry.task_versions), requested)
    task = registry.tasks.get(request.tasks[0])
    metric = metric or task.primary_metric.name
    metrics = {known.name: known for known in (task.primary_metric, *task.other_metrics)}
    recorded = {
        name for entry in entries for r in entry.good for name in r.metrics.get(entry.split, ())
    }
    if metric not in metrics.keys() | recorded:
        raise unknown_name(
            f"metric of the task '{request.tasks[0]}'", metric, [*metrics, *recorded]
        )
    chosen = metrics.get(metric, Metric(metric))
    scores = [_scores_by_length(entries, name, chosen) for name in (first, second)]
    better, worse = (1, 0) if chosen.higher_is_better else (0, 1)
    leads = pair_up(*({n: s.by_seed for n, s in scores[i].items()} for i in (worse, better)))
    if len(leads) < 2:
        raise RequestError(
            f"Both entries need records with {metric} at two lengths or more",
            received=f"{len(leads)} such length{'' if len(leads) == 1 else 's'}",
            remedy="Run `bench run` with the same options and at least two --lengths first",
        )
    names = (first, second)
    crossing = find_crossing(leads.__getitem__, list(leads), names, halves=False, center=fmean)
    gaps = {n: difference(scores[better][n], scores[worse][n]) for n in leads}
    return Crossover(first, second, metric, "seed", crossing, gaps)


def published_cost_crossover(
    request: Request, records: Iterable[StoredRecord], measure: str = DEFAULT_MEASURE
) -> Crossover:
    """Compare the costs of two entries at the lengths that one comparison measured for both.

    The form, the size, the backend, the precision, the batch size and the lengths of the request
    are respected where it names them. The comparison with the most common lengths counts, if
    several machines or batches were measured. A crossing is interpolated, and its interval comes
    from the quiet rounds.

    Raises:
        RequestError: the measure has no direction, or no comparison has both at two lengths.
    """
    first, second = check_pair(request)
    higher_is_better = find_directed_measure(measure).higher_is_better
    # `pair_up` subtracts the first from the second: the lower one of two times is ahead.
    subtracted = (first, second) if higher_is_better else (second, first)
    known: list[tuple[Comparison, dict[int, dict[int, float]]]] = []
    for comparison in in_precedence(compare(records)):
        if _is_asked(comparison, request, measure):
            logs = [_logs(comparison, entry, measure, request) for entry in subtracted]
            known.append((comparison, pair_up(*logs)))
    widest = max(known, key=lambda item: len(item[1]), default=None)
    if widest is None or len(widest[1]) < 2:
        raise RequestError(
            f"Published records must have {measure} of both entries at two lengths or more",
            received=f"{first} and {second} at {len(widest[1]) if widest else 0} such lengths",
            remedy="Omit --published to run the missing probes, or name entries of `bench report "
            "--published`",
        )
    comparison, leads = widest
    crossing = find_crossing(leads.__getitem__, list(leads), (first, second), halves=False)
    key = comparison.key
    measured = f"{key.form}, {key.batch}, {key.backend}, {key.precision}; "
    return Crossover(
        first, second, measure, "round", crossing, measured=measured + comparison.sessions_text
    )


def _is_asked(comparison: Comparison, request: Request, measure: str) -> bool:
    """Return whether a comparison is of the measure's mode and of what a request names."""
    key = comparison.key
    return (
        key.mode is mode_measuring(measure.partition(".")[0])
        and request.form in (None, key.form)
        and request.model_size in (None, key.model_size)
        and key.backend in (request.backends or (key.backend,))
        and key.precision in (request.precisions or (key.precision,))
    )


def _logs(
    comparison: Comparison, name: str, measure: str, request: Request
) -> dict[int, Mapping[int, float]]:
    """Return the logarithms of an entry's costs by length and round."""
    return {
        entry.sequence_length: entry.log_scores(measure).by_seed
        for entry in comparison.entries
        if entry.name == name
        and entry.sequence_length in (request.lengths or (entry.sequence_length,))
        and request.batch_size in (None, entry.batch_size)
    }


def _score_id(cell: Cell, *, tuned: bool) -> str:
    """Return the id of a cell without what leaves its comparison alone: threads, a tuned rate."""
    options = dict(cell.options)
    if tuned:
        options.pop("learning_rate", None)
    return replace(cell, threads=1, options=options).id


def _requested_entries(
    comparisons: Iterable[Comparison], requested: Collection[str]
) -> list[EntryAtLength]:
    """Return the entries of the requested cells, from the comparison with the most of them.

    Records on other data are in another comparison. Among equals the newest comparison counts.
    """
    candidates = [
        [
            entry
            for entry in comparison.entries
            if any(
                _score_id(record.cell, tuned=record.ranking.tuning is not None) in requested
                for record in entry.records
            )
        ]
        for comparison in comparisons
    ]
    return max(
        candidates,
        key=lambda entries: (len(entries), max(sum((e.run_ids for e in entries), [""]))),
        default=[],
    )


def _scores_by_length(
    entries: Iterable[EntryAtLength], name: str, metric: Metric
) -> dict[int, Scores]:
    """Return the scores of an entry by length; those with tuned rates are preferred."""
    by_length: dict[int, Scores] = {}
    for entry in sorted(entries, key=lambda entry: entry.has_tuned_rate):
        scores = entry.scores(metric)
        is_of_entry = any(record.ranking.entry == name for record in entry.records)
        if is_of_entry and scores.by_seed:
            by_length[entry.sequence_length] = scores
    return dict(sorted(by_length.items()))
