"""Sizes and durations that users write, such as "8GiB" and "150m"."""

from __future__ import annotations

import math
from contextlib import suppress

from suite.api import RequestError

DURATION_UNITS = {"s": 1, "m": 60, "h": 3_600}
SIZE_UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "KB": 10**3, "MB": 10**6, "GB": 10**9}


def parse_size(text: str) -> int:
    """Return the bytes of a size such as "8GiB".

    Raises:
        RequestError: the text is not a size, or its unit is unknown.
    """
    for unit, factor in SIZE_UNITS.items():
        if text.endswith(unit):
            try:
                size = int(float(text[: -len(unit)]) * factor)
            except (ValueError, OverflowError):
                break
            if size > 0:
                return size
    raise RequestError(
        "A size is a number above 0 and a unit",
        received=repr(text),
        remedy=f"Write 8GiB; units: {', '.join(SIZE_UNITS)}",
    )


def parse_duration(text: str) -> float:
    """Return the seconds of a duration such as "150m".

    Raises:
        RequestError: the text is not a duration, or its unit is unknown.
    """
    unit = text[-1:]
    with suppress(ValueError, OverflowError):
        seconds = float(text[:-1]) * DURATION_UNITS.get(unit, math.nan)
        if 0 < seconds < math.inf:
            return seconds
    raise RequestError(
        "A duration is a number above 0 and a unit",
        received=repr(text),
        remedy=f"Write 150m; units: {', '.join(DURATION_UNITS)}",
    )
