"""Python values → script files, which a page can load when it is opened from disk."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from suite.analysis.estimates import Estimate, Figure
from suite.api.files import atomic_write_bytes
from suite.records.measures import CHARTED, QUALITY

MEASURE_NUMBERS = {QUALITY: -1, **{name: number for number, name in enumerate(CHARTED)}}
"""The number by which the pages know a measure: its place among the charted ones."""

DIGITS = 7
"""The digits of a figure. With few digits, what a page prints would be rounded twice, and its last
digit could differ from that on the leaderboard."""


def write_script(path: Path, name: str, content: Any) -> None:
    """Write a script that assigns the content to `window.NAME`."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    atomic_write_bytes(path, f"window.{name}={text};\n".encode())


def shorten(value: Any) -> Any:
    """Return a number rounded to `DIGITS` significant digits, or None where it is not finite.

    A whole number is returned as an integer, which needs no decimal point. Other values are
    returned unchanged.
    """
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        return None
    rounded = float(f"{value:.{DIGITS}g}")
    return int(rounded) if rounded.is_integer() else rounded


def estimate_row(one: Estimate) -> list[Any]:
    """Return an estimate, the ends of its interval and its number of repeats, shortened.

    A disturbed cost has a fifth item, 1.
    """
    marks = [1] if isinstance(one, Figure) and one.is_disturbed else []
    return [*(shorten(value) for value in (one.value, one.low, one.high)), one.n, *marks]


def mapped(value: Any, change: Callable[[Any], Any] = shorten) -> Any:
    """Return a value of lists and mappings, in which each other value is changed."""
    if isinstance(value, dict):
        return {name: mapped(inner, change) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [mapped(inner, change) for inner in value]
    return change(value)
