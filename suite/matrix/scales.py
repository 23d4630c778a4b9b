"""The scale of a benchmark: the scores that count as 0 and 100, written into its file once."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from suite.api.errors import RequestError
from suite.matrix.benchmarks import SCALE, Benchmark, Scale, hash_scale
from suite.matrix.freezing import FROZEN

ScoresByLength = Mapping[str, Mapping[int, float]]
"""A score by task and length."""
SECTION = re.compile(r"^\[scale\.[^\n]*\n(?:(?!\[)[^\n]*\n?)*", re.MULTILINE)
HASH = re.compile(rf"^{SCALE} = \"[0-9a-f]*\"\n?", re.MULTILINE)
DIGITS = 6
"""The number of significant digits of a score in the file."""


def add_to_scale(
    benchmark: Benchmark,
    zeros: ScoresByLength,
    hundreds: ScoresByLength,
    losses: Collection[str] = (),
) -> int:
    """Write the scores that a benchmark's file lacks, and return their number.

    A score that the file has stays as it is. A place needs a trivial score before a reference.
    `losses` are the tasks whose smaller score is the better.

    Raises:
        RequestError: a reference is not better than the trivial score.
    """
    scale = {task: dict(of_task) for task, of_task in benchmark.scale.items()}
    num_new = 0
    for task, of_task in zeros.items():
        for length, zero in of_task.items():
            if str(length) not in scale.setdefault(task, {}):
                scale[task][str(length)] = Scale(zero=_rounded(zero))
                num_new += 1
    for task, of_task in hundreds.items():
        for length, hundred in of_task.items():
            known = scale.get(task, {}).get(str(length))
            if known and known.hundred is None:
                _check_better(task, length, known.zero, _rounded(hundred), task in losses)
                scale[task][str(length)] = Scale(zero=known.zero, hundred=_rounded(hundred))
                num_new += 1
    if num_new:
        _write(benchmark, scale)
    return num_new


def _check_better(task: str, length: int, zero: float, hundred: float, is_loss: bool) -> None:
    if hundred < zero if is_loss else hundred > zero:
        return
    raise RequestError(
        f"The reference of {task} at length {length} must be better than the trivial predictor",
        received=f"{hundred:g} against {zero:g}",
        remedy="Check the published final runs",
    )


def _rounded(score: float) -> float:
    return float(f"{score:.{DIGITS}g}")


def _write(benchmark: Benchmark, scale: Mapping[str, Mapping[str, Scale]]) -> None:
    """Replace the sections of the scale and their hash in the file."""
    text = HASH.sub("", SECTION.sub("", benchmark.path.read_text()))
    sections = [
        f"[scale.{task}]\n"
        + "".join(f"{length} = {_inline(at)}\n" for length, at in of_task.items())
        for task, of_task in scale.items()
    ]
    body, *rest = FROZEN.split(text, maxsplit=1)
    frozen = "".join(rest)
    frozen = f'[frozen]\n{frozen.strip()}\n{SCALE} = "{hash_scale(scale)}"\n'.replace("\n\n", "\n")
    benchmark.path.write_text("\n".join([body.rstrip() + "\n", *sections, frozen]))


def _inline(scale: Scale) -> str:
    hundred = "" if scale.hundred is None else f", hundred = {scale.hundred!r}"
    return f"{{ zero = {scale.zero!r}{hundred} }}"
