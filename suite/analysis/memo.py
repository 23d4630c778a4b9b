"""Results that an object keeps: tables, boards and pages ask a point for the same figure often."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

Self = TypeVar("Self")
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def memoized(
    method: Callable[Concatenate[Self, Parameters], Result],
) -> Callable[Concatenate[Self, Parameters], Result]:
    """Let a method of an immutable object return what it returned before for equal arguments.

    The object keeps the results, so that they end with it. Callers must not change a result.
    """
    name = method.__name__

    @functools.wraps(method)
    def call(self: Self, /, *arguments: Parameters.args, **named: Parameters.kwargs) -> Result:
        known = self.__dict__.setdefault("_memoized", {})
        key = (name, arguments, tuple(named.items())) if named else (name, arguments)
        if key not in known:
            known[key] = method(self, *arguments, **named)
        result: Result = known[key]
        return result

    return call
