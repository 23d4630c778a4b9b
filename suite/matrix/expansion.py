"""Request × registry → ordered cells, each runnable or `unsupported` with its reason. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from suite.api import (
    BACKENDS,
    COMPILE_MODES,
    PRECISIONS,
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
from suite.matrix.presets import DEFAULT_PRESET, Preset, find_model_size, find_preset
from suite.matrix.ranking_facts import ranking_facts
from suite.matrix.registry import Registry
from suite.records.schema import RankingFacts, TuningChoice

MAX_THREADS = 1_024
"""More are a slip of the hand, and a framework starts them all."""
KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}
"""What an option takes, by the type of its default."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asks for. None means: what the preset or the task says."""

    mode: Mode = Mode.TRAIN
    preset: str = DEFAULT_PRESET
    tasks: tuple[str, ...] | None = None
    architectures: tuple[str, ...] | None = None
    lengths: tuple[int, ...] | None = None
    seeds: tuple[int, ...] | None = None
    rounds: int | None = None
    model_size: str | None = None
    batch_size: int | None = None
    budget: int | None = None
    source: str | None = None
    data_dir: str | None = None
    download: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    form: str | None = None
    backends: tuple[str, ...] = BACKENDS[:1]
    precisions: tuple[str, ...] = PRECISIONS[:1]
    threads: int = 1


@dataclass(frozen=True, slots=True)
class PlannedCell:
    """A cell, the source that it reads, why it cannot run (or None), and its ranking facts."""

    cell: Cell
    source: SourceRequest | None
    unsupported: str | None
    ranking: RankingFacts


@dataclass(frozen=True, slots=True)
class _Workload:
    """What a cell works on: a task, or None for the random tokens of a probe."""

    name: str | None
    task: Task | None
    form: Form
    lengths: tuple[int, ...]
    source: SourceRequest | None
    options: Options
    recipe: Recipe
    effort: PresetOverride


@dataclass(frozen=True, slots=True)
class _Point:
    """Where an architecture is measured or trained on a workload."""

    length: int
    backend: str
    precision: str
    seed: int
    round: int


def parse_source(text: str) -> SourceRequest:
    """Split `kind:argument`."""
    kind, _, argument = text.partition(":")
    return SourceRequest(kind=kind, argument=argument)


def recipe_for(task: Task | None, options: Options) -> Recipe:
    """Return a task's recipe with a cell's overrides applied (a probe has the plain one)."""
    recipe = task.recipe if task else Recipe()
    known = asdict(recipe)
    return replace(recipe, **{name: value for name, value in options.items() if name in known})


def expand(
    request: Request,
    registry: Registry,
    choices: Mapping[tuple[str, int, str, str], TuningChoice] | None = None,
) -> list[PlannedCell]:
    """Return the cells of a request in running order.

    `choices` are the learning rates that tuning chose, by task, its version, source and
    architecture. A rate that the request names takes precedence.

    Seeds and rounds are outermost and architectures innermost, backends and precisions next to
    them, so that the cells of one comparison run side by side and a machine's drift hits all alike.

    Raises:
        RequestError: the request names what does not exist or cannot be.
        PluginError: it names a task or an architecture whose file cannot be used.
    """
    preset, rates = find_preset(request.preset), choices or {}
    _check_choices(request)
    architectures = _chosen_architectures(request, registry)
    workloads = [_workload(request, registry, preset, name) for name in _chosen_tasks(request)]
    _check_options(request, workloads, architectures)
    return [
        _plan(request, preset, workload, name, architecture, point, rates)
        for seed, round_number in _repetitions(request, preset)
        for workload in workloads
        for length in workload.lengths
        for backend in request.backends
        for precision in request.precisions
        for point in [_Point(length, backend, precision, seed, round_number)]
        for name, architecture in architectures.items()
    ]


def shortest_supported(cells: Iterable[PlannedCell]) -> dict[str, int]:
    """Return by architecture the shortest length that it supports; without one it is left out."""
    found: dict[str, int] = {}
    for planned in cells:
        if not planned.unsupported:
            cell = planned.cell
            shortest = found.get(cell.architecture, cell.sequence_length)
            found[cell.architecture] = min(shortest, cell.sequence_length)
    return found


