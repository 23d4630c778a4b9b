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
    PresetOverride,
    Recipe,
    SourceRequest,
    Task,
    build_request,
    supports,
)
from suite.api.errors import RequestError, unknown_name
from suite.matrix.options import parse_options, unsupported_run_options
from suite.matrix.presets import Preset, find_model_size, find_preset
from suite.matrix.ranking_facts import ranking_facts
from suite.matrix.registry import Registry
from suite.matrix.request import Request, check_request, check_unique, parse_source
from suite.records.schema import RankingFacts, TuningChoice


@dataclass(frozen=True, slots=True)
class PlannedCell:
    """A cell, the source of its data, why it cannot run (or None), and its ranking facts."""

    cell: Cell
    source: SourceRequest | None
    unsupported: str | None
    ranking: RankingFacts


FindTunedRate = Callable[[Cell], TuningChoice | None]


def no_tuned_rate(cell: Cell) -> None:
    """Return None: no learning rate was tuned."""


@dataclass(frozen=True, slots=True)
class _Workload:
    """A task with its source and lengths; a probe's random tokens have no name and no task."""

    name: str | None
    task: Task | None
    form: Form
    lengths: tuple[int, ...]
    source: SourceRequest | None
    options: Options
    recipe: Recipe
    override: PresetOverride


