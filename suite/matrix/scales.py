"""The scale of a benchmark: the scores that count as 0 and 100, written into its file once.

Scores hold for the versions that they were measured with. A score of another version is measured
anew.
"""

from __future__ import annotations

from collections.abc import Mapping

from suite.api import Task
from suite.api.errors import RequestError
from suite.matrix.benchmark_writing import with_hash, with_tables
from suite.records.benchmark_sections import Scale
from suite.records.benchmarks import SCALE, Benchmark, hash_scale

ScoresByLength = Mapping[str, Mapping[int, float]]
"""A score by task and length."""
References = Mapping[str, Mapping[int, tuple[float, int]]]
"""The score and the version of `vanilla`, by task and length."""
DIGITS = 6
"""The number of significant digits of a score in the file."""


def add_to_scale(
    benchmark: Benchmark, zeros: ScoresByLength, hundreds: References, tasks: Mapping[str, Task]
) -> int:
    """Write the scores that a benchmark's file lacks, and return their number.

    A score of the present versions stays as it is. A place needs a trivial score before a
    reference.

    Raises:
        RequestError: a reference is not better than the trivial score.
    """
    scale = {task: dict(of_task) for task, of_task in benchmark.scale.items()}
    num_new = 0
    for name, of_task in zeros.items():
        versions = {
            "task_version": tasks[name].version,
            "benchmark_version": benchmark.version_of(name),
        }
        for length, zero in of_task.items():
            known = scale.setdefault(name, {}).get(str(length))
            if known is None or not known.holds_for(**versions):
                scale[name][str(length)] = Scale(zero=_rounded(zero), **versions)
                num_new += 1
    for name, references in hundreds.items():
        for length, (score, version) in references.items():
            known = scale.get(name, {}).get(str(length))
            if known and known.vanilla_version != version:
                update = {"hundred": _rounded(score), "vanilla_version": version}
                _check_better(name, length, known.zero, update["hundred"], tasks[name])
                scale[name][str(length)] = known.model_copy(update=update)
                num_new += 1
    if num_new:
        _write(benchmark, scale)
    return num_new


def _check_better(name: str, length: int, zero: float, hundred: float, task: Task) -> None:
    if hundred > zero if task.primary_metric.higher_is_better else hundred < zero:
        return
    raise RequestError(
        f"The reference of {name} at length {length} must be better than the trivial predictor",
        received=f"{hundred:g} against {zero:g}",
        remedy="Check the published final runs",
    )


def _rounded(score: float) -> float:
    return float(f"{score:.{DIGITS}g}")


def _write(benchmark: Benchmark, scale: Mapping[str, Mapping[str, Scale]]) -> None:
    """Replace the sections of the scale and their hash in the file."""
    tables = {
        task: {length: _inline(at) for length, at in of_task.items()}
        for task, of_task in scale.items()
    }
    text = with_tables(benchmark.path.read_text(), SCALE, tables)
    benchmark.path.write_text(with_hash(text, SCALE, hash_scale(scale)))


def _inline(scale: Scale) -> str:
    stated = scale.model_dump(exclude_none=True).items()
    return f"{{ {', '.join(f'{name} = {value!r}' for name, value in stated)} }}"
