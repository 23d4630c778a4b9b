"""Records of the final runs of a benchmark, made from its cells without running them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from suite.analysis.boards import Board, rank_comparisons
from suite.analysis.comparisons import compare
from suite.analysis.leaderboard import Leaderboard, make_leaderboard
from suite.api import Mode, Status
from suite.matrix.expansion import expand
from suite.matrix.freezing import freeze
from suite.matrix.planned_cells import PlannedCell
from suite.matrix.registry import Registry, load_registry
from suite.matrix.request import Request
from suite.records.benchmarks import read_benchmark
from suite.records.published import StoredRecord
from tests.builders.records import make_record

SMALL = """
name = "small"
version = 1
summary = "a test's benchmark"
model_size = "tiny"
seeds = [0, 1, 2]
time_limit_seconds = 60

[tasks.ner]
lengths = [128, 512]
steps = 10
positions_per_step = 512

[tasks.sentiment]
lengths = [128]
steps = 10
examples_per_step = 4

[tasks.language_modeling]
lengths = [64]
steps = 10
positions_per_step = 512
"""
REGISTRY = load_registry(())
TRIVIAL = """
[trivial.ner]
128 = 0.0
512 = 0.0

[trivial.sentiment]
128 = 0.5
"""
"""The test scores of trivial predictors."""
UNREAD = Path("unread")
Value = Callable[[PlannedCell], float | None]
"""The test score of a cell; None leaves the cell out."""


def write_benchmark(folder: Path, content: str, name: str) -> Path:
    """Write a draft of a benchmark into a folder of BENCH_PATH, and return the file."""
    path = folder / "benchmarks" / f"{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def benchmark_folder(folder: Path, content: str = SMALL, *, name: str = "small") -> Path:
    """Write a frozen benchmark into a folder of BENCH_PATH, and return the folder.

    The fingerprint of the data of a task is the task's name, as in `final_runs`.
    """
    benchmark = read_benchmark(write_benchmark(folder, content, name))
    data: dict[str, dict[int, str]] = {}
    for task, settings in benchmark.each_settings:
        data.setdefault(task, {}).update(dict.fromkeys(settings.lengths, task))
    freeze(benchmark, data)
    return folder


def final_runs(
    registry: Registry,
    value: Value,
    architectures: Sequence[str],
    name: str = "small",
    minutes: int = 0,
    **fields,
) -> list[StoredRecord]:
    """Return a record for each cell of a benchmark that has a value."""
    request = Request(mode=Mode.TRAIN, benchmark=name, architectures=tuple(architectures))
    found = []
    for planned in expand(dataclasses.replace(request, **fields), registry):
        score = None if planned.unsupported else value(planned)
        if score is None:
            continue
        metric = planned.ranking.metric
        split = "test" if planned.cell.scores_test else "validation"
        record = make_record(
            Status.OK,
            minutes,
            planned.cell,
            ranking=planned.ranking,
            metrics={split: {metric: score}},
            reports={split: {"without_part": {metric: (score,) * 4}}},
            data={"fingerprint": planned.cell.task},
            parameter_count=1_000_000,
            parameter_counts={"total": 1_000_000, "mixing": 800_000},
        )
        found.append(StoredRecord(record, "abacus", UNREAD))
    return found


def make_boards(
    records: Iterable[StoredRecord], task_versions: Mapping[str, int] | None = None
) -> list[Board]:
    """Return the boards of records."""
    records = list(records)
    return rank_comparisons(compare(records, task_versions))


def board_of(records: Iterable[StoredRecord], folder: Path, name: str = "small") -> Leaderboard:
    """Return the leaderboard of records."""
    records = list(records)
    registry = load_registry((str(folder),))
    comparisons = compare(records, registry.task_versions)
    return make_leaderboard(
        registry.benchmarks.get(name),
        comparisons,
        rank_comparisons(comparisons),
        registry.tasks.plugins,
    )


def by_architecture(values: Mapping[str, float], spread: float = 0.001) -> Value:
    """Return scores that depend on the architecture, and by `spread` on the seed.

    Seeds affect each architecture in another order, so that they have no effect of their own.
    """

    def value(planned: PlannedCell) -> float | None:
        cell = planned.cell
        if cell.architecture not in values:
            return None
        order = (cell.seed + sorted(values).index(cell.architecture)) % 3 - 1
        return values[cell.architecture] + spread * order

    return value
