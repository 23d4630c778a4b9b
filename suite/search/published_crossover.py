"""Crossover points from records that exist: nothing is run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from suite.analysis.bisection import find_crossing, pair_up
from suite.analysis.comparisons import Comparison, compare, in_precedence
from suite.api import RequestError
from suite.matrix.request import Request
from suite.records.measures import DEFAULT_MEASURE, find_directed_measure, mode_measuring
from suite.records.published import StoredRecord
from suite.search.crossover import Crossover, check_pair, score_crossover


def recorded_crossover(
    request: Request, records: Iterable[StoredRecord], metric: str | None
) -> Crossover:
    """Compare the scores of two entries if the request has a task; otherwise their costs.

    Raises:
        RequestError: there is nothing to compare.
    """
    if request.tasks:
        return score_crossover(request, records, metric)
    return published_cost_crossover(request, records, metric or DEFAULT_MEASURE)


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
            logs = [_logs(comparison, one, measure, request) for one in subtracted]
            known.append((comparison, pair_up(*logs)))
    widest = max(known, key=lambda one: len(one[1]), default=None)
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
