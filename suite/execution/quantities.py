"""Sizes and durations that users write, such as "8GiB" and "150m"."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress

from suite.api import RequestError

DURATION_UNITS = {"s": 1, "m": 60, "h": 3_600}
SIZE_UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "KB": 10**3, "MB": 10**6, "GB": 10**9}


def parse_size(text: str) -> int:
    """Return the bytes of a size such as "8GiB".

    Raises:
        RequestError: the text is no size.
    """
    return max(1, int(_parse(text, SIZE_UNITS, "A size", "8GiB")))


def parse_duration(text: str) -> float:
    """Return the seconds of a duration such as "150m".

    Raises:
        RequestError: the text is no duration.
    """
    return _parse(text, DURATION_UNITS, "A duration", "150m")


def _parse(text: str, units: Mapping[str, int], what: str, example: str) -> float:
    unit = next(filter(text.endswith, units), "")
    with suppress(ValueError, OverflowError):
        amount = float(text.removesuffix(unit)) * units.get(unit, math.nan)
        if 0 < amount < math.inf:
            return amount
    raise RequestError(
        f"{what} is a number above 0 and a unit",
        received=repr(text),
        remedy=f"Write {example}; units: {', '.join(units)}",
    )
