"""Planned cells: a cell with the reason why it cannot run, its ranking facts and its parents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from suite.api import (
    DATA_OPTIONS,
    RUN_OPTIONS,
    TRAINED,
    VALIDATION_OPTIONS,
    Cell,
    Limits,
    Options,
    Recipe,
    SourceRequest,
    Task,
    Track,
    build_request,
    methods_text,
    supports,
    task_options,
    track_of,
)
from suite.api.errors import RequestError
from suite.matrix.method_sets import parents_of, task_of, unsupported_by_methods
from suite.matrix.registry import Registry
from suite.records.benchmarks import Benchmark
from suite.records.model_sizes import find_model_size
from suite.records.naming import OBJECTIVE, cell_label, entry_name
from suite.records.options import (
    as_text,
    defaults_of,
    listed_options,
    parse_options,
    unsupported_run_options,
)
from suite.records.schema import RankingFacts, TuningChoice

FindTunedRate = Callable[[Cell], TuningChoice | None]


@dataclass(frozen=True, slots=True)
class PlannedCell:
    """A cell, the source of its data, why it cannot run (or None), and its ranking facts.

    `of_benchmark` is true if the cell has the settings of the request's benchmark: a final run,
    once that is frozen. `parents` maps roles to the ids of the cells whose trained models the cell
    takes. `task` is the one that is trained: a method may set another objective. `draws_samples` is
    false for a trial, which needs its validation score alone. A parent with more steps than the
    cells that were asked for gets `time_factor` times their limit of time.
    """

    cell: Cell
    source: SourceRequest | None
    unsupported: str | None
    ranking: RankingFacts
    of_benchmark: bool = False
    parents: Mapping[str, str] = field(default_factory=dict)
    keeps_weights: bool = False
    task: Task | None = None
    draws_samples: bool = True
    time_factor: float = 1.0

    @property
    def recipe(self) -> Recipe:
        """The recipe of the task, with the cell's options."""
        return recipe_for(self.task, self.cell.options)

    def limits_from(self, limits: Limits) -> Limits:
        """Return the limits of the cell, from those of the request."""
        return replace(limits, seconds=self.time_factor * limits.seconds)


def no_tuned_rate(cell: Cell) -> None:
    """Return None: no learning rate was tuned."""


