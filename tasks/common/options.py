"""Checks of the values of task options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from suite.api import RequestError


def check_range(
    options: Mapping[str, Any], name: str, minimum: int, maximum: int | None = None
) -> None:
    """Check that an option's value is within its range, bounds included.

    Raises:
        RequestError: the value is out of range.
    """
    value = options[name]
    if value < minimum or (maximum is not None and value > maximum):
        allowed = f"at least {minimum:,}" if maximum is None else f"from {minimum:,} to {maximum:,}"
        raise RequestError(f"The option '{name}' must be {allowed}", received=value)
