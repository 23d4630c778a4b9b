"""What tasks ask of the values of their options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from suite.api.errors import RequestError


def check_range(options: Mapping[str, Any], name: str, least: int, most: int | None = None) -> None:
    """Refuse an option's value outside of its range, ends included.

    Raises:
        RequestError: it lies outside.
    """
    value = options[name]
    if value < least or (most is not None and value > most):
        wanted = f"at least {least:,}" if most is None else f"from {least:,} to {most:,}"
        raise RequestError(f"The option '{name}' is {wanted}", received=value)
