"""Checks of the options of methods."""

from __future__ import annotations

from suite.api import Method, Options, RequestError

Rule = tuple[str, bool, str]
"""The name of an option, whether its value is valid, and the valid values in words."""


def check_options(method: Method, options: Options, *rules: Rule) -> None:
    """Refuse the first option whose value is invalid."""
    key = type(method).__module__.rpartition(".")[2]
    for name, is_valid, valid in rules:
        if not is_valid:
            raise RequestError(f"The option '{name}' of {key} is {valid}", received=options[name])


def from_0_to_1(options: Options, name: str) -> Rule:
    return name, 0 <= options[name] <= 1, "from 0 to 1"


def from_0_to_below_1(options: Options, name: str) -> Rule:
    return name, 0 <= options[name] < 1, "from 0 to below 1"


def at_least(minimum: int, options: Options, name: str) -> Rule:
    return name, options[name] >= minimum, f"at least {minimum}"
