"""The strengths of disturbances, and the base of the methods that disturb words."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from suite.api import (
    Examples,
    Method,
    MethodContext,
    MethodRequest,
    Options,
    Stage,
    task_options,
)
from suite.methods._options import check_options


def check_strengths(method: Method, options: Options, highest: float = 1.0) -> None:
    """Check that no strength is out of range or named twice."""
    strengths = options["strengths"]
    in_range = all(0 <= strength <= highest for strength in strengths)
    check_options(
        method,
        options,
        ("strengths", in_range, f"a list of numbers from 0 to {highest:g}"),
        ("strengths", len(set(strengths)) == len(strengths), "a list that names each number once"),
    )


class WordDisturbance(Method):
    """Scores on text in which a share of the words, the strength, is disturbed.

    The words depend on the seed of the cell and the strength alone: all architectures are scored on
    the same examples.
    """

    version = 1
    stage = Stage.EVALUATE
    options = {"strengths": [0.0, 0.05, 0.1, 0.2]}
    name: str
    """The name of the conditions."""

    def draw(
        self, words: Sequence[str], strength: float, generator: Any
    ) -> Sequence[tuple[int, str]]:
        """Return the disturbed words, each with the position of the word that it stands for."""
        raise NotImplementedError

    def check(self, options: Options) -> None:
        check_strengths(self, options)

    def unsupported_reason(self, request: MethodRequest) -> str | None:
        task = request.task
        reason = task.disturbance_reason(task_options(task, request.cell.options))
        return f"disturbs words, but the task {reason}" if reason else None

    def conditions(
        self, model: Any, examples: Examples, context: MethodContext
    ) -> Iterator[tuple[str, Examples]]:
        """Yield the examples at each strength; a strength of 0 yields the examples themselves."""
        for strength in context.options["strengths"]:
            condition = f"{self.name}={strength:g}"
            yield condition, self._disturbed(examples, strength, condition, context)

    def _disturbed(
        self, examples: Examples, strength: float, condition: str, context: MethodContext
    ) -> Examples:
        import numpy as np

        if strength == 0:
            return examples
        generator = np.random.default_rng([context.cell.seed, zlib.crc32(condition.encode())])
        disturbed: Examples = context.task.disturb(
            examples, lambda words: self.draw(words, strength, generator), context.spec
        )
        return disturbed