@dataclass(frozen=True, slots=True)
class _Point:
    """The coordinates of a cell, except workload and architecture."""

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

    Seeds and rounds vary slowest. Architectures vary fastest, then precisions and backends. The
    cells of one comparison therefore run side by side, and a drift of the machine's speed affects
    all of them alike.

    Raises:
        RequestError: the request has an unknown name or an invalid value.
        PluginError: the file of a requested task or architecture cannot be used.
    """
    preset = find_preset(request.preset)
    check_request(request)
    architectures = _chosen_architectures(request, registry)
    workloads = [_workload(request, registry, preset, name) for name in _chosen_tasks(request)]
    _check_options(request, workloads, architectures)
    return [
        _plan(request, preset, workload, name, architecture, point, find_tuned_rate)
        for seed, round_number in _repetitions(request, preset)
        for workload in workloads
        for length in workload.lengths
        for backend in request.backends
        for precision in request.precisions
        for point in [_Point(length, backend, precision, seed, round_number)]
        for name, architecture in architectures.items()
    ]


def _chosen_tasks(request: Request) -> Sequence[str | None]:
    if request.mode is Mode.PROBE:
        if request.tasks or request.source or request.budget:
            raise RequestError(
                "A probe measures on random tokens and takes no task, no source and no budget",
                received=", ".join(request.tasks or ()) or request.source or request.budget,
                remedy="Omit these options, or use --mode train",
            )
        return (None,)
    if not request.tasks:
        raise RequestError("Mode train needs a task", remedy="Name one: --task ner")
    check_unique("task", request.tasks)
    return request.tasks


def _chosen_architectures(request: Request, registry: Registry) -> dict[str, Architecture]:
    """Return the requested architectures; by default all, with controls in probes only."""
    known = registry.architectures
    if request.architectures is not None:
        check_unique("architecture", request.architectures)
        return {name: known.get(name) for name in request.architectures}
    return {
        name: plugin
        for name, plugin in sorted(known.plugins.items())
        if request.mode is Mode.PROBE or not plugin.control
    }


def _workload(
    request: Request, registry: Registry, preset: Preset, task_name: str | None
) -> _Workload:
    if task_name is None:
        lengths = request.lengths or preset.probe_lengths
        form = Form(request.form or Form.ENCODER)
        return _Workload(None, None, form, lengths, None, {}, Recipe(), PresetOverride())
    task = registry.tasks.get(task_name)
    override = task.preset_overrides.get(preset.name, PresetOverride())
    return _Workload(
        name=task_name,
        task=task,
        form=task.form,
        lengths=request.lengths or override.lengths or task.default_lengths[: preset.num_lengths],
        source=_checked_source(task_name, task, request),
        options=task.options,
        recipe=task.recipe,
        override=override,
    )


def _checked_source(name: str, task: Task, request: Request) -> SourceRequest:
    asked = parse_source(request.source or task.default_source)
    if asked.kind not in task.sources:
        raise unknown_name(f"source for the task '{name}'", asked.kind, task.sources)
    declared = task.sources[asked.kind]
    if asked.argument and not declared.argument:
        raise RequestError(
            f"The source '{asked.kind}' takes nothing after a colon", received=request.source
        )
    if declared.argument_required and not asked.argument:
        raise RequestError(
            f"The source '{asked.kind}' needs its {declared.argument} after a colon",
            received=request.source,
            remedy=f"Write {asked.kind}:{declared.argument}",
        )
    return replace(asked, data_dir=request.data_dir, download=request.download)


def _check_options(
    request: Request, workloads: Sequence[_Workload], architectures: Mapping[str, Architecture]
) -> None:
    """Refuse an option that no workload and no architecture of the request has."""
    known = {name for workload in workloads for name in _defaults(workload, None)}
    known |= {name for architecture in architectures.values() for name in architecture.options}
    for name in request.options:
        if name not in known:
            raise unknown_name("option", name, known)


def _defaults(workload: _Workload, architecture: Architecture | None) -> dict[str, Any]:
    recipe = asdict(workload.recipe) if workload.task else {}
    own = architecture.options if architecture else {}
    return {**RUN_OPTIONS, **recipe, **workload.options, **own}


def _repetitions(request: Request, preset: Preset) -> Iterator[tuple[int, int]]:
    """Yield (seed, round): a training is repeated by seed, a probe by round."""
    if request.mode is Mode.TRAIN:
        yield from ((seed, 0) for seed in request.seeds or preset.seeds)
    else:
        yield from ((0, number) for number in range(request.rounds or preset.probe_rounds))


def _plan(
    request: Request,
    preset: Preset,
    workload: _Workload,
    name: str,
    architecture: Architecture,
    point: _Point,
    find_tuned_rate: FindTunedRate,
) -> PlannedCell:
    train = workload.task is not None
    override = workload.override
    tokens_per_batch = preset.probe_tokens_per_batch
    if train:
        tokens_per_batch = override.tokens_per_batch or preset.tokens_per_batch
    asked = {**{key: str(value) for key, value in override.options.items()}, **request.options}
    source = workload.source.cell_name if workload.source else None
    defaults = _defaults(workload, architecture)
    model_size = find_model_size(request.model_size or override.model_size or preset.model_size)
    cell = Cell(
        mode=request.mode,
        task=workload.name,
        form=workload.form,
        source=source,
        options=parse_options(asked, defaults),
        architecture=name,
        task_version=workload.task.version if workload.task else None,
        architecture_version=architecture.version,
        sequence_length=point.length,
        batch_size=request.batch_size
        or (train and override.examples_per_batch)
        or max(1, tokens_per_batch // point.length),
        model_size=model_size.name,
        budget=(request.budget or override.budget or preset.training_tokens) if train else 0,
        precision=point.precision,
        backend=point.backend,
        threads=request.threads,
        seed=point.seed,
        round=point.round,
    )
    tuning = None if "learning_rate" in asked else find_tuned_rate(cell)
    if tuning is not None:
        asked = {**asked, "learning_rate": str(tuning.learning_rate)}
        cell = replace(cell, options=parse_options(asked, defaults))
    recipe = recipe_for(workload.task, cell.options)
    reason = unsupported_run_options(cell) or _unsupported_by_task(workload.task, cell, recipe)
    build = build_request(cell, model_size, recipe, workload.task, architecture)
    reason = reason or supports(architecture, build)
    return PlannedCell(cell, workload.source, reason, ranking_facts(cell, workload.task, tuning))


def _unsupported_by_task(task: Task | None, cell: Cell, recipe: Recipe) -> str | None:
    """Return why a task cannot be learned as the cell says, or None if it can."""
    if task is None:
        return None
    if reason := task.unsupported_reason(cell.sequence_length):
        return reason
    if task.contiguous and recipe.curriculum_share:
        return (
            "the task reads one stream, whose examples cannot come shortest first; "
            f"received: curriculum_share={recipe.curriculum_share}"
        )
    return None
