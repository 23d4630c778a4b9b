"""Expand a request and the registry into ordered cells; a cell that cannot run has a reason.

A pure function: nothing is read from disk or from records.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from suite.api import (
    RUN_OPTIONS,
    Architecture,
    Cell,
    Form,
    Mode,
    Options,
)
from suite.api.errors import RequestError, unknown_name
from suite.matrix.model_sizes import find_model_size
from suite.matrix.planned_cells import (
    FindTunedRate,
    PlannedCell,
    no_tuned_rate,
    plan_cell,
    with_parents,
)
from suite.matrix.registry import Registry
from suite.matrix.request import Request, check_request
from suite.matrix.workloads import Entry, Workload, find_entries, find_workloads
from suite.records.benchmark_sections import ProbeSettings
from suite.records.benchmarks import Benchmark
from suite.records.options import as_text, check_data_options, defaults_of, parse_options

OF_NO_BENCHMARK = {"benchmark_hash": None, "ranked": False, "seeds": ()}
"""The ranking facts of a cell that is no final run."""


@dataclass(frozen=True, slots=True)
class _Point:
    """The coordinates of a cell, except workload and entry."""

    length: int
    steps: int
    model_size: str
    backend: str
    precision: str
    seed: int
    round: int


def expand(
    request: Request,
    registry: Registry,
    find_tuned_rate: FindTunedRate = no_tuned_rate,
) -> list[PlannedCell]:
    """Return the cells of a request in running order.

    `find_tuned_rate` returns the learning rate that was tuned for a cell, or None. A learning rate
    in the request overrides the tuned one.

    Probes come first, then decodings, then trainings. Seeds and rounds vary slowest, then the steps
    of trainings, then model sizes. Entries vary fastest, then precisions and backends. The cells of
    one comparison therefore run side by side, and a drift of the machine's speed affects all of
    them alike.

    Raises:
        RequestError: the request has an unknown name or an invalid value.
        PluginError: the file of a requested task or architecture cannot be used.
    """
    benchmark = registry.benchmarks.get(request.benchmark)
    check_request(request)
    sizes = [request.model_size] if request.model_size else benchmark.model_size
    workloads = find_workloads(request, registry, benchmark)
    entries = {
        workload.mode: find_entries(request, registry, benchmark, workload.mode)
        for workload in workloads
    }
    _check_options(request, workloads, entries)
    cells = [
        _plan(request, benchmark, registry, workload, entry, point, find_tuned_rate)
        for mode in (Mode.PROBE, Mode.DECODE, Mode.TRAIN)
        if mode in entries
        for seed, round_number in _repetitions(request, benchmark, workloads, mode)
        for workload in workloads
        if workload.mode is mode and _is_repeated(request, workload, round_number)
        for steps in workload.budgets
        for size in sizes
        for length in workload.lengths
        for backend in request.backends or (benchmark.backend,)
        for precision in request.precisions or (benchmark.precision,)
        for point in [_Point(length, steps, size, backend, precision, seed, round_number)]
        for entry in entries[mode]
        if entry.runs(workload.name, length, None if request.steps else steps or None)
    ]
    if not cells:
        raise RequestError(
            f"The benchmark '{benchmark.name}' limits the requested entries to other tasks or "
            "lengths, so that no entry has a cell",
            received=", ".join(f"{one.name or one.mode} at {one.lengths}" for one in workloads),
            remedy=f"`bench plan --benchmark {benchmark.name}` lists its cells",
        )
    cells = _final_together(request, cells)
    cells = with_parents(cells, benchmark, registry, find_tuned_rate)
    # Two probes of a benchmark may meet: a batch of one sequence, and one of as many positions.
    return list({planned.cell.id: planned for planned in cells}.values())


def _final_together(request: Request, cells: Sequence[PlannedCell]) -> list[PlannedCell]:
    """Make trials of all cells of a workload if one is a trial, so that their scores compare.

    A request that adds a seed or a length to those of a benchmark is thus no final run.
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
    """Refuse an option that no workload and no architecture of the request has.

    The options that a benchmark sets for a task must be options of this task.
    """
    for workload in workloads:
        of_task = _defaults(workload, None)
        for name in workload.options:
            if name not in of_task:
                raise unknown_name(f"option of the task '{workload.name}'", name, of_task)
    known = {name for workload in workloads for name in _defaults(workload, None)}
    known |= {
        name for of in entries.values() for entry in of for name in entry.architecture.options
    }
    for name in request.options:
        if name not in known:
            raise unknown_name("option", name, known)


