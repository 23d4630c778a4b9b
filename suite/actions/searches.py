"""Searches that run cells: learning rates, crossover points and length limits."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

from suite.actions.caller import search_stream
from suite.actions.request import Names, PathLike, RequestKeywords, names_of, read_request
from suite.actions.results import LengthLimits, TunedRates
from suite.actions.runs import open_tracked_session, seconds_of
from suite.api import Mode
from suite.api.files import RESULTS
from suite.execution.preparation import make_limits
from suite.execution.quantities import parse_size
from suite.execution.session import local_executor
from suite.matrix.plan import check_rerun
from suite.records.measures import DEFAULT_MEASURE
from suite.records.published import local_records, read_published
from suite.records.tuned_rates import TUNING
from suite.search import tuning
from suite.search.crossover import (
    Crossover,
    check_pair,
    cost_crossover,
    published_cost_crossover,
    score_crossover,
)
from suite.search.frontier import LONGEST, Budget, LengthLimit, find_length_limits

if TYPE_CHECKING:
    from typing_extensions import Unpack


def crossover(
    first: str,
    second: str,
    *,
    metric: str | None = None,
    published: bool = False,
    results: PathLike = RESULTS,
    progress: bool = True,
    tracking: bool = True,
    **request: Unpack[RequestKeywords],
) -> Crossover:
    """Find each length at which `first` or `second` overtakes the other.

    An entry is an architecture, or an architecture with options, written as in the tables.

    Without a task, `metric` is a measure of probes or decodings (by default
    "training.tokens_per_second"); missing ones are run. With a task, `metric` is a metric of the
    test split, and the records of a home are compared. `published` compares the costs or scores of
    the published records in `results`, and nothing is run.

    ```python
    pair = {"first": "gated_deltanet", "second": "hybrid"}
    print(suite.crossover(**pair, task="language_modeling", benchmark="long_text", published=True))
    ```

    Raises:
        LengthwiseError: the request is invalid, or there is nothing to compare.
    """
    keywords = {**request, "architectures": (first, second)}
    matrix, store = read_request(keywords, search_mode=Mode.PROBE)
    check_pair(matrix)
    if published or matrix.tasks:
        own = [] if published else local_records(store)
        records = read_published(Path(results)) if published else own
        if matrix.tasks:
            return score_crossover(matrix, records, metric)
        return published_cost_crossover(matrix, records, metric or DEFAULT_MEASURE)
    file = search_stream() if progress else None
    state = _statements(file)
    with open_tracked_session(
        store, "crossover", keywords, file=file, tracking=tracking
    ) as tracked:
        return cost_crossover(matrix, store, tracked.run, metric or DEFAULT_MEASURE, state)


def frontier(
    *,
    memory: str | None = None,
    step_seconds: float | None = None,
    phase: str = "training",
    up_to: int = LONGEST,
    report: Callable[[LengthLimit], None] = lambda limit: None,
    progress: bool = True,
    tracking: bool = True,
    **request: Unpack[RequestKeywords],
) -> LengthLimits:
    """Find the longest sequence of each architecture that fits a budget on this machine.

    The budget is `memory` (such as "8GiB"), the seconds of a step, or both. The search probes
    lengths up to `up_to`, to within 5%. `report` is called with each limit as soon as it is found.
    With `progress`, what the search does and how long it may take is printed before it starts.

    ```python
    suite.frontier(step_seconds=0.5, architectures="vanilla", up_to=256, benchmark="smoke")
    ```

    Raises:
        LengthwiseError: the request is invalid, or has no budget.
    """
    budget = Budget(parse_size(memory) if memory else None, step_seconds, phase)
    budget.check()
    matrix, store = read_request(request, search_mode=Mode.PROBE)
    file = search_stream() if progress else None
    with open_tracked_session(store, "frontier", request, file=file, tracking=tracking) as tracked:
        limits = []
        state = _statements(file)
        for limit in find_length_limits(matrix, store, tracked.run, budget, up_to, state):
            report(limit)
            limits.append(limit)
        return LengthLimits(limits)


def _statements(file: TextIO | None) -> Callable[[str], None]:
    """Return what prints the statements of a search; without a file, nothing does."""
    return partial(print, file=file, flush=True) if file else lambda text: None


def tune(
    *,
    keep_in: PathLike | None = None,
    time_limit: float | None = None,
    parallel: int | None = None,
    max_cost: float | None = None,
    retry: Names | None = None,
    rerun: bool | Literal["changed"] = False,
    stop_after: str | None = None,
    progress: bool = True,
    tracking: bool = True,
    **request: Unpack[RequestKeywords],
) -> TunedRates:
    """Tune the learning rate of each entry on validation, at each length.

    The rates and their evidence go to `keep_in`, by default results/tuning, where later runs of
    exactly the same setting find them. A search costs at most `max_cost` final runs, by default
    2.5. `seeds` are those of the last stage of the search. `retry` holds statuses whose trials run
    again, and `rerun="changed"` runs again the trials whose code has changed.

    ```python
    rates = suite.tune(task="ner", architectures="vanilla", benchmark="smoke", keep_in="tuning")
    print(rates)
    ```

    Raises:
        LengthwiseError: the request is invalid.
    """
    matrix, store = read_request(request, search_mode=Mode.TRAIN)
    limits = make_limits(matrix.benchmark, time_limit)
    stop_after_seconds = seconds_of(stop_after)
    statuses = () if retry is None else names_of("retry", retry)
    store.prepare()
    with open_tracked_session(
        store,
        "tune",
        request,
        file=sys.stdout if progress else None,
        trials=True,
        executor=local_executor(parallel),
        stop_after_seconds=stop_after_seconds,
        tracking=tracking,
    ) as tracked:
        return TunedRates(
            tuning.tune(
                matrix,
                store,
                tracked.run,
                limits=limits,
                folder=Path(keep_in).expanduser() if keep_in else TUNING,
                retry=statuses,
                rerun=check_rerun(rerun),
                max_cost=max_cost,
                parallel=parallel or 1,
                report=lambda text: print(text, flush=True) if progress else None,
            )
        )
