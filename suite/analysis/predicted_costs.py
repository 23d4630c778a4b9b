"""The costs of a comparison at lengths that it did not measure, predicted (see `predictions`)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from suite.analysis.comparisons import Comparison
from suite.analysis.predictions import FARTHEST, cost_series, fit_series

STEPS = (1.0, 1.5)
"""The predicted lengths are these multiples of the powers of two."""


@dataclass(frozen=True, slots=True)
class PredictedCost:
    """A predicted cost of an entry, with its 90% interval; speeds are those of the step times."""

    entry: str
    measure: str
    sequence_length: int
    batch_size: int
    value: float
    low: float
    high: float


def predicted_costs(comparison: Comparison, lengths: Collection[int]) -> Iterator[PredictedCost]:
    """Yield the costs of a comparison of probes at lengths that an entry was not measured at.

    These are `lengths` and a few between each length and its double, from the shortest measured
    length to `FARTHEST` times the longest. The time of a step becomes the tokens per second, which
    boards rank by; that of a generated token stays. A series that does not follow the form has
    none.
    """
    measured = {entry.sequence_length for entry in comparison.entries}
    batches = {entry.batch_size for entry in comparison.entries}
    if len(measured) < 2 or len(batches) != 1:
        return
    (batch_size,) = batches
    wanted = sorted({*lengths, *_between(min(measured), FARTHEST * max(measured))})
    for entry, measure, figures in cost_series(comparison):
        fit = fit_series(figures)
        if fit is None:
            continue
        phase, _, name = measure.partition(".")
        is_speed = name == "step_seconds" and phase != "generation"
        for length in wanted:
            found = None if length in figures else fit.predict(length)
            if found is None or found.low <= 0:
                continue
            ends = found.value, found.low, found.high
            if is_speed:
                tokens = batch_size * length
                ends = tokens / found.value, tokens / found.high, tokens / found.low
            shown = f"{phase}.tokens_per_second" if is_speed else measure
            yield PredictedCost(entry, shown, length, batch_size, *ends)


def _between(shortest: int, longest: int) -> Iterator[int]:
    """Yield the lengths of `STEPS` in a range."""
    power = 1
    while power <= longest:
        for step in STEPS:
            if shortest <= power * step <= longest:
                yield int(power * step)
        power *= 2
