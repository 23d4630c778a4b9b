"""The work behind the functions of `suite`: requests, sessions and results put together."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.analysis.tables import make_tables, record_filter
from suite.api import Mode
from suite.api.plugins import search_path_from_environment
from suite.execution.preparation import (
    Prepared,
    make_limits,
    prepare,
)
from suite.execution.quantities import parse_duration, parse_size
from suite.execution.runner import Event
from suite.execution.session import (
    Session,
    local_executor,
)
from suite.keywords import (
    describe_call,
    make_request,
    make_single_request,
    make_store,
    names_of,
    split_list,
)
from suite.matrix.durations import durations_here
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.publish.verify import TIME_LIMIT_SECONDS, Verification, read_original, verify
from suite.records.environment import machine_name
from suite.records.measures import DEFAULT_MEASURE
from suite.records.published import (
    StoredRecord,
    local_records,
    read_published,
)
from suite.records.schema import Record, RecordSummary
from suite.records.store import Store
from suite.records.tuned_rates import TUNING
from suite.records.weights import find_weights, weights_of
from suite.results import LengthLimits, MatrixPlan, Records, Tables, TunedRates
from suite.runs import (
    choose_executor,
    open_tracked_session,
    prepare_run,
    run_with_display,
    warn_of_file,
)
from suite.search.crossover import Crossover, check_pair, cost_crossover
from suite.search.frontier import Budget, find_length_limits
from suite.search.probing import RunPlan
from suite.search.published_crossover import recorded_crossover
from suite.search.tuning import tune

if TYPE_CHECKING:
    from suite.worker.predicting import TrainedModel

PathLike = str | os.PathLike[str]
RUN_KEYWORDS = (
    *("retry", "rerun", "time_limit", "memory_limit", "stop_after"),
    *("parallel", "executor", "address", "gpus", "tracking", "keep_weights"),
)


def plan_matrix(keywords: Mapping[str, Any]) -> MatrixPlan:
    """See `suite.plan`."""
    request, store = _request_and_store(keywords)
    prepared = prepare(request, store, accept_missing_data=True, report_unreadable=warn_of_file)
    return MatrixPlan(prepared.plan.cells, prepared, durations_here(store))


def run_matrix(keywords: Mapping[str, Any], *, progress: bool) -> Records:
    """See `suite.run`."""
    with _open_run("run", keywords) as (session, prepared):
        return Records(_run(session, prepared, progress=progress))


def iterate_matrix(keywords: Mapping[str, Any]) -> Iterator[Event]:
    """See `suite.run_events`."""
    with _open_run("run_events", keywords) as (session, prepared):
        yield from session.events(prepared)


def read_records(
    home: PathLike | None, *, published: bool, tasks: Any, mode: str | None
) -> Records:
    """See `suite.read_records`."""
    if published:
        found = [stored.record for stored in read_published()]
    else:
        found = make_store(home).summaries(warn_of_file)
    return Records(_select(found, tasks, mode))


def compare_records(
    records: Records | Iterable[RecordSummary] | PathLike | None, *, tasks: Any, mode: str | None
) -> Tables:
    """See `suite.compare`."""
    if records is None or isinstance(records, str | os.PathLike):
        records = make_store(records).summaries(warn_of_file)
    registry = load_registry(search_path_from_environment())
    stored = [
        StoredRecord(record, machine_name(record.environment), Path())
        for record in _select(records, tasks, mode)
    ]
    return Tables(make_tables(stored, registry.task_versions, registry.architectures.plugins))


def load_trained_model(record: RecordSummary | str, home: PathLike | None) -> TrainedModel:
    """See `suite.load_model`."""
    store = make_store(home)
    kept = (
        find_weights(store, record, warn_of_file)
        if isinstance(record, str)
        else weights_of(store, record)
    )
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = kept.cell.backend
    from suite.worker.predicting import load

    return load(kept.folder, search_path_from_environment())


def find_crossover(
    keywords: Mapping[str, Any],
    metric: str | None,
    *,
    published: bool,
    progress: bool,
    tracking: bool,
) -> Crossover:
    """See `suite.crossover`."""
    request, store = _request_and_store(keywords, Mode.PROBE)
    check_pair(request)
    if published or request.tasks:
        records = read_published() if published else local_records(store, warn_of_file)
        return recorded_crossover(request, records, metric)
    with _open_search("crossover", keywords, store, progress, tracking) as run:
        return cost_crossover(request, store, run, metric or DEFAULT_MEASURE)


def find_frontier(
    keywords: Mapping[str, Any],
    budget: tuple[str | None, float | None, str],
    *,
    up_to: int,
    progress: bool,
    tracking: bool,
) -> LengthLimits:
    """See `suite.frontier`."""
    memory, step_seconds, phase = budget
    request, store = _request_and_store(keywords, Mode.PROBE)
    limit = Budget(parse_size(memory) if memory else None, step_seconds, phase)
    with _open_search("frontier", keywords, store, progress, tracking) as run:
        return LengthLimits(list(find_length_limits(request, store, run, limit, up_to)))


def tune_rates(
    keywords: Mapping[str, Any], how: Mapping[str, Any], *, progress: bool, tracking: bool
) -> TunedRates:
    """See `suite.tune`."""
    keep_in, stop_after = how["keep_in"], how["stop_after"]
    request, store = _request_and_store(keywords, Mode.TRAIN)
    store.prepare()
    with open_tracked_session(
        store,
        describe_call("tune", keywords),
        executor=local_executor(how["parallel"]),
        tracking=tracking,
        stop_after_seconds=parse_duration(stop_after) if stop_after else None,
    ) as session:
        return TunedRates(
            tune(
                request,
                store,
                lambda prepared: _run(session, prepared, progress=progress, trials=True),
                limits=make_limits(request.benchmark, how["time_limit"]),
                folder=Path(keep_in).expanduser() if keep_in else TUNING,
                max_cost=how["max_cost"],
                parallel=how["parallel"] or 1,
                report=print if progress else lambda text: None,
            )
        )


def verify_record(
    path: PathLike,
    *,
    data: str | None,
    tfds_data_dir: PathLike | None,
    time_limit: float | None,
    home: PathLike | None,
    progress: bool,
    tracking: bool,
) -> Verification:
    """See `suite.verify`."""
    store = make_store(home)
    record = read_original(os.fspath(path), store)
    store.prepare()
    command = describe_call("verify", {"data": data, "time_limit": time_limit})
    with open_tracked_session(store, command, 1, tracking=tracking) as session:
        return verify(
            record,
            store,
            lambda prepared: _run(session, prepared, progress=progress),
            registry=load_registry(search_path_from_environment()),
            source=data,
            data_dir=os.fspath(tfds_data_dir) if tfds_data_dir else None,
            time_limit_seconds=time_limit or TIME_LIMIT_SECONDS,
            report_unreadable=warn_of_file,
        )


@contextmanager
def _open_run(function: str, keywords: Mapping[str, Any]) -> Iterator[tuple[Session, Prepared]]:
    """Yield the session and the plan of a run's keyword arguments."""
    of_run = {name: value for name, value in keywords.items() if name in RUN_KEYWORDS}
    request, store = _request_and_store(
        {name: value for name, value in keywords.items() if name not in of_run}
    )
    retry = of_run.get("retry") or ()
    stop_after = of_run.get("stop_after")
    executor = of_run.get("executor", "local")
    limits = make_limits(request.benchmark, of_run.get("time_limit"), of_run.get("memory_limit"))
    prepared = prepare_run(
        request,
        store,
        retry=split_list(retry) if isinstance(retry, str) else tuple(retry),
        rerun=of_run.get("rerun", False),
        limits=limits,
        executor=executor,
        keep_weights=of_run.get("keep_weights", False),
    )
    make_executor = choose_executor(
        prepared,
        executor=executor,
        parallel=of_run.get("parallel"),
        address=of_run.get("address"),
        gpus=of_run.get("gpus", 0),
        memory_limit=of_run.get("memory_limit"),
    )
    store.prepare()
    with open_tracked_session(
        store,
        describe_call(function, keywords),
        len(prepared.plan.cells),
        executor=make_executor,
        tracking=of_run.get("tracking", True),
        stop_after_seconds=parse_duration(stop_after) if stop_after else None,
    ) as session:
        yield session, prepared