def _check_choices(request: Request) -> None:
    for axis, names, known in (
        ("backend", request.backends, BACKENDS),
        ("precision", request.precisions, PRECISIONS),
    ):
        _check_unique(axis, names)
        for name in names:
            if name not in known:
                raise unknown_name(axis, name, known)
    if request.form is not None:
        if request.mode is Mode.TRAIN:
            raise RequestError(
                "A task says which form it needs; only a probe is told",
                received=f"form {request.form}",
                remedy="Leave it out, or use mode probe",
            )
        if request.form not in list(Form):
            raise unknown_name("form", request.form, list(Form))
    for name, values in (("length", request.lengths), ("seed", request.seeds)):
        _check_unique(name, values)
    if request.lengths and list(request.lengths) != sorted(request.lengths):
        raise RequestError(
            "Lengths are given from the shortest to the longest",
            received=",".join(map(str, request.lengths)),
        )
    for length in request.lengths or ():
        _check_at_least_one("A sequence length", length)
    for seed in request.seeds or ():
        if not 0 <= seed < 2**32:
            raise RequestError("A seed is a whole number from 0 to 4294967295", received=seed)
    for what, number in (
        ("A batch size", request.batch_size),
        ("A budget", request.budget),
        ("The number of rounds", request.rounds),
        ("The number of threads", request.threads),
    ):
        if number is not None:
            _check_at_least_one(what, number)
    if request.threads > MAX_THREADS:
        raise RequestError(
            f"A cell has at most {MAX_THREADS:,} threads", received=f"{request.threads:,}"
        )


def _check_at_least_one(what: str, number: int) -> None:
    if number < 1:
        raise RequestError(f"{what} is a whole number of at least 1", received=number)


def _check_unique(what: str, values: Sequence[Any] | None) -> None:
    if values is not None and len(set(values)) < len(values):
        raise RequestError(f"Each {what} may be named once", received=",".join(map(str, values)))


def _chosen_tasks(request: Request) -> Sequence[str | None]:
    if request.mode is Mode.PROBE:
        if request.tasks or request.source or request.budget:
            raise RequestError(
                "A probe measures on random tokens and takes no task, no source and no budget",
                received=", ".join(request.tasks or ()) or request.source or request.budget,
                remedy="Leave them out, or use mode train",
            )
        return (None,)
    if not request.tasks:
        raise RequestError("Mode train needs a task", remedy="Name one: --task ner")
    _check_unique("task", request.tasks)
    return request.tasks


def _chosen_architectures(request: Request, registry: Registry) -> dict[str, Architecture]:
    """Return the named architectures, or all: a control joins unnamed only in probes."""
    known = registry.architectures
    if request.architectures is not None:
        _check_unique("architecture", request.architectures)
        return {name: known.get(name) for name in request.architectures}
    return {
        name: part
        for name, part in sorted(known.plugins.items())
        if request.mode is Mode.PROBE or not part.control
    }


def _workload(
    request: Request, registry: Registry, preset: Preset, task_name: str | None
) -> _Workload:
    if task_name is None:
        lengths = request.lengths or preset.probe_lengths
        form = Form(request.form or Form.ENCODER)
        return _Workload(None, None, form, lengths, None, {}, Recipe(), PresetOverride())
    task = registry.tasks.get(task_name)
    source = _checked_source(task_name, task, request)
    effort = task.preset_overrides.get(preset.name, PresetOverride())
    lengths = request.lengths or effort.lengths or task.default_lengths[: preset.num_lengths]
    return _Workload(task_name, task, task.form, lengths, source, task.options, task.recipe, effort)


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
    """Refuse an option that nothing in the request has."""
    known = {name for workload in workloads for name in _defaults(workload, None)}
    known |= {name for architecture in architectures.values() for name in architecture.options}
    for name in request.options:
        if name not in known:
            raise unknown_name("option", name, known)


def _defaults(workload: _Workload, architecture: Architecture | None) -> dict[str, Any]:
    recipe = asdict(workload.recipe) if workload.task else {}
    own = architecture.options if architecture else {}
    return {**RUN_OPTIONS, **recipe, **workload.options, **own}


