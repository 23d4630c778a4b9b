"""Tune the learning rate of each entry on validation, and keep the evidence.

All entries of a task share the list of rates, the seeds and the strategy, so that no entry is
under-tuned. A tuned rate is valid for exactly one setting: see `suite.records.tuned_rates`. The
strategy is in `suite.search.learning_rate_search`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from suite.api import Cell, Limits, Mode, RequestError, Task, training_methods
from suite.api.code_digest import digest_code
from suite.execution.preparation import Prepared, check_any_can_run, prepare
from suite.matrix.durations import durations_here
from suite.matrix.plan import NOISY, Rerun, check_statuses, plan
from suite.matrix.planned_cells import PlannedCell, Planner, no_tuned_rate
from suite.matrix.request import Request
from suite.records.benchmarks import Benchmark
from suite.records.naming import OBJECTIVE
from suite.records.store import Store
from suite.records.tuned_rates import TUNING
from suite.search.learning_rate_search import LEAST_COST, SuccessiveHalving, Trial
from suite.search.probing import RunPlan
from suite.search.trials import TrialSet, TunedRate
from suite.search.tuning_evidence import strategy_of

Report = Callable[[str], None]
"""Shows a line about the progress of the searches."""


def tune(
    request: Request,
    store: Store,
    run: RunPlan,
    *,
    limits: Limits | None = None,
    folder: Path = TUNING,
    retry: Sequence[str] = (),
    rerun: Rerun = False,
    max_cost: float | None = None,
    parallel: int = 1,
    search_path: Sequence[str] | None = None,
    report: Report = lambda text: None,
) -> list[TunedRate]:
    """Tune each entry of a request at each length and model size, task by task.

    `request` trains on one backend and in one precision; its `seeds` are those of the last stage.
    `run` runs a plan; one that it does not finish ends the tuning. `folder` gets a file for each
    rate; runs use those in `TUNING`. `limits`, `retry`, `rerun` and `search_path` are those of
    `prepare`. `max_cost` bounds the cost of each search, in final runs. `parallel` trials run at
    once, for the expected time. `report` shows the cost beforehand, and the progress after each
    stage.

    Raises:
        RequestError: the request is not one of tuning.
    """
    _check(request, max_cost)
    prepared = prepare(request, store, limits=limits, tuning=None, search_path=search_path)
    check_any_can_run(prepared)
    tuned: list[TunedRate] = []
    for task in prepared.tasks:
        benchmark = prepared.registry.benchmarks.get(request.benchmark)
        searches = _searches(
            prepared.plan.cells, task, prepared.tasks[task], benchmark, max_cost, request.seeds
        )
        if not searches:
            report(f"{task}: no requested architecture supports the task")
            continue
        for statement in _statements(task, searches, store, parallel):
            report(statement)
        _run_searches(searches, prepared, store, run, (check_statuses(retry, NOISY), rerun), report)
        # A source that was downloaded by the first trial has a digest only now.
        digest = prepared.digests[task]
        if digest is None:
            digest = prepare(request, store, tuning=None, search_path=search_path).digests[task]
        tuned += [search.result(folder, digest) for search in searches]
        if not all(result.is_complete for result in tuned):
            break
    return tuned


def _check(request: Request, max_cost: float | None) -> None:
    if request.mode is not Mode.TRAIN:
        raise RequestError(
            "Tuning trains", received=f"mode {request.mode}", remedy="Use mode train"
        )
    if "learning_rate" in request.options:
        raise RequestError(
            "Tuning chooses the learning rate",
            received=f"learning_rate={request.options['learning_rate']}",
            remedy="Omit the option",
        )
    if request.score_test:
        raise RequestError(
            "Tuning scores validation alone, so that no rate is chosen by test scores",
            received="--test",
            remedy="Omit --test",
        )
    if max_cost is not None and not LEAST_COST <= max_cost < math.inf:
        raise RequestError(
            f"A search costs at least {float(LEAST_COST):g} final runs, and not infinitely many",
            received=f"--max-cost {max_cost:g}",
            remedy="Name such a number, or omit it",
        )


def tuning_cells(
    cells: Sequence[PlannedCell], benchmark: Benchmark, tasks: Mapping[str, Task]
) -> list[Cell]:
    """Return the trials that tune cells of a benchmark, without extensions."""
    if benchmark.tuning is None:
        return []
    names = dict.fromkeys(planned.cell.task for planned in cells)
    searches = [
        search
        for name, task in tasks.items()
        if name in names
        for search in _searches(cells, name, task, benchmark)
    ]
    return _first_trials(searches)


def _first_trials(searches: Sequence[TrialSet]) -> list[Cell]:
    return [
        search.plan(trial).cell for search in searches for trial in search.strategy.first_plan()
    ]


def _searches(
    cells: Sequence[PlannedCell],
    name: str,
    task: Task,
    benchmark: Benchmark,
    max_cost: float | None = None,
    seeds: Sequence[int] | None = None,
) -> list[TrialSet]:
    """Return a search for each entry, model size and length of a task, shorter lengths first.

    A cell that compresses a trained model has the rate of that model, and one with another
    objective is no entry.
    """
    points: dict[str, PlannedCell] = {}
    for planned in cells:
        if planned.cell.task != name:
            continue
        cell = replace(benchmark.tuning_point(planned.cell, task), seed=0)
        searched = (
            not planned.unsupported
            and "learning_rate" not in cell.options
            and training_methods(cell.methods) == cell.methods
            and OBJECTIVE not in planned.ranking.task_options
        )
        if searched:
            points.setdefault(cell.id, replace(planned, cell=cell))
    searches = []
    for point in points.values():
        strategy = strategy_of(benchmark, task, point.cell)
        strategy = replace(strategy, seeds=seeds or strategy.seeds, max_cost=max_cost)
        if isinstance(strategy, SuccessiveHalving) and len(strategy.seeds) < 2:
            raise RequestError(
                "The last stage of short trials needs at least two seeds, because a rate can learn "
                "on one seed and fail on another",
                received=f"seeds {', '.join(map(str, strategy.seeds))}",
                remedy="Name two seeds, or omit them",
            )
        searches.append(TrialSet(point, task, strategy, benchmark))
    return sorted(searches, key=lambda search: search.cell.sequence_length)


def _run_searches(
    searches: Sequence[TrialSet],
    prepared: Prepared,
    store: Store,
    run: RunPlan,
    again: tuple[Sequence[str], Rerun],
    report: Report,
) -> None:
    """Run the next trials of all searches side by side, until no search wants more.

    `again` holds `retry` and `rerun` of `plan`.
    """
    retry, rerun = again
    code_of = digest_code(prepared.search_path)
    while wanted := {
        planned.cell.id: (search, trial, planned)
        for search, trial in _in_running_order(searches)
        for planned in [search.plan(trial)]
    }:
        report(_stages(wanted.values()))
        cells = [planned for _, _, planned in wanted.values()]
        trials = plan(
            Planner(prepared.registry, prepared.benchmark, no_tuned_rate).with_parents(cells),
            store,
            prepared.digests,
            code_of=code_of,
            retry=retry,
            rerun=rerun,
            limits=prepared.limits,
        )
        prepared_trials = replace(prepared, plan=trials)
        if note := prepared_trials.changed_note:
            report(note)
        records = run(prepared_trials)
        finished = [record for record in records if record.cell_id in wanted]
        for record in finished:
            search, trial, _ = wanted[record.cell_id]
            search.take(trial, record)
        if len(finished) < len(wanted):
            return
        _report_best([search for search, _, _ in wanted.values()], report)


def _in_running_order(searches: Sequence[TrialSet]) -> list[tuple[TrialSet, Trial]]:
    """Return the next trials: shorter lengths first, the entries of a rate side by side."""
    wanted = [
        (search, position, trial)
        for search in searches
        for position, trial in enumerate(search.next())
    ]
    wanted.sort(key=lambda item: (item[0].cell.sequence_length, item[1]))
    return [(search, trial) for search, _, trial in wanted]


def _report_best(searches: Sequence[TrialSet], report: Report) -> None:
    for search in {id(search): search for search in searches}.values():
        if search.stopped:
            report(f"  {search.name}: stopped, since {search.stopped}")
        elif search.scores:
            report(f"  {search.best_so_far()}")


def _stages(wanted: Iterable[tuple[TrialSet, Trial, PlannedCell]]) -> str:
    trials = Counter(
        (search.strategy.stage_of(trial), search.strategy.num_stages, planned.cell.steps)
        for search, trial, planned in wanted
    )
    parts = [
        f"stage {stage} of {last}, {count} trial{'s' if count > 1 else ''} of {steps:,} steps"
        for (stage, last, steps), count in sorted(trials.items())
    ]
    return "; ".join(parts)


def _statements(
    name: str, searches: Sequence[TrialSet], store: Store, parallel: int
) -> Iterator[str]:
    durations = durations_here(store)
    for strategy in dict.fromkeys(search.strategy for search in searches):
        alike = [search for search in searches if search.strategy == strategy]
        cells = _first_trials(alike)
        lengths = sorted({search.cell.sequence_length for search in alike})
        sizes = dict.fromkeys(search.cell.model_size for search in alike)
        entries = f"entries at length{'' if len(lengths) == 1 else 's'} "
        entries += ", ".join(map(str, lengths))
        if len(sizes) > 1:
            entries = f"{entries}, model sizes {', '.join(sizes)}"
        yield (
            f"{name}: {len(alike)} searches ({entries}). Each costs "
            f"{strategy.cost(strategy.first_plan()):.2f} to {strategy.most_cost:.2f} final "
            f"runs of {strategy.steps:,} steps. {strategy.trials_text} More only where the best "
            f"rate lies at an edge. {len(cells):,} trials; {durations.expected(cells, parallel)}."
        )
