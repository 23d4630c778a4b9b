"""The facts that ranking needs about a cell, taken from its task during planning."""

from __future__ import annotations

from suite.api import Cell, Task, track_of
from suite.matrix.benchmarks import Benchmark
from suite.records.naming import entry_name
from suite.records.schema import RankingFacts, TuningChoice


def ranking_facts(
    cell: Cell,
    task: Task | None,
    tuning: TuningChoice | None,
    benchmark: Benchmark | None = None,
) -> RankingFacts:
    """Return the ranking facts of a cell; `tuning` is the choice that was applied to it.

    `benchmark` is the frozen benchmark whose final run the cell belongs to; None for other runs.
    The learning rate is part of the entry's name only if a user asked for it. A tuned rate belongs
    to the architecture's best version, and is not part of the name.
    """
    of_task = task.options if task else {}
    own = {name: value for name, value in cell.options.items() if name not in of_task}
    if tuning is not None:
        own.pop("learning_rate", None)
    benchmark_hash = benchmark.content_hash if benchmark else None
    if task is None:
        return RankingFacts(entry=entry_name(cell.architecture, own), benchmark_hash=benchmark_hash)
    source = task.sources.get(cell.source_kind)
    return RankingFacts(
        entry=entry_name(cell.architecture, own),
        task_options={name: cell.options[name] for name in cell.options if name in of_task},
        metric=task.primary_metric.name,
        higher_is_better=task.primary_metric.higher_is_better,
        share=task.primary_metric.share,
        scored_unit=task.scored_unit,
        track=str(track_of(task, cell.options)),
        drawn_for_length=source is not None and source.drawn_for_length,
        learning_rate=cell.options.get("learning_rate", task.recipe.learning_rate),
        tuning=tuning,
        benchmark_hash=benchmark_hash,
        ranked=benchmark is not None and benchmark.ranked,
    )