@contextmanager
def _open_search(
    function: str,
    keywords: Mapping[str, Any],
    store: Store,
    progress: bool,
    tracking: bool,
) -> Iterator[RunPlan]:
    """Yield what runs a search's plans."""
    command = describe_call(function, keywords)
    with open_tracked_session(store, command, tracking=tracking) as session:
        yield lambda prepared: _run(session, prepared, progress=progress)


def _run(
    session: Session, prepared: Prepared, *, progress: bool, trials: bool = False
) -> list[Record]:
    if not progress:
        return session.run(prepared)
    return run_with_display(session, prepared, sys.stdout, trials=trials)


def _request_and_store(
    keywords: Mapping[str, Any], search_mode: Mode | None = None
) -> tuple[Request, Store]:
    """Return the request and the home; `search_mode` is the default mode of a search."""
    of_request = {name: value for name, value in keywords.items() if name != "home"}
    request = (
        make_single_request(of_request, search_mode) if search_mode else make_request(of_request)
    )
    return request, make_store(keywords.get("home"))


def _select(records: Iterable[RecordSummary], tasks: Any, mode: str | None) -> list[RecordSummary]:
    """Return the records of some tasks and of a mode."""
    names = None if tasks is None else names_of("tasks", tasks)
    known = load_registry(search_path_from_environment()).tasks.plugins if names else ()
    return list(filter(record_filter(names, mode, known), records))
