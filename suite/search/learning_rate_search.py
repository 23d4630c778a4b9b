"""The search for a learning rate: which trials come next, and which rate is chosen.

The search is successive halving, the same for every entry, task and length. All rates of a list
train briefly on one seed. The best of them and its two neighbours then train twice as long (with
the default settings), first on the same seed, then on the others. The highest mean score wins.

A search of full trials gives each trial the steps of a final run. All rates train on one seed, then
the best two on the other seeds.

A best rate at an edge is not chosen: the search continues with the next rate beyond the edge.
These functions are pure; `suite.search.tuning` runs the trials.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

SHORT_COST, LONG_COST = Fraction(7, 10), Fraction(12, 10)
"""The cost of all short trials, and of the long trials at three rates, in final runs."""
LEAST_COST = SHORT_COST + LONG_COST
MAX_COST = 2.5
"""The most that a search costs, in final runs: what exceeds the two above pays extensions."""
MAX_EXTENSIONS = 4
"""The most trials beyond the first plan of a search of full trials."""
NUM_FINALISTS = 2
"""The rates that a search of full trials repeats with the other seeds."""
WORST = -math.inf


@dataclass(frozen=True, slots=True)
class Trial:
    """A training at one learning rate, short or long; a full trial is long."""

    learning_rate: float
    seed: int
    long: bool


TrialScores = Mapping[Trial, float | None]
"""The validation score of each trial; None for a trial that diverged, which counts as the worst."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """The settings of a search.

    `steps` are those of a final run. `default_rate` is the recipe's: among equal scores the nearest
    rate to it is preferred.
    """

    learning_rates: Sequence[float]
    seeds: Sequence[int]
    steps: int
    default_rate: float
    higher_is_better: bool = True
    max_cost: float | None = None
    full_trials: bool = False

    @property
    def setting(self) -> dict[str, Any]:
        """The rates and the seeds of the search, as a tuning file states them."""
        full = {"full_trials": True} if self.full_trials else {}
        return {"learning_rates": list(self.learning_rates), "seeds": list(self.seeds), **full}

    @property
    def most_cost(self) -> float:
        """The most that the search costs, in final runs."""
        if self.max_cost is not None:
            return self.max_cost
        return len(self.first_plan()) + MAX_EXTENSIONS if self.full_trials else MAX_COST

    @property
    def trials_text(self) -> str:
        """Sentences on the trials of a search without extensions."""
        num_rates = len(self.learning_rates)
        first, others = self.seeds[0], ", ".join(map(str, self.seeds[1:]))
        if self.full_trials:
            repeated = f", the best {NUM_FINALISTS} on seed {others} too" if others else ""
            return f"Trials of all steps: {num_rates} rates on seed {first}{repeated}."
        return (
            f"Short trials of {self.short_steps:,} steps: {num_rates} rates on seed {first}. Long "
            f"trials of {self.long_steps:,} steps: 3 rates on seeds {first}, {others}."
        )

    @property
    def num_stages(self) -> int:
        """The number of stages."""
        return 2 if self.full_trials else 3

    @property
    def short_steps(self) -> int:
        """The updates of a short trial, whose schedule is that of a final run of these steps."""
        return self._steps(long=False)

    @property
    def long_steps(self) -> int:
        """The updates of a long trial."""
        return self._steps(long=True)

    def steps_of(self, trial: Trial) -> int:
        """Return the updates of a trial."""
        return self._steps(trial.long)

    def _steps(self, long: bool) -> int:
        return max(1, int(self._share(long) * self.steps))

    def _share(self, long: bool) -> Fraction:
        """Return the cost of a trial in final runs, before its steps are rounded down."""
        if self.full_trials:
            return Fraction(1)
        return LONG_COST / (3 * len(self.seeds)) if long else SHORT_COST / len(self.learning_rates)

    def cost(self, trials: Iterable[Trial]) -> float:
        """Return the cost of trials in final runs."""
        return sum(map(self.steps_of, trials)) / self.steps

    def allows(self, trials: Iterable[Trial]) -> bool:
        """Return whether trials cost at most `most_cost`, before their steps are rounded down.

        Few steps, which are rounded up to 1, thus allow the same trials as many.
        """
        return sum(self._share(trial.long) for trial in trials) <= Fraction(self.most_cost)

    def first_plan(self) -> list[Trial]:
        """Return the trials of a search without extensions, the best rate being the middle one."""
        rates, middle = self.learning_rates, len(self.learning_rates) // 2
        if self.full_trials:
            finalists = rates[middle - 1 : middle - 1 + NUM_FINALISTS]
            repeated = [(rate, seed) for seed in self.seeds[1:] for rate in finalists]
            trials = [*((rate, self.seeds[0]) for rate in rates), *repeated]
            return [Trial(rate, seed, long=True) for rate, seed in trials]
        short = [Trial(rate, self.seeds[0], long=False) for rate in rates]
        window = rates[middle - 1 : middle + 2]
        return short + [Trial(rate, seed, long=True) for seed in self.seeds for rate in window]

    def utility(self, score: float | None) -> float:
        """Return a score of which more is better."""
        if score is None or math.isnan(score):
            return WORST
        return score if self.higher_is_better else -score


@dataclass(frozen=True, slots=True)
class Choice:
    """The result of a search: a learning rate, or the reason for no choice."""

    learning_rate: float | None
    reason: str = ""


def stage_of(trial: Trial, strategy: Strategy) -> int:
    """Return the stage of a trial: 1 short, 2 long on the first seed, 3 long on the others.

    Full trials on the first seed are stage 1.
    """
    after_short = trial.long and not strategy.full_trials
    return 1 + after_short + (trial.seed != strategy.seeds[0])


def next_trials(strategy: Strategy, scores: TrialScores) -> list[Trial]:
    """Return the trials that come next; none if the search has ended."""
    first, full = strategy.seeds[0], strategy.full_trials
    tried = _utilities(strategy, scores, long=full)
    if missing := [rate for rate in strategy.learning_rates if rate not in tried]:
        return [Trial(rate, first, long=full) for rate in missing]
    if full:
        return _next_full_trials(strategy, scores, tried)
    best = _best(strategy, tried)
    if beyond := _beyond(strategy, scores, best, tried):
        wanted = [Trial(rate, first, long=False) for rate in beyond]
        return _affordable(strategy, scores, wanted, 3 * len(strategy.seeds))

    long = _utilities(strategy, scores, long=True)
    if not long:
        return [Trial(rate, first, long=True) for rate in _window(strategy, scores, best)]
    if any(trial.long and trial.seed != first for trial in scores):
        means = mean_utilities(strategy, scores)
        beside = _beyond(strategy, scores, _best(strategy, means), means)
        return _affordable(strategy, scores, _missing_seeds(strategy, scores, beside))
    best = _best(strategy, long)
    if beyond := _beyond(strategy, scores, best, long):
        wanted = [Trial(rate, first, long=True) for rate in beyond]
        return _affordable(strategy, scores, wanted, 3 * len(strategy.seeds[1:]))
    return _missing_seeds(strategy, scores, _window(strategy, scores, best))


def _next_full_trials(
    strategy: Strategy, scores: TrialScores, tried: Mapping[float, float]
) -> list[Trial]:
    """Return the next trials of a search of full trials, all of whose rates were `tried`."""
    finalists = sorted(tried, key=lambda rate: _order(strategy, tried, rate))[-NUM_FINALISTS:]
    repeats = _missing_seeds(strategy, scores, finalists)
    # A best rate at an edge is first compared with the next rate, then repeated.
    best = _best(strategy, tried if repeats else mean_utilities(strategy, scores))
    beyond = _beyond(strategy, scores, best, tried)
    wanted = [Trial(rate, strategy.seeds[0], long=True) for rate in beyond] or repeats
    return _affordable(strategy, scores, wanted)


def choose(strategy: Strategy, scores: TrialScores) -> Choice:
    """Return the rate with the best mean of the long trials, if it lies between two others.

    No rate is chosen if none survived all seeds, or if all short trials led to exactly the same
    score: then nothing was learned. Equal scores of full trials are those of a final run, such as
    1 for a task that every rate solves: the nearest rate to the default is chosen.
    """
    means = mean_utilities(strategy, scores)
    able = [mean for mean in means.values() if mean > WORST]
    tried = means
    if not able:  # the search ended in an earlier stage
        tried = _utilities(strategy, scores, long=any(trial.long for trial in scores))
    if max(tried.values()) == WORST:
        return Choice(None, "no learning rate survived")
    if not strategy.full_trials and len(able) > 1 and len(set(able)) == 1:
        return Choice(None, "all learning rates scored the same, so that none is preferred")
    best = _best(strategy, tried)
    if _beyond(strategy, scores, best, _compared(strategy, scores)):
        spent = strategy.cost(scores)
        return Choice(
            None,
            f"the best rate {best:g} lies at the edge after {spent:.2f} final runs; continue with "
            f"--max-cost {math.ceil(spent) + 1}",
        )
    return Choice(best)


def mean_utilities(strategy: Strategy, scores: TrialScores) -> dict[float, float]:
    """Return the mean of each rate whose long trials are complete, as a number to maximize.

    A rate that diverged on one seed is complete, and its mean is the worst possible.
    """
    by_rate = _long_scores(strategy, scores)
    return {
        rate: WORST if WORST in values else statistics.fmean(values)
        for rate, values in by_rate.items()
        if WORST in values or len(values) == len(strategy.seeds)
    }


def good_range_decades(strategy: Strategy, scores: TrialScores) -> float | None:
    """Return the width in decades of the rates within one standard error of the best mean.

    The standard error is that of a mean over the seeds; its standard deviation is the median of
    those of the rates, since one rate that fails on one seed must not widen the range. Between two
    rates the mean is interpolated over the logarithm of the rate. The range ends with the rates
    that were tried, so that the width of a flat optimum is a lower bound.
    """
    means = _compared(strategy, scores)
    by_rate = _long_scores(strategy, scores)
    able = sorted(rate for rate, mean in means.items() if mean > WORST)
    if not able:
        return None
    deviations = [statistics.stdev(by_rate[rate]) for rate in able if len(by_rate[rate]) > 1]
    if not deviations:
        return None
    deviation = statistics.median(deviations)
    best = max(able, key=means.__getitem__)
    threshold = means[best] - deviation / math.sqrt(len(strategy.seeds))
    above = [rate for rate in sorted(means) if rate >= best]
    below = [rate for rate in sorted(means, reverse=True) if rate <= best]
    return _reach(above, means, threshold) + _reach(below, means, threshold)


def is_better(strategy: Strategy, scores: TrialScores, rate: float, score: float) -> bool:
    """Return whether the mean of a rate's long trials exceeds a score by its standard error."""
    values = _long_scores(strategy, scores)[rate]
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return statistics.fmean(values) - error > strategy.utility(score)


