"""Samples and their statistics, as a record holds them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

Measurements = dict[str, dict[str, Any]]


def measurement(samples: Sequence[float], method: str) -> dict[str, Any]:
    """Return the samples of one measure with their median and quartiles."""
    return {
        "value": statistics.median(samples) if samples else None,
        "n": len(samples),
        "samples": list(samples),
        "quartiles": quartiles(samples),
        "method": method,
    }


def single(value: float | None, method: str) -> dict[str, Any]:
    """Return a measure of one sample. For the value None, `method` states the reason."""
    return measurement([] if value is None else [float(value)], method)


def quartiles(samples: Sequence[float]) -> tuple[float, float] | None:
    """Return the first and third quartile (inclusive method), None for fewer than two samples."""
    if len(samples) < 2:
        return None
    first, _, third = statistics.quantiles(samples, n=4, method="inclusive")
    return first, third


def percentile(samples: Sequence[float], percent: int) -> float:
    """Return a percentile, interpolated between neighbours (inclusive method)."""
    return statistics.quantiles(samples, n=100, method="inclusive")[percent - 1]