def _overrides(asked: Mapping[str, str], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the options that apply and differ from their defaults, in the defaults' types."""
    values = {name: _parse(name, asked[name], defaults[name]) for name in asked if name in defaults}
    return {name: value for name, value in sorted(values.items()) if value != defaults[name]}


def _parse(name: str, text: str, default: Any) -> Any:
    if isinstance(default, list):
        return _parse_list(name, text, default)
    try:
        # True and False too, as Python writes them.
        value = json.loads(text.lower() if isinstance(default, bool) else text)
    except ValueError:
        value = text
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if default is not None and type(value) is not type(default):
        raise RequestError(
            f"The option '{name}' is {KINDS.get(type(default), type(default).__name__)}",
            received=repr(text),
        )
    return value


def _parse_list(name: str, text: str, default: list[Any]) -> list[Any]:
    kind = type(default[0])
    try:
        values = json.loads(text if text.startswith("[") else f"[{text}]")
    except ValueError:
        values = []
    if not values or any(type(value) is not kind for value in values):
        raise RequestError(
            f"The option '{name}' is a list of {kind.__name__}",
            received=repr(text),
            remedy=f"Write it as {name}={','.join(map(str, default))}",
        )
    return list(values)


def _repetitions(request: Request, preset: Preset) -> Iterator[tuple[int, int]]:
    """Yield (seed, round): a train cell repeats by seed, a probe by round."""
    if request.mode is Mode.TRAIN:
        if request.rounds is not None:
            raise RequestError(
                "Rounds repeat a probe; a train cell is repeated by its seeds",
                received=f"rounds {request.rounds}",
                remedy="Give --seeds, or --mode probe",
            )
        yield from ((seed, 0) for seed in request.seeds or preset.seeds)
    else:
        if request.seeds is not None:
            raise RequestError(
                "Seeds repeat a train cell; a probe is repeated by its rounds",
                received=f"seeds {', '.join(map(str, request.seeds))}",
                remedy="Give --rounds, or a --task to learn",
            )
        yield from ((0, number) for number in range(request.rounds or preset.probe_rounds))


def _plan(
    request: Request,
    preset: Preset,
    workload: _Workload,
    name: str,
    architecture: Architecture,
    point: _Point,
    choices: Mapping[tuple[str, int, str, str], TuningChoice],
) -> PlannedCell:
    train = workload.task is not None
    effort = workload.effort
    tokens_per_batch = preset.probe_tokens_per_batch
    if train:
        tokens_per_batch = effort.tokens_per_batch or preset.tokens_per_batch
    asked = {**{key: str(value) for key, value in effort.options.items()}, **request.options}
    source = workload.source.cell_name if workload.source else None
    version = workload.task.version if workload.task else 0
    tuning = choices.get((workload.name or "", version, source or "", name))
    if "learning_rate" in asked:
        tuning = None
    elif tuning is not None:
        asked = {**asked, "learning_rate": str(tuning.learning_rate)}
    model_size = find_model_size(request.model_size or effort.model_size or preset.model_size)
    cell = Cell(
        mode=request.mode,
        task=workload.name,
        form=workload.form,
        source=source,
        options=_overrides(asked, _defaults(workload, architecture)),
        architecture=name,
        task_version=workload.task.version if workload.task else None,
        architecture_version=architecture.version,
        sequence_length=point.length,
        batch_size=request.batch_size
        or (train and effort.examples_per_batch)
        or max(1, tokens_per_batch // point.length),
        model_size=model_size.name,
        budget=(request.budget or effort.budget or preset.training_tokens) if train else 0,
        precision=point.precision,
        backend=point.backend,
        threads=request.threads,
        seed=point.seed,
        round=point.round,
    )
    reason = _wrong_options(cell)
    if workload.task:
        reason = reason or workload.task.unsupported_reason(point.length)
    recipe = recipe_for(workload.task, cell.options)
    if workload.task and workload.task.contiguous and recipe.curriculum_share:
        reason = reason or (
            "reads one stream, whose examples cannot come shortest first; "
            f"received: curriculum_share={recipe.curriculum_share}"
        )
    build = build_request(cell, model_size, recipe, workload.task, architecture)
    reason = reason or supports(architecture, build)
    facts = ranking_facts(cell, workload.task, tuning)
    return PlannedCell(cell, workload.source, reason, facts)


def _wrong_options(cell: Cell) -> str | None:
    """Say why a cell cannot be run as its `RUN_OPTIONS` say, or None."""
    devices, mode = (cell.options.get(name, RUN_OPTIONS[name]) for name in ("devices", "compile"))
    if devices < 1 or cell.batch_size % devices:
        return (
            "splits a batch evenly over its devices; "
            f"received: batch_size={cell.batch_size}, devices={devices}"
        )
    if devices > 1 and cell.backend != "jax":
        return f"is split over devices on JAX alone; received: backend={cell.backend}"
    if mode not in COMPILE_MODES:
        return f"compiles in one of the modes {', '.join(COMPILE_MODES)}; received: {mode}"
    if mode != "auto" and cell.backend != "tensorflow":
        return f"takes a compile mode on TensorFlow alone; received: backend={cell.backend}"
    return None
