"""Samples and their statistics, as a record holds them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

Measurements = dict[str, dict[str, Any]]


def measurement(samples: Sequence[float], method: str) -> dict[str, Any]:
    """Return the samples of one measure with their median and, of several, the quartiles."""
    quartiles = statistics.quantiles(samples, method="inclusive") if len(samples) > 1 else None
    return {
        "value": statistics.median(samples) if samples else None,
        "n": len(samples),
        "samples": list(samples),
        "quartiles": quartiles and (quartiles[0], quartiles[2]),
        "method": method,
    }


def single(value: float | None, method: str) -> dict[str, Any]:
    """Return a measure of one sample. For the value None, `method` states the reason."""
    return measurement([] if value is None else [float(value)], method)
