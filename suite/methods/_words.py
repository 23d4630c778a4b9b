"""Helpers of the methods that disturb words: strengths, their check, and the loop over them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from suite.api import ChangeWords, Examples, MethodContext, MethodRequest, Options, task_options
from suite.api.errors import RequestError

Generator = Any
Draw = Callable[[Sequence[str], float, Generator], Sequence[tuple[int, str]]]
"""A function that draws disturbed words: of the words, the strength and a NumPy generator."""


def check_strengths(name: str, options: Options, highest: float = 1.0) -> None:
    """Check the strengths of a method.

    Raises:
        RequestError: a strength is out of range, or is named twice.
    """
    strengths = options["strengths"]
    if not all(0 <= strength <= highest for strength in strengths):
        raise RequestError(
            f"The option 'strengths' of {name} has numbers from 0 to {highest:g}",
            received=strengths,
        )
    if len(set(strengths)) < len(strengths):
        raise RequestError(f"Each of the strengths of {name} is named once", received=strengths)


def words_reason(request: MethodRequest) -> str | None:
    """Return why a task's words cannot be disturbed, or None."""
    task, options = request.task, request.cell.options
    if reason := task.disturbance_reason(task_options(task, options)):
        return f"disturbs words, but the task {reason}"
    return None


def disturbed_copies(
    name: str, examples: Examples, context: MethodContext, draw: Draw
) -> Iterator[tuple[str, Examples]]:
    """Yield the examples at each strength; a strength of 0 yields the examples themselves.

    The words depend on the seed of the cell and the strength alone: all architectures are scored on
    the same examples.
    """
    import numpy as np

    for strength in context.options["strengths"]:
        condition = f"{name}={strength:g}"
        if strength == 0:
            yield condition, examples
            continue
        seed = [context.cell.seed, zlib.crc32(condition.encode())]
        yield (
            condition,
            context.task.disturb(
                examples, _change(draw, strength, np.random.default_rng(seed)), context.spec
            ),
        )


def _change(draw: Draw, strength: float, generator: Generator) -> ChangeWords:
    return lambda words: draw(words, strength, generator)
