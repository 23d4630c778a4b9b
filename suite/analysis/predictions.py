"""Predictions of costs at lengths that were not measured, with 90% intervals.

A cost at length n is a + αn + βn², and no coefficient is negative. The forms with some of these
three terms are averaged by Akaike weights. Forms with n² have a prior weight of `SQUARED_WEIGHT`,
because costs of short lengths also bend for other reasons. Errors are relative. Their variance is
that of the residuals, moderated by `TYPICAL_ERROR` (Smyth 2004, "Linear models and empirical Bayes
methods"), plus that between sessions where it is known. An interval has draws of the coefficients
(for each form, a normal distribution without negative values), times the error of a new
measurement.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.special import ndtr, ndtri

from suite.analysis.comparisons import Comparison
from suite.analysis.estimates import Figure
from suite.records.measures import phases_of

Array = NDArray[np.float64]

PREDICTED = ("step_seconds", "peak_memory_bytes")
"""The costs of a phase that are predicted."""
COVERED = 0.9
"""The probability that an interval contains a new measurement."""
FARTHEST = 4
"""The longest predicted length, as a multiple of the longest measured one."""
FEWEST = 2
"""The fewest lengths that are fitted."""
TYPICAL_ERROR, TYPICAL_FREEDOM = 0.06, 4
"""The usual relative error around the form, and the degrees of freedom that it counts for.

This error and `SQUARED_WEIGHT` were chosen on the published probes and decodings.
"""
SQUARED_WEIGHT = 0.15
"""The prior weight of the forms with n², against those without."""
LARGEST_RESIDUAL = 0.25
"""A cost follows the form if no length is further from the best fit, relative to the cost."""
FORMS = ((0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2))
"""The powers of n in each form."""
DRAWS, SWEEPS = 500, 25
FAR_TAIL = 6.0
"""Beyond this many standard deviations, the tail of a normal distribution is an exponential one."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A cost at a length, with its 90% interval. It is predicted, not measured."""

    length: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class CostFit:
    """The fit of a cost to its lengths: a + αn + βn².

    `coefficients` are a, α and β of the best fit. Nothing is predicted beyond `end`, the most
    positions of a model with a limit.
    """

    lengths: Sequence[int]
    coefficients: tuple[float, float, float]
    largest_residual: float
    _draws: Array = field(repr=False)
    _errors: Array = field(repr=False)
    end: int | None = None

    @property
    def follows_form(self) -> bool:
        """Whether no length lies further than `LARGEST_RESIDUAL` from the best fit."""
        return self.largest_residual <= LARGEST_RESIDUAL

    @property
    def longest_predicted(self) -> int:
        """The longest length with a prediction; 0 where the costs do not follow the form."""
        farthest = FARTHEST * max(self.lengths)
        return min(farthest, self.end or farthest) if self.follows_form else 0

    def predict(self, length: int) -> Prediction | None:
        """Return the cost at a length from the shortest measured one on.

        Returns None beyond `longest_predicted`.
        """
        if not min(self.lengths) <= length <= self.longest_predicted:
            return None
        costs = self._draws @ _powers(np.array([length]), max(self.lengths))[0]
        tail = (1 - COVERED) / 2
        low, high = np.quantile(costs * self._errors, [tail, 1 - tail])
        return Prediction(length, float(np.median(costs)), float(low), float(high))

    @property
    def squared_share(self) -> tuple[float, float]:
        """The 90% interval of the share of the cost at the longest length that grows with n²."""
        tail = (1 - COVERED) / 2
        low, high = np.quantile(self._draws[:, 2] / self._draws.sum(axis=1), [tail, 1 - tail])
        return float(low), float(high)

    def longest_within(
        self, budget: float, bound: Literal["value", "low", "high"] = "value"
    ) -> int | None:
        """Return the longest predicted length whose cost is within a budget; None without any.

        `bound` may name an end of the cost's interval in place of the cost.
        """
        lengths = range(min(self.lengths), self.longest_predicted + 1)
        count = bisect_right(lengths, budget, key=lambda n: getattr(self.predict(n), bound))
        return lengths[count - 1] if count else None


