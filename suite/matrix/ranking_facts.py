"""The facts that ranking needs about a cell, taken from its task during planning."""

from __future__ import annotations

from typing import Any

from suite.api import DATA_OPTIONS, Cell, Options, Task, Track, methods_text, track_of
from suite.records.benchmarks import Benchmark
from suite.records.naming import OBJECTIVE, entry_name
from suite.records.options import listed_options
from suite.records.schema import RankingFacts, TuningChoice


def ranking_facts(
    cell: Cell,
    task: Task | None,
    tuning: TuningChoice | None,
    benchmark: Benchmark | None = None,
    objective: str | None = None,
) -> RankingFacts:
    """Return the ranking facts of a cell; `tuning` is the choice that was applied to it.

    `benchmark` is the benchmark of the request. The options that it sets for the task belong to the
    comparison, as those of the task itself and `DATA_OPTIONS` do. The others are part of the
    entry's name. The learning rate is part of the name only if a user asked for it: a tuned rate
    belongs to the architecture's best version. Methods belong to the entry, and to the open track.
    `objective` names the metric of another objective that a method sets; it belongs to the
    comparison.
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
    of_task = track_of(task, cell.options) if task else Track.STANDARD
    track = str(Track.OPEN if cell.methods else of_task)
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
    """Return the options of a cell that all entries of its comparison share."""
    if task is None:
        return {}
    listed = listed_options(task, of_benchmark)
    return {
        name: value
        for name, value in cell.options.items()
        if name in {*task.options, *DATA_OPTIONS} or (name in listed and listed[name] == value)
    }