def _reach(rates: Sequence[float], means: Mapping[float, float], threshold: float) -> float:
    """Return how many decades the means of successive rates stay above a threshold."""
    start = inside = math.log10(rates[0])
    for last, rate in pairwise(rates):
        mean, end = means[rate], math.log10(rate)
        if mean >= threshold:
            inside = end
            continue
        if mean > WORST:
            share = (means[last] - threshold) / (means[last] - mean)
            inside += share * (end - inside)
        break
    return abs(inside - start)


def _utilities(strategy: Strategy, scores: TrialScores, *, long: bool) -> dict[float, float]:
    """Return the utility of each rate on the first seed."""
    return {
        trial.learning_rate: strategy.utility(score)
        for trial, score in scores.items()
        if trial.long is long and trial.seed == strategy.seeds[0]
    }


def _compared(strategy: Strategy, scores: TrialScores) -> dict[float, float]:
    """Return the utility of each rate that the last stage compares.

    Full trials compare all rates on the first seed, since only the finalists have the others.
    """
    if strategy.full_trials:
        return _utilities(strategy, scores, long=True)
    return mean_utilities(strategy, scores)


def _long_scores(strategy: Strategy, scores: TrialScores) -> dict[float, list[float]]:
    found: dict[float, list[float]] = {}
    for trial, score in scores.items():
        if trial.long:
            found.setdefault(trial.learning_rate, []).append(strategy.utility(score))
    return found