def fit_cost(
    lengths: Sequence[int], costs: Sequence[float], between_sessions: float = 0.0
) -> CostFit | None:
    """Return the fit of the costs at lengths in rising order.

    `between_sessions` is the standard deviation of the logarithms of the costs between sessions.
    None means too few lengths, or a cost that is not positive.
    """
    if len(lengths) < FEWEST or min(costs) <= 0:
        return None
    generator = np.random.default_rng(0)  # the same costs have the same predictions
    design = _powers(np.array(lengths), lengths[-1]) / np.array(costs)[:, None]
    fits = [nnls(design[:, list(form)], np.ones(len(design))) for form in FORMS]
    best = fits[-1][0]
    squares = np.array([norm**2 for _, norm in fits]) + TYPICAL_FREEDOM * TYPICAL_ERROR**2
    num_terms = np.array([len(form) for form in FORMS])
    prior = [SQUARED_WEIGHT if 2 in form else 1 - SQUARED_WEIGHT for form in FORMS]
    support = np.log(prior) - num_terms - (TYPICAL_FREEDOM + len(lengths)) / 2 * np.log(squares)
    weights = np.exp(support - support.max())
    counts = generator.multinomial(DRAWS, weights / weights.sum())
    draws, errors = np.zeros((DRAWS, 3)), np.empty(DRAWS)
    stops = np.cumsum(counts)
    for form, total, count, stop in zip(FORMS, squares, counts, stops, strict=True):
        if not count:
            continue
        rows = slice(stop - count, stop)
        freedom = TYPICAL_FREEDOM + max(0, len(lengths) - len(form))
        errors[rows] = np.sqrt(total / generator.chisquare(freedom, size=count))
        draws[rows, list(form)] = _draw(design[:, list(form)], errors[rows], generator)
    scales = float(lengths[-1]) ** np.arange(3)
    spread = np.hypot(errors, between_sessions)
    return CostFit(
        lengths,
        tuple(float(value) for value in best / scales),  # type: ignore[arg-type]
        float(np.abs(design @ best - 1).max()),
        draws,
        np.exp(spread * generator.normal(size=DRAWS)),
    )


def cost_series(comparison: Comparison) -> Iterator[tuple[str, str, Mapping[int, Figure]]]:
    """Yield the entry, the measure and the figure at each length of each series of costs.

    The costs of several batch sizes are no series.
    """
    measures = [f"{phase}.{name}" for phase in phases_of(comparison.key.mode) for name in PREDICTED]
    for name, entries in comparison.by_entry().items():
        if len({entry.batch_size for entry in entries}) > 1:
            continue
        for measure in measures:
            figures = {entry.sequence_length: entry.cost(measure) for entry in entries}
            yield name, measure, {n: figures[n] for n in sorted(figures) if figures[n]}  # type: ignore[misc]


def fit_series(figures: Mapping[int, Figure]) -> CostFit | None:
    """Return the fit of a series, with the variance between the sessions that measured it."""
    known = [figure.between_sessions for figure in figures.values() if figure.between_sessions]
    between = math.sqrt(sum(each**2 for each in known) / len(known)) if known else 0.0
    return fit_cost([*figures], [figure.value for figure in figures.values()], between)


def _powers(lengths: Array, longest: int) -> Array:
    """Return 1, n and n² of each length, relative to the longest one."""
    powers: Array = (lengths[:, None] / longest) ** np.arange(3)
    return powers


def _draw(design: Array, errors: Array, generator: np.random.Generator) -> Array:
    """Return a draw of the coefficients for each error, without negative ones (Gibbs sampling)."""
    products, wanted = design.T @ design, design.sum(axis=0)
    draws = np.tile(nnls(design, np.ones(len(design)))[0], (len(errors), 1))
    squares = products.diagonal()
    deviations = [errors / np.sqrt(square) for square in squares]
    for _ in range(SWEEPS):
        for index, (square, deviation) in enumerate(zip(squares, deviations, strict=True)):
            others = draws @ products[:, index] - draws[:, index] * square
            mean = (wanted[index] - others) / square
            draws[:, index] = _positive_normal(mean, deviation, generator)
    return draws


def _positive_normal(mean: Array, deviation: Array, generator: np.random.Generator) -> Array:
    """Return draws of normal distributions from which negative values are cut off."""
    uniform, starts = generator.uniform(size=len(mean)), -mean / deviation
    below = ndtr(np.minimum(starts, FAR_TAIL))
    drawn = mean + deviation * ndtri(below + uniform * (1 - below))
    if (far := starts > FAR_TAIL).any():
        # There the density falls exponentially, and its quantiles have no digits left.
        tail = -np.log1p(-uniform) * deviation / np.maximum(starts, FAR_TAIL)
        drawn = np.where(far, tail, drawn)
    positive: Array = np.maximum(drawn, 0.0)
    return positive


STEPS = (1.0, 1.5)
"""The predicted lengths are these multiples of the powers of two."""


class PredictedCost(NamedTuple):
    """A predicted cost of an entry, with its 90% interval; speeds are those of the step times."""

    entry: str
    sequence_length: int
    batch_size: int
    measure: str
    value: float
    low: float
    high: float


def predicted_costs(comparison: Comparison, lengths: Collection[int]) -> Iterator[PredictedCost]:
    """Yield the costs of a comparison of probes at lengths that an entry was not measured at.

    These are `lengths`, and those of `STEPS` from the shortest measured length to `FARTHEST` times
    the longest. The time of a step becomes the tokens per second, which boards rank by; that of a
    generated token stays.
    """
    measured = {entry.sequence_length for entry in comparison.entries}
    batches = {entry.batch_size for entry in comparison.entries}
    if len(measured) < 2 or len(batches) != 1:
        return
    (batch_size,) = batches
    farthest = FARTHEST * max(measured)
    powers = [2**power for power in range(farthest.bit_length())]
    steps = (int(power * step) for power in powers for step in STEPS if power * step <= farthest)
    wanted = sorted({*lengths, *(length for length in steps if length >= min(measured))})
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
            yield PredictedCost(entry, length, batch_size, shown, *ends)
