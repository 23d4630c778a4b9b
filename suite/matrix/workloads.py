"""The workloads and entries of a request: what each comparison trains or probes, and whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from suite.api import (
    RUN_OPTIONS,
    Architecture,
    Form,
    Mode,
    Options,
    SourceRequest,
    Task,
)
from suite.api.errors import RequestError, check_name
from suite.matrix.method_sets import Methods, parse_methods
from suite.matrix.registry import Registry
from suite.matrix.request import Request, check_unique
from suite.records.benchmark_sections import (
    DecodingSettings,
    EntrySettings,
    ProbeSettings,
    TaskSettings,
)
from suite.records.benchmarks import Benchmark
from suite.records.options import defaults_of, listed_options, parse_option

NAMED_LENGTHS = 8
"""An error names at most so many lengths."""


@dataclass(frozen=True, slots=True)
class Workload:
    """A task, a probe or a decoding with its settings; random tokens have no name and no task.

    `budgets` are the numbers of updates of its trainings; (0,) for a probe or a decoding.
    """

    name: str | None
    task: Task | None
    form: Form
    settings: TaskSettings | ProbeSettings
    lengths: tuple[int, ...]
    budgets: tuple[int, ...]
    source: SourceRequest | None
    evaluation_lengths: tuple[int, ...] = ()

    @property
    def mode(self) -> Mode:
        """The mode of the cells."""
        if self.task:
            return Mode.TRAIN
        return Mode.DECODE if isinstance(self.settings, DecodingSettings) else Mode.PROBE

    @property
    def known_budgets(self) -> tuple[int, ...]:
        """The numbers of updates in the benchmark, to which it can limit an entry."""
        return self.settings.steps if isinstance(self.settings, TaskSettings) else ()

    @property
    def options(self) -> Options:
        """The options that the benchmark sets for the task."""
        return self.settings.options if isinstance(self.settings, TaskSettings) else {}


@dataclass(frozen=True, slots=True)
class Entry:
    """An architecture, with the options that the benchmark lists for it, and methods.

    `listed` are the entries of the benchmark's file that it is; None if the file need not list it.
    A `requested` entry runs at all tasks and lengths of the request, another one where the file
    lists it.
    """

    name: str
    architecture: Architecture
    options: Options
    methods: Methods = ()
    listed: tuple[EntrySettings, ...] | None = None
    requested: bool = True

    def of_benchmark(self, task: str | None, length: int, steps: int | None) -> bool:
        """Return whether the benchmark has the entry at a task, or in a probe, and a length."""
        return self.listed is None or any(
            listed.includes(task, length, steps) for listed in self.listed
        )

    def runs(self, task: str | None, length: int, steps: int | None) -> bool:
        """Return whether the entry has a cell at a task, or in a probe, and a length."""
        return self.requested or self.of_benchmark(task, length, steps)


def find_workloads(request: Request, registry: Registry, benchmark: Benchmark) -> list[Workload]:
    """Return the workloads of a request: those of its mode, or all of the benchmark."""
    mode = request.mode or (Mode.TRAIN if request.tasks else None)
    workloads = []
    if mode in (Mode.PROBE, None):
        workloads += _probes(request, benchmark.probes)
    if mode in (Mode.DECODE, None):
        workloads += _probes(request, benchmark.decodings)
    if mode in (Mode.TRAIN, None):
        names = request.tasks or tuple(benchmark.tasks)
        check_unique("task", names)
        for name in names:
            workloads += _of_task(request, registry.tasks.get(name), benchmark, name)
    if not workloads:
        missing = "probes" if mode is Mode.PROBE else "tasks"
        missing = "decodings" if mode is Mode.DECODE else missing
        raise RequestError(
            f"The benchmark '{benchmark.name}' has no {missing}",
            received=f"mode {mode}",
            remedy="`bench benchmarks` lists what each benchmark has",
        )
    return workloads


def _probes(request: Request, probes: Sequence[ProbeSettings]) -> list[Workload]:
    name = "decoding" if request.mode is Mode.DECODE else "probe"
    if request.mode is not None and (request.tasks or request.source or request.steps):
        raise RequestError(
            f"A {name} measures on random tokens and takes no task, no source and no steps",
            received=", ".join(request.tasks or ()) or request.source or request.steps,
            remedy="Omit these options, or use --mode train",
        )
    if request.form is not None:
        form = Form(request.form)
        of_form = [settings for settings in probes if settings.form is form]
        probes = list(
            of_form or (settings.model_copy(update={"form": form}) for settings in probes[:1])
        )
    return [
        Workload(
            name=None,
            task=None,
            form=settings.form,
            settings=settings,
            lengths=request.lengths or settings.lengths,
            budgets=(0,),
            source=None,
        )
        for settings in probes
    ]


def _of_task(request: Request, task: Task, benchmark: Benchmark, name: str) -> Iterator[Workload]:
    several = _with_requested_options(request, task, benchmark.settings_of(name, task))
    known = {length for settings in several for length in settings.lengths}
    asked = request.evaluation_lengths
    for settings in several:
        # A requested length that only other settings have belongs to those.
        lengths = tuple(
            length
            for length in request.lengths or settings.lengths
            if length in settings.lengths or length not in known
        )
        if not lengths:
            continue
        _check_lengths(name, request, settings, lengths)
        reached = tuple(n for n in settings.evaluation_lengths if n >= max(lengths))
        yield Workload(
            name=name,
            task=task,
            form=task.form,
            settings=settings,
            lengths=lengths,
            budgets=(request.steps,) if request.steps else settings.steps,
            source=_checked_source(name, task, request, settings.source),
            evaluation_lengths=_checked_evaluation_lengths(
                name, task, lengths, reached if asked is None else asked
            ),
        )


def _with_requested_options(
    request: Request, task: Task, several: Sequence[TaskSettings]
) -> Sequence[TaskSettings]:
    """Return the settings with a requested option, or all where none has it."""
    defaults = {**RUN_OPTIONS, **defaults_of(task)}
    for name, value in request.options.items():
        if name in defaults:
            values = [
                {**defaults, **listed_options(task, settings.options)}[name] for settings in several
            ]
            asked = parse_option(name, value, defaults[name])
            several = [
                settings for settings, own in zip(several, values, strict=True) if own == asked
            ] or several
    return several


def _checked_evaluation_lengths(
    name: str, task: Task, lengths: tuple[int, ...], asked: tuple[int, ...]
) -> tuple[int, ...]:
    """Return the lengths at which a model of each training length is scored."""
    if not asked:
        return ()
    if not task.evaluation_lengths_supported:
        raise RequestError(
            f"The task '{name}' is scored at its training length alone",
            received=f"evaluation lengths {','.join(map(str, asked))}",
            remedy="Leave out the evaluation lengths, or choose another task",
        )
    if asked[0] < max(lengths):
        raise RequestError(
            "An evaluation length is at least the training length",
            received=f"evaluation length {asked[0]} after training at {max(lengths)}",
            remedy="Choose longer evaluation lengths, or shorter --lengths",
        )
    return asked


def _check_lengths(
    name: str, request: Request, settings: TaskSettings, lengths: Sequence[int]
) -> None:
    """Check that each update of a training has the same positions at all lengths."""
    positions = settings.positions_per_step
    if positions is None or request.batch_size is not None:
        return
    if odd := [length for length in lengths if positions % length]:
        further = len(odd) - NAMED_LENGTHS
        more = f" and {further} more" if further > 0 else ""
        raise RequestError(
            f"Each update of the task '{name}' has {positions:,} positions in the benchmark "
            f"'{request.benchmark}', so that a length must divide this number",
            received=f"length {', '.join(map(str, odd[:NAMED_LENGTHS]))}{more}",
            remedy="Choose other lengths (128..512 doubles), another benchmark, or a batch size",
        )


def find_entries(
    request: Request, registry: Registry, benchmark: Benchmark, mode: Mode
) -> list[Entry]:
    """Return the requested entries; by default those of the benchmark.

    A benchmark without a list has all architectures and the entries that the file adds. One with a
    list may add entries of others, which then have no plain entry. A listed entry without options
    and methods adds none: it limits its architecture to tasks and lengths. An architecture that is
    `probe_only` trains only if the request names it. Each entry takes each set of methods of the
    request, in place of the benchmark's.
    """
    known = registry.architectures
    added = [entry for entry in benchmark.entries if not entry.is_plain]
    if request.architectures:
        check_unique("architecture", request.architectures)
        names = request.architectures
    else:
        of_file = benchmark.architectures or sorted(known.plugins)
        names = tuple(
            name
            for name in dict.fromkeys([*of_file, *(entry.architecture for entry in added)])
            if mode is not Mode.TRAIN or not known.get(name).probe_only
        )
    variants = {entry.architecture for entry in added if not benchmark.includes(entry.architecture)}
    listed = [
        Entry(
            settings.architecture,
            known.get(settings.architecture),
            settings.options,
            parse_methods(settings.methods, registry.methods),
            (settings,),
            requested=False,
        )
        for settings in added
        if settings.architecture in names
    ]
    limits = [settings for settings in benchmark.entries if settings.is_plain]
    plain = [
        Entry(
            name,
            known.get(name),
            {},
            listed=tuple(limit for limit in limits if limit.architecture == name) or None,
            requested=False,
        )
        for name in names
        if name not in variants
    ]
    entries = [*plain, *listed]
    if request.methods is None:
        return [entry for entry in entries if mode is not Mode.DECODE or not entry.methods]
    check_unique("set of methods", [" ".join(texts) for texts in request.methods])
    sets = [parse_methods(texts, registry.methods) for texts in request.methods]
    without_methods = [entry for entry in entries if not entry.methods]
    return [_with_methods(entry, methods, listed) for entry in without_methods for methods in sets]


def _with_methods(entry: Entry, methods: Methods, listed: Sequence[Entry]) -> Entry:
    if not methods:
        return replace(entry, requested=True)
    what = (entry.name, entry.options, methods)
    same = [other for other in listed if (other.name, other.options, other.methods) == what]
    settings = tuple(each for other in same for each in other.listed or ())
    return replace(entry, methods=methods, listed=settings, requested=True)


def _checked_source(
    name: str, task: Task, request: Request, of_benchmark: str | None
) -> SourceRequest:
    text = request.source or of_benchmark or task.default_source
    kind, _, argument = text.partition(":")
    asked = SourceRequest(kind, argument)
    if asked.kind not in task.sources and "files" in task.sources and Path(text).exists():
        raise RequestError(
            f"The task '{name}' has no source of that name",
            received=repr(text),
            remedy=f"Write files:{text}",
        )
    check_name(f"source for the task '{name}'", asked.kind, task.sources)
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
