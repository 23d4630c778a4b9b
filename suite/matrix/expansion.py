"""Expand a request and the registry into ordered cells; a cell that cannot run has a reason.

A pure function: nothing is read from disk or from records.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from suite.api import (
    RUN_OPTIONS,
    Cell,
    Form,
    Mode,
    Options,
)
from suite.api.errors import RequestError, check_name
from suite.matrix.planned_cells import FindTunedRate, PlannedCell, Planner, no_tuned_rate
from suite.matrix.registry import Registry
from suite.matrix.request import Request, check_request
from suite.matrix.workloads import Entry, Workload, find_entries, find_workloads
from suite.records.benchmark_sections import ProbeSettings
from suite.records.benchmarks import Benchmark
from suite.records.model_sizes import find_model_size
from suite.records.options import as_text, check_data_options, defaults_of, parse_options

OF_NO_BENCHMARK = {"benchmark_hash": None, "ranked": False, "seeds": ()}
"""The ranking facts of a cell that is no final run."""


def expand(
    request: Request,
    registry: Registry,
    find_tuned_rate: FindTunedRate = no_tuned_rate,
) -> list[PlannedCell]:
    """Return the cells of a request in running order.

    `find_tuned_rate` returns the learning rate that was tuned for a cell, or None; one in the
    request overrides it. Probes come first, then decodings, then trainings. Seeds and rounds vary
    slowest, then the steps of trainings, then model sizes; entries vary fastest. The cells of one
    comparison therefore run side by side, and a drift of the machine's speed affects all of them
    alike.

    Raises:
        RequestError: the request has an unknown name or an invalid value.
        PluginError: the file of a requested task or architecture cannot be used.
    """
    benchmark = registry.benchmarks.get(request.benchmark)
    check_request(request)
    workloads = find_workloads(request, registry, benchmark)
    entries = {
        workload.mode: find_entries(request, registry, benchmark, workload.mode)
        for workload in workloads
    }
    _check_options(request, workloads, entries)
    planner = Planner(registry, benchmark, find_tuned_rate)
    cells = [
        _plan(request, planner, workload, entry, {**repetition, **coordinates})
        for mode in (Mode.PROBE, Mode.DECODE, Mode.TRAIN)
        if mode in entries
        for repetition in _repetitions(request, benchmark, workloads, mode)
        for workload in workloads
        if workload.mode is mode and _is_repeated(request, workload, repetition["round"])
        for coordinates in _coordinates(request, benchmark, workload)
        for entry in entries[mode]
        if entry.runs(
            workload.name,
            coordinates["sequence_length"],
            coordinates["steps"] if coordinates["steps"] in workload.known_budgets else None,
        )
    ]
    if not cells:
        raise RequestError(
            f"The benchmark '{benchmark.name}' limits the requested entries to other tasks, "
            "lengths or steps, so that no entry has a cell",
            received=", ".join(
                f"{workload.name or workload.mode} at {workload.lengths}" for workload in workloads
            ),
            remedy=f"`bench plan --benchmark {benchmark.name}` lists its cells",
        )
    cells = planner.with_parents(_final_together(request, cells))
    # Two probes of a benchmark may meet: a batch of one sequence, and one of as many positions.
    return list({planned.cell.id: planned for planned in cells}.values())


def _final_together(request: Request, cells: Sequence[PlannedCell]) -> list[PlannedCell]:
    """Make trials of all cells of a workload if one is a trial, so that their scores compare.

    A request that adds a seed or a length to a benchmark is thus no final run.
    """
    trials = {_workload_of(planned.cell) for planned in cells if not planned.of_benchmark}
    return [
        planned
        if _workload_of(planned.cell) not in trials
        else replace(
            planned,
            cell=replace(
                planned.cell,
                benchmark=None,
                scores_test=planned.cell.task is not None and request.score_test,
            ),
            ranking=planned.ranking.model_copy(update=OF_NO_BENCHMARK),
            of_benchmark=False,
        )
        for planned in cells
    ]


def _workload_of(cell: Cell) -> tuple[Mode, str | None, Form]:
    return cell.mode, cell.task, cell.form


def _check_options(
    request: Request,
    workloads: Sequence[Workload],
    entries: Mapping[Mode, Sequence[Entry]],
) -> None:
    """Refuse an option of the request or the benchmark that nothing has."""
    for workload in workloads:
        task_options = _defaults(workload, {})
        for name in workload.options:
            check_name(f"option of the task '{workload.name}'", name, task_options)
    known = {name for workload in workloads for name in _defaults(workload, {})}
    known |= {
        name
        for listed in entries.values()
        for entry in listed
        for name in entry.architecture.options
    }
    for name in request.options:
        check_name("option", name, known)


def _defaults(workload: Workload, own: Options) -> dict[str, Any]:
    """Return the options of a cell with their defaults; `own` are those of its architecture."""
    task_options = defaults_of(workload.task) if workload.task else {}
    return {**RUN_OPTIONS, **task_options, **own}


def _repetitions(
    request: Request, benchmark: Benchmark, workloads: Sequence[Workload], mode: Mode
) -> Iterator[dict[str, int]]:
    """Yield seeds and rounds: a training is repeated by seed, a probe by round."""
    if mode is Mode.TRAIN:
        yield from ({"seed": seed, "round": 0} for seed in request.seeds or benchmark.seeds)
    else:
        rounds = [
            workload.settings.rounds
            for workload in workloads
            if isinstance(workload.settings, ProbeSettings) and workload.mode is mode
        ]
        numbers = range(request.rounds or max(rounds))
        yield from ({"seed": 0, "round": number} for number in numbers)


def _coordinates(
    request: Request, benchmark: Benchmark, workload: Workload
) -> Iterator[dict[str, Any]]:
    """Yield the fields in which the cells of an entry and a workload differ, seeds apart."""
    sizes = (request.model_size,) if request.model_size else benchmark.model_size
    for steps, size, length, backend, precision in product(
        workload.budgets,
        sizes,
        workload.lengths,
        request.backends or (benchmark.backend,),
        request.precisions or (benchmark.precision,),
    ):
        yield {
            "steps": steps,
            "model_size": find_model_size(size).name,
            "sequence_length": length,
            "backend": backend,
            "precision": precision,
        }


def _is_repeated(request: Request, workload: Workload, round_number: int) -> bool:
    settings = workload.settings
    if request.rounds or not isinstance(settings, ProbeSettings):
        return True
    return round_number < settings.rounds


def _plan(
    request: Request,
    planner: Planner,
    workload: Workload,
    entry: Entry,
    coordinates: Mapping[str, Any],
) -> PlannedCell:
    benchmark, length = planner.benchmark, coordinates["sequence_length"]
    listed = as_text({**workload.options, **entry.options})
    asked = {**listed, **request.options}
    own = parse_options(asked, entry.architecture.options)
    defaults = _defaults(workload, entry.architecture.defaults(own))
    cell = Cell(
        mode=workload.mode,
        task=workload.name,
        form=workload.form,
        source=workload.source.cell_name if workload.source else None,
        options=parse_options(asked, defaults),
        architecture=entry.name,
        task_version=workload.task.version if workload.task else None,
        architecture_version=entry.architecture.version,
        batch_size=request.batch_size or workload.settings.batch_size(length),
        threads=request.threads,
        evaluation_lengths=workload.evaluation_lengths,
        methods=entry.methods,
        **coordinates,
    )
    tuning = None if "learning_rate" in asked else planner.tuned_rate(cell, workload.task)
    of_benchmark = entry.of_benchmark(
        workload.name, length, cell.steps or None
    ) and _has_settings_of(benchmark, workload, cell, parse_options(listed, defaults))
    final = of_benchmark and benchmark.is_frozen
    cell = replace(
        cell,
        options=cell.options
        if tuning is None
        else parse_options({**asked, "learning_rate": str(tuning.learning_rate)}, defaults),
        benchmark=benchmark.label_of(cell.task) if final else None,
        scores_test=workload.task is not None and (final or request.score_test),
    )
    check_data_options(cell.options)
    planned = planner.plan(cell, workload.task, workload.source, tuning)
    return replace(planned, of_benchmark=of_benchmark)


def _has_settings_of(
    benchmark: Benchmark, workload: Workload, cell: Cell, options: Options
) -> bool:
    """Return whether a cell is one of a benchmark: the data and the threads are the user's.

    Only such a run of a frozen benchmark scores the test split of its own accord.
    """
    settings = workload.settings
    if isinstance(settings, ProbeSettings):
        repeated = cell.round < settings.rounds and settings in (
            *benchmark.probes,
            *benchmark.decodings,
        )
    else:
        repeated = cell.seed in benchmark.seeds
    return (
        repeated
        and cell.sequence_length in settings.lengths
        and cell.steps in getattr(settings, "steps", (0,))
        and cell.model_size in benchmark.model_size
        and cell
        == replace(
            cell,
            options=options,
            batch_size=settings.batch_size(cell.sequence_length),
            precision=benchmark.precision,
            backend=benchmark.backend,
            evaluation_lengths=getattr(settings, "evaluation_lengths", ()),
        )
    )
