"""Expand a request and the registry into ordered cells; a cell that cannot run has a reason.

A pure function: nothing is read from disk or from records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from suite.api import (
    RUN_OPTIONS,
    Architecture,
    Cell,
    Form,
    Mode,
    Options,
    Recipe,
    SourceRequest,
    Task,
    build_request,
    supports,
    task_options,
)
from suite.api.errors import RequestError, unknown_name
from suite.matrix.benchmark_sections import ProbeSettings
from suite.matrix.benchmarks import Benchmark
from suite.matrix.model_sizes import find_model_size
from suite.matrix.options import (
    as_text,
    check_data_options,
    defaults_of,
    parse_options,
    unsupported_run_options,
)
from suite.matrix.ranking_facts import ranking_facts
from suite.matrix.registry import Registry
from suite.matrix.request import Request, check_request
from suite.matrix.workloads import Entry, Workload, find_entries, find_workloads
from suite.records.schema import RankingFacts, TuningChoice


@dataclass(frozen=True, slots=True)
class PlannedCell:
    """A cell, the source of its data, why it cannot run (or None), and its ranking facts.

    `of_benchmark` is true if the cell has the settings of the benchmark of the request: it is a
    final run as soon as the benchmark is frozen.
    """

    cell: Cell
    source: SourceRequest | None
    unsupported: str | None
    ranking: RankingFacts
    of_benchmark: bool = False


OF_NO_BENCHMARK = {"benchmark_hash": None, "ranked": False, "seeds": ()}
"""The ranking facts of a cell that is no final run."""
FindTunedRate = Callable[[Cell], TuningChoice | None]


def no_tuned_rate(cell: Cell) -> None:
    """Return None: no learning rate was tuned."""


@dataclass(frozen=True, slots=True)
class _Point:
    """The coordinates of a cell, except workload and entry."""

    length: int
    backend: str
    precision: str
    seed: int
    round: int


def recipe_for(task: Task | None, options: Options) -> Recipe:
    """Return a task's recipe with a cell's overrides applied; a probe gets the default recipe."""
    recipe = task.recipe if task else Recipe()
    known = asdict(recipe)
    return replace(recipe, **{name: value for name, value in options.items() if name in known})


def expand(
    request: Request,
    registry: Registry,
    find_tuned_rate: FindTunedRate = no_tuned_rate,
) -> list[PlannedCell]:
    """Return the cells of a request in running order.

    `find_tuned_rate` returns the learning rate that was tuned for a cell, or None. A learning rate
    in the request overrides the tuned one.

    Probes come first, then decodings, then trainings. Seeds and rounds vary slowest. Entries vary
    fastest, then precisions and backends. The cells of one comparison therefore run side by side,
    and a drift of the machine's speed affects all of them alike.

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
    cells = [
        _plan(request, benchmark, workload, entry, point, find_tuned_rate)
        for mode in (Mode.PROBE, Mode.DECODE, Mode.TRAIN)
        if mode in entries
        for seed, round_number in _repetitions(request, benchmark, workloads, mode)
        for workload in workloads
        if workload.mode is mode and _is_repeated(request, workload, round_number)
        for length in workload.lengths
        for backend in request.backends or (benchmark.backend,)
        for precision in request.precisions or (benchmark.precision,)
        for point in [_Point(length, backend, precision, seed, round_number)]
        for entry in entries[mode]
    ]
    cells = _final_together(request, cells)
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
    workload: Workload,
    entry: Entry,
    point: _Point,
    find_tuned_rate: FindTunedRate,
) -> PlannedCell:
    defaults = _defaults(workload, entry.architecture)
    listed = as_text({**workload.options, **entry.options})
    asked = {**listed, **request.options}
    model_size = find_model_size(request.model_size or benchmark.model_size)
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
        model_size=model_size.name,
        steps=(request.steps or workload.steps) if workload.task else 0,
        precision=point.precision,
        backend=point.backend,
        threads=request.threads,
        seed=point.seed,
        round=point.round,
        evaluation_lengths=workload.evaluation_lengths,
    )
    tuning = None if "learning_rate" in asked else find_tuned_rate(cell)
    own = _has_settings_of(benchmark, workload, cell, parse_options(listed, defaults))
    final = own and benchmark.is_frozen
    cell = replace(
        cell,
        options=cell.options
        if tuning is None
        else parse_options({**asked, "learning_rate": str(tuning.learning_rate)}, defaults),
        benchmark=benchmark.label if final else None,
        scores_test=workload.task is not None and (final or request.score_test),
    )
    check_data_options(cell.options)
    recipe = recipe_for(workload.task, cell.options)
    reason = unsupported_run_options(cell) or _unsupported_by_task(workload.task, cell, recipe)
    build = build_request(cell, model_size, recipe, workload.task, entry.architecture)
    reason = reason or supports(entry.architecture, build)
    facts = ranking_facts(cell, workload.task, tuning, benchmark)
    return PlannedCell(cell, workload.source, reason, facts, own)


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
        and cell
        == replace(
            cell,
            options=options,
            batch_size=settings.batch_size(cell.sequence_length),
            model_size=benchmark.model_size,
            steps=workload.steps,
            precision=benchmark.precision,
            backend=benchmark.backend,
            evaluation_lengths=getattr(settings, "evaluation_lengths", ()),
        )
    )


def _unsupported_by_task(task: Task | None, cell: Cell, recipe: Recipe) -> str | None:
    """Return why a task cannot be learned as the cell says, or None if it can.

    Raises:
        RequestError: the task's data does not fit an evaluation length.
    """
    if task is None:
        return None
    options = task_options(task, cell.options)
    changed = [f"{name}={cell.options[name]}" for name in task.options if name in cell.options]
    if reason := task.unsupported_reason(cell.sequence_length, options):
        received = ", ".join([f"length {cell.sequence_length}", *changed])
        return f"the task {reason}; received: {received}"
    for length in cell.evaluation_lengths:
        if reason := task.unsupported_reason(length, options):
            raise RequestError(
                f"The task '{cell.task}' {reason}",
                received=", ".join([f"evaluation length {length}", *changed]),
                remedy="Choose other evaluation lengths or options",
            )
    if task.contiguous and recipe.curriculum_share:
        return (
            "the task reads one stream, whose examples cannot come shortest first; "
            f"received: curriculum_share={recipe.curriculum_share}"
        )
    return None