def _best(strategy: Strategy, utilities: Mapping[float, float]) -> float:
    """Return the best rate; the nearest to the default among equals, the smallest if all failed."""
    if max(utilities.values()) == WORST:
        return min(utilities)
    return max(sorted(utilities), key=lambda rate: _order(strategy, utilities, rate))


def _order(
    strategy: Strategy, utilities: Mapping[float, float], rate: float
) -> tuple[float, float]:
    """Return the key by which rates are ordered, the best last."""
    return utilities[rate], -abs(math.log(rate / strategy.default_rate))


def _neighbours(strategy: Strategy, scores: TrialScores, rate: float) -> tuple[float, float]:
    """Return the rates below and above, among those known and otherwise half a decade away."""
    known = {*strategy.learning_rates, *(trial.learning_rate for trial in scores)}
    below = max((other for other in known if other < rate), default=half_decade_below(rate))
    above = min((other for other in known if other > rate), default=half_decade_above(rate))
    return below, above


def _beyond(
    strategy: Strategy, scores: TrialScores, rate: float, tried: Mapping[float, float]
) -> list[float]:
    """Return the neighbours of a rate that were not tried."""
    return [other for other in _neighbours(strategy, scores, rate) if other not in tried]


def _window(strategy: Strategy, scores: TrialScores, rate: float) -> tuple[float, float, float]:
    below, above = _neighbours(strategy, scores, rate)
    return below, rate, above


def half_decade_above(rate: float) -> float:
    """Return the next larger rate of 1, 3, 10, 30, …, as 0.3 above 0.1."""
    exponent = math.floor(math.log10(rate)) - 1
    return next(
        found
        for power in range(exponent, exponent + 4)
        for found in (float(f"1e{power}"), float(f"3e{power}"))
        if found > rate * 1.001
    )


def half_decade_below(rate: float) -> float:
    """Return the next smaller rate of 1, 3, 10, 30, …, as 3e-5 below 1e-4."""
    exponent = math.floor(math.log10(rate)) + 1
    return next(
        found
        for power in range(exponent, exponent - 4, -1)
        for found in (float(f"3e{power}"), float(f"1e{power}"))
        if found < rate / 1.001
    )


def _missing_seeds(strategy: Strategy, scores: TrialScores, rates: Iterable[float]) -> list[Trial]:
    """Return the long trials that the rates lack; a rate that diverged lacks none."""
    by_rate = _long_scores(strategy, scores)
    return [
        trial
        for seed in strategy.seeds
        for rate in rates
        if WORST not in by_rate.get(rate, [])
        and (trial := Trial(rate, seed, long=True)) not in scores
    ]


def _affordable(
    strategy: Strategy, scores: TrialScores, wanted: list[Trial], num_reserved: int = 0
) -> list[Trial]:
    """Return the wanted trials; none if they leave too little for the long trials to come."""
    reserved = [Trial(0.0, 0, long=True)] * num_reserved
    return wanted if strategy.allows([*scores, *wanted, *reserved]) else []