def _defaults(workload: Workload, architecture: Architecture | None) -> dict[str, Any]:
    of_task = defaults_of(workload.task) if workload.task else {}
    own = architecture.options if architecture else {}
    return {**RUN_OPTIONS, **of_task, **own}


def _repetitions(
    request: Request, benchmark: Benchmark, workloads: Sequence[Workload], mode: Mode
) -> Iterator[tuple[int, int]]:
    """Yield (seed, round): a training is repeated by seed, a probe by round."""
    if mode is Mode.TRAIN:
        yield from ((seed, 0) for seed in request.seeds or benchmark.seeds)
    else:
        rounds = [
            workload.settings.rounds
            for workload in workloads
            if isinstance(workload.settings, ProbeSettings) and workload.mode is mode
        ]
        yield from ((0, number) for number in range(request.rounds or max(rounds)))


def _is_repeated(request: Request, workload: Workload, round_number: int) -> bool:
    """Return whether a workload has this round."""
    settings = workload.settings
    if request.rounds or not isinstance(settings, ProbeSettings):
        return True
    return round_number < settings.rounds


def _plan(
    request: Request,
    benchmark: Benchmark,
    registry: Registry,
    workload: Workload,
    entry: Entry,
    point: _Point,
    find_tuned_rate: FindTunedRate,
) -> PlannedCell:
    defaults = _defaults(workload, entry.architecture)
    listed = as_text({**workload.options, **entry.options})
    asked = {**listed, **request.options}
    cell = Cell(
        mode=workload.mode,
        task=workload.name,
        form=workload.form,
        source=workload.source.cell_name if workload.source else None,
        options=parse_options(asked, defaults),
        architecture=entry.name,
        task_version=workload.task.version if workload.task else None,
        architecture_version=entry.architecture.version,
        sequence_length=point.length,
        batch_size=request.batch_size or workload.settings.batch_size(point.length),
        model_size=find_model_size(point.model_size).name,
        steps=point.steps,
        precision=point.precision,
        backend=point.backend,
        threads=request.threads,
        seed=point.seed,
        round=point.round,
        evaluation_lengths=workload.evaluation_lengths,
        methods=entry.methods,
    )
    tuning = (
        None
        if "learning_rate" in asked
        else find_tuned_rate(benchmark.tuning_point(cell, workload.task))
    )
    own = entry.of_benchmark(workload.name, point.length, point.steps or None) and _has_settings_of(
        benchmark, workload, cell, parse_options(listed, defaults)
    )
    final = own and benchmark.is_frozen
    cell = replace(
        cell,
        options=cell.options
        if tuning is None
        else parse_options({**asked, "learning_rate": str(tuning.learning_rate)}, defaults),
        benchmark=benchmark.label_of(cell.task) if final else None,
        scores_test=workload.task is not None and (final or request.score_test),
    )
    check_data_options(cell.options)
    planned = plan_cell(cell, workload.task, workload.source, registry, benchmark, tuning)
    return replace(planned, of_benchmark=own)


def _has_settings_of(
    benchmark: Benchmark, workload: Workload, cell: Cell, options: Options
) -> bool:
    """Return whether a cell is one of a benchmark: the data and the threads are the user's.

    Only such a run of a frozen benchmark scores the test split of its own accord, so that no option
    can be chosen by test scores.
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