def recipe_for(task: Task | None, options: Options) -> Recipe:
    """Return a task's recipe with a cell's overrides applied; a probe gets the default recipe."""
    recipe = task.recipe if task else Recipe()
    known = recipe.to_dict()
    return replace(recipe, **{name: value for name, value in options.items() if name in known})


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans the cells of a benchmark with the plug-ins of a registry and the tuned rates."""

    registry: Registry
    benchmark: Benchmark
    find_tuned_rate: FindTunedRate

    def tuned_rate(self, cell: Cell, task: Task | None) -> TuningChoice | None:
        """Return the learning rate that was tuned for a cell, or None."""
        return self.find_tuned_rate(self.benchmark.tuning_point(cell, task))

    def plan(
        self,
        cell: Cell,
        task: Task | None,
        source: SourceRequest | None,
        tuning: TuningChoice | None,
    ) -> PlannedCell:
        """Return a cell with the reason why it cannot run, if any, and its ranking facts."""
        architecture = self.registry.architectures.get(cell.architecture)
        methods = self.registry.methods.plugins
        trained = task and task_of(task, cell, methods)
        objective = trained.primary_metric.name if trained and trained is not task else None
        recipe = recipe_for(trained, cell.options)
        build = build_request(cell, find_model_size(cell.model_size), recipe, trained, architecture)
        reason = (
            unsupported_run_options(cell)
            or _unsupported_by_task(trained, cell)
            or supports(architecture, build)
            or unsupported_by_methods(cell, methods, trained, build, architecture)
        )
        facts = ranking_facts(cell, trained, tuning, self.benchmark, objective)
        return PlannedCell(cell, source, reason, facts, task=trained)

    def with_parents(self, cells: Sequence[PlannedCell]) -> list[PlannedCell]:
        """Return the cells with the cells that they need before them, each once."""
        with_needed: dict[str, PlannedCell] = {}

        def add(planned: PlannedCell) -> PlannedCell:
            methods = self.registry.methods.plugins
            needed = {} if planned.unsupported else parents_of(planned.cell, methods)
            parents = {
                role: add(self._plan_parent(planned, role, cell)) for role, cell in needed.items()
            }
            for parent in parents.values():
                with_needed[parent.cell.id] = replace(parent, keeps_weights=True)
            reasons = [
                f"it needs {cell_label(each.cell, each.ranking)}: {each.unsupported}"
                for each in parents.values()
                if each.unsupported
            ]
            planned = replace(
                planned,
                parents={role: parent.cell.id for role, parent in parents.items()},
                unsupported=planned.unsupported or next(iter(reasons), None),
            )
            known = with_needed.get(planned.cell.id)
            with_needed[planned.cell.id] = replace(
                planned,
                keeps_weights=known is not None and known.keeps_weights,
                time_factor=max(planned.time_factor, known.time_factor if known else 1.0),
                of_benchmark=planned.of_benchmark or (known is not None and known.of_benchmark),
            )
            return planned

        for planned in cells:
            add(planned)
        return list(with_needed.values())

    def _plan_parent(self, child: PlannedCell, role: str, cell: Cell) -> PlannedCell:
        """Return the cell that trains a parent. It has no test scores unless it is an entry too."""
        assert cell.task is not None
        task = self.registry.tasks.get(cell.task)
        if role == TRAINED:
            planned = self.plan(cell, task, child.source, child.ranking.tuning)
            return replace(planned, of_benchmark=child.of_benchmark)
        architecture = self.registry.architectures.get(cell.architecture)
        own = architecture.defaults(cell.options)
        defaults = {**RUN_OPTIONS, **defaults_of(task), **own}
        cell = replace(
            cell,
            architecture_version=architecture.version,
            options=parse_options(as_text(cell.options), defaults),
            benchmark=None,
            scores_test=False,
            evaluation_lengths=(),
        )
        tuning = None if "learning_rate" in cell.options else self.tuned_rate(cell, task)
        if tuning is not None:
            cell = replace(cell, options={**cell.options, "learning_rate": tuning.learning_rate})
        planned = self.plan(cell, task, child.source, tuning)
        factor = max(1.0, cell.steps / child.cell.steps) * child.time_factor
        return replace(planned, time_factor=factor)


def _unsupported_by_task(task: Task | None, cell: Cell) -> str | None:
    """Return why a task cannot be learned as the cell says, or None if it can."""
    if task is None:
        return None
    options = task_options(task, cell.options)
    changed = [f"{name}={cell.options[name]}" for name in task.options if name in cell.options]
    if reason := task.unsupported_reason(cell.sequence_length, options):
        received = ", ".join([f"length {cell.sequence_length}", *changed])
        return f"the task {reason}; received: {received}"
    if reason := task.unsupported_batch_reason(cell.batch_size, cell.sequence_length, options):
        received = ", ".join(
            [f"batch size {cell.batch_size} at length {cell.sequence_length}", *changed]
        )
        return f"the task {reason}; received: {received}"
    for length in cell.evaluation_lengths:
        if reason := task.unsupported_reason(length, options):
            raise RequestError(
                f"The task '{cell.task}' {reason}",
                received=", ".join([f"evaluation length {length}", *changed]),
                remedy="Choose other evaluation lengths or options",
            )
    return None


def ranking_facts(
    cell: Cell,
    task: Task | None,
    tuning: TuningChoice | None,
    benchmark: Benchmark | None = None,
    objective: str | None = None,
) -> RankingFacts:
    """Return the ranking facts of a cell; `tuning` is the choice that was applied to it.

    The options of the task, those that `benchmark` sets for it, `DATA_OPTIONS` and
    `VALIDATION_OPTIONS` belong to the comparison, the others to the entry's name. A learning rate
    is part of the name only if a user asked for it: a tuned rate belongs to the architecture's best
    version. Methods belong to the entry, and to the open track. `objective` names the metric of
    another objective, which belongs to the comparison.
    """
    settings = benchmark.nearest_settings(cell, task) if benchmark and task else None
    shared = _shared_options(cell, task, settings.options if settings else {})
    own = {name: value for name, value in cell.options.items() if name not in shared}
    if objective is not None:
        shared[OBJECTIVE] = objective
    if tuning is not None:
        own.pop("learning_rate", None)
    final = benchmark is not None and cell.benchmark == benchmark.label_of(cell.task)
    benchmark_hash = benchmark.hash_of(cell.task) if benchmark and final else None
    entry = entry_name(cell.architecture, own, methods_text(cell.methods))
    task_track = track_of(task, cell.options) if task else Track.STANDARD
    track = str(Track.OPEN if cell.methods else task_track)
    if task is None:
        return RankingFacts(entry=entry, benchmark_hash=benchmark_hash, track=track)
    source = task.sources.get(cell.source_kind)
    ranked = final and benchmark is not None and benchmark.ranked
    return RankingFacts(
        entry=entry,
        task_options=shared,
        metric=task.primary_metric.name,
        higher_is_better=task.primary_metric.higher_is_better,
        share=task.primary_metric.share,
        scored_unit=task.scored_unit,
        track=track,
        drawn_for_length=source is not None and source.drawn_for_length,
        learning_rate=cell.options.get("learning_rate", task.recipe.learning_rate),
        tuning=tuning,
        benchmark_hash=benchmark_hash,
        ranked=ranked,
        seeds=benchmark.seeds if benchmark and ranked else (),
    )


def _shared_options(cell: Cell, task: Task | None, of_benchmark: Options) -> dict[str, Any]:
    if task is None:
        return {}
    listed = listed_options(task, of_benchmark)
    return {
        name: value
        for name, value in cell.options.items()
        if name in {*task.options, *DATA_OPTIONS, *VALIDATION_OPTIONS}
        or (name in listed and listed[name] == value)
    }
