"""The search for a learning rate: which trials come next, and which rate is chosen.

A search is the same for every entry, task and length. `SuccessiveHalving` trains all rates of a
list briefly on one seed. The best of them and its two neighbours then train twice as long (with the
default settings), first on the same seed, then on the others. The highest mean score wins.
`FullTrials` gives each trial the steps of a final run. All rates train on one seed, then the best
two on the other seeds.

A best rate at an edge is not chosen: the search continues with the next rate beyond the edge.
These functions are pure; `suite.search.tuning` runs the trials.
"""

from __future__ import annotations

import math
import statistics
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
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
HALF_DECADES = [float(f"{digit}e{power}") for power in range(-30, 30) for digit in (1, 3)]
"""The rates beyond a list: 1, 3, 10, 30, and so on."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A training at one learning rate, short or long; a full trial is long."""

    learning_rate: float
    seed: int
    long: bool


TrialScores = Mapping[Trial, float | None]
"""The validation score of each trial; None for a trial that diverged, which counts as the worst."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The result of a search: a learning rate, or the reason for no choice."""

    learning_rate: float | None
    reason: str = ""


@dataclass(frozen=True)
class Strategy(ABC):
    """The settings of a search, and what they imply for the scores so far.

    `steps` are those of a final run. `default_rate` is the recipe's: among equal scores the nearest
    rate to it is preferred.
    """

    learning_rates: Sequence[float]
    seeds: Sequence[int]
    steps: int
    default_rate: float
    higher_is_better: bool = True
    max_cost: float | None = None

    num_stages = 2

    @property
    def setting(self) -> dict[str, Any]:
        """The rates and the seeds of the search, as a tuning file states them."""
        return {"learning_rates": list(self.learning_rates), "seeds": list(self.seeds)}

    @property
    @abstractmethod
    def most_cost(self) -> float:
        """The most that the search costs, in final runs."""

    @property
    @abstractmethod
    def trials_text(self) -> str:
        """Sentences on the trials of a search without extensions."""

    @abstractmethod
    def first_plan(self) -> list[Trial]:
        """Return the trials of a search without extensions, the best rate being the middle one."""

    def stage_of(self, trial: Trial) -> int:
        """Return the stage of a trial, from 1: short ones, those of the first seed, the others."""
        is_after_short = trial.long and self.num_stages == 3
        return 1 + is_after_short + (trial.seed != self.seeds[0])

    @abstractmethod
    def next_trials(self, scores: TrialScores) -> list[Trial]:
        """Return the trials that come next; none if the search has ended."""

    @abstractmethod
    def _share(self, *, long: bool) -> Fraction:
        """Return the cost of a trial in final runs, before its steps are rounded down."""

    @abstractmethod
    def _compared(self, scores: TrialScores) -> dict[float, float]:
        """Return the utility of each rate that the last stage compares."""

    def steps_of(self, trial: Trial) -> int:
        """Return the updates of a trial, whose schedule is that of a final run of these steps."""
        return self._steps(long=trial.long)

    @property
    def long_steps(self) -> int:
        """The updates of a long trial."""
        return self._steps(long=True)

    def _steps(self, *, long: bool) -> int:
        return max(1, int(self._share(long=long) * self.steps))

    def cost(self, trials: Iterable[Trial]) -> float:
        """Return the cost of trials in final runs."""
        return sum(map(self.steps_of, trials)) / self.steps

    def utility(self, score: float | None) -> float:
        """Return a score of which more is better."""
        if score is None or math.isnan(score):
            return WORST
        return score if self.higher_is_better else -score

    def choose(self, scores: TrialScores) -> Choice:
        """Return the rate with the best mean of the long trials, if it lies between two others.

        No rate is chosen if none survived all seeds.
        """
        tried = self.reached_utilities(scores)
        if max(tried.values()) == WORST:
            return Choice(None, "no learning rate survived")
        best = self._best(tried)
        if self._beyond(scores, best, self._compared(scores)):
            spent = self.cost(scores)
            return Choice(
                None,
                f"the best rate {best:g} lies at the edge after {spent:.2f} final runs; continue "
                f"with --max-cost {math.ceil(spent) + 1}",
            )
        return Choice(best)

    def reached_utilities(self, scores: TrialScores) -> dict[float, float]:
        """Return the utility of each rate in the stage that the search has reached.

        These are means over the seeds once the last stage has a trial, even if all are the worst.
        """
        if any(trial.seed != self.seeds[0] for trial in scores):
            return self.mean_utilities(scores)
        return self._on_first_seed(scores, long=any(trial.long for trial in scores))

    def mean_utilities(self, scores: TrialScores) -> dict[float, float]:
        """Return the mean of each rate whose long trials are complete, as a number to maximize.

        A rate that diverged on one seed is complete, and its mean is the worst possible.
        """
        return {
            rate: WORST if WORST in values else statistics.fmean(values)
            for rate, values in self._long_scores(scores).items()
            if WORST in values or len(values) == len(self.seeds)
        }

    def good_range_decades(self, scores: TrialScores) -> float | None:
        """Return the width in decades of the rates within one standard error of the best mean.

        The standard error is that of a mean over the seeds; its standard deviation is the median of
        those of the rates, since one rate that fails on one seed must not widen the range. Between
        two rates the mean is interpolated over the logarithm of the rate. The range ends with the
        rates that were tried, so that the width of a flat optimum is a lower bound.
        """
        means, by_rate = self._compared(scores), self._long_scores(scores)
        able = sorted(rate for rate, mean in means.items() if mean > WORST)
        repeated = [by_rate[rate] for rate in able if len(by_rate[rate]) > 1]
        deviations = [statistics.stdev(values) for values in repeated if WORST not in values]
        if not deviations:
            return None
        best = max(able, key=means.__getitem__)
        threshold = means[best] - statistics.median(deviations) / math.sqrt(len(self.seeds))
        above = [rate for rate in sorted(means) if rate >= best]
        below = [rate for rate in sorted(means, reverse=True) if rate <= best]
        return _reach(above, means, threshold) + _reach(below, means, threshold)

    def is_better(self, scores: TrialScores, rate: float, score: float) -> bool:
        """Return whether the mean of a rate's long trials exceeds a score by its standard error."""
        values = self._long_scores(scores)[rate]
        error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
        return statistics.fmean(values) - error > self.utility(score)

    def _on_first_seed(self, scores: TrialScores, *, long: bool) -> dict[float, float]:
        return {
            trial.learning_rate: self.utility(score)
            for trial, score in scores.items()
            if trial.long is long and trial.seed == self.seeds[0]
        }

    def _long_scores(self, scores: TrialScores) -> dict[float, list[float]]:
        utilities: dict[float, list[float]] = {}
        for trial, score in scores.items():
            if trial.long:
                utilities.setdefault(trial.learning_rate, []).append(self.utility(score))
        return utilities

    def _best(self, utilities: Mapping[float, float]) -> float:
        """Return the best rate; the smallest if all failed."""
        if max(utilities.values()) == WORST:
            return min(utilities)
        return max(sorted(utilities), key=self._order(utilities))

    def _order(self, utilities: Mapping[float, float]) -> Callable[[float], tuple[float, float]]:
        """Return the key that orders rates: among equals the nearest to the default is better."""
        return lambda rate: (utilities[rate], -abs(math.log(rate / self.default_rate)))

    def _neighbours(self, scores: TrialScores, rate: float) -> tuple[float, float]:
        """Return the rates below and above, among those known and otherwise half a decade away."""
        known = {*self.learning_rates, *(trial.learning_rate for trial in scores)}
        below = max((other for other in known if other < rate), default=half_decade_below(rate))
        above = min((other for other in known if other > rate), default=half_decade_above(rate))
        return below, above

    def _beyond(
        self, scores: TrialScores, rate: float, tried: Mapping[float, float]
    ) -> list[float]:
        return [other for other in self._neighbours(scores, rate) if other not in tried]

    def _missing_seeds(self, scores: TrialScores, rates: Iterable[float]) -> list[Trial]:
        """Return the long trials that the rates lack; a rate that diverged lacks none."""
        by_rate = self._long_scores(scores)
        return [
            trial
            for seed in self.seeds
            for rate in rates
            if WORST not in by_rate.get(rate, [])
            and (trial := Trial(rate, seed, long=True)) not in scores
        ]

    def _affordable(
        self, scores: TrialScores, wanted: list[Trial], num_reserved: int = 0
    ) -> list[Trial]:
        """Return the wanted trials; none if they leave too little for the long trials to come.

        The cost counts before the steps are rounded: few steps, which are rounded up to 1, allow
        the same trials as many.
        """
        cost = sum(self._share(long=trial.long) for trial in (*scores, *wanted))
        cost += num_reserved * self._share(long=True)
        return wanted if cost <= Fraction(self.most_cost) else []


class SuccessiveHalving(Strategy):
    """Short trials of all rates, then long trials of the best rate and its two neighbours."""

    num_stages = 3

    @property
    def most_cost(self) -> float:
        return MAX_COST if self.max_cost is None else self.max_cost

    @property
    def trials_text(self) -> str:
        first, others = self.seeds[0], ", ".join(map(str, self.seeds[1:]))
        rates = f"{len(self.learning_rates)} rates on seed {first}"
        return (
            f"Short trials of {self.short_steps:,} steps: {rates}. Long trials of "
            f"{self.long_steps:,} steps: 3 rates on seeds {first}, {others}."
        )

    @property
    def short_steps(self) -> int:
        """The updates of a short trial."""
        return self._steps(long=False)

    def _share(self, *, long: bool) -> Fraction:
        return LONG_COST / (3 * len(self.seeds)) if long else SHORT_COST / len(self.learning_rates)

    def first_plan(self) -> list[Trial]:
        middle = len(self.learning_rates) // 2
        window = self.learning_rates[middle - 1 : middle + 2]
        short = [Trial(rate, self.seeds[0], long=False) for rate in self.learning_rates]
        return short + [Trial(rate, seed, long=True) for seed in self.seeds for rate in window]

    def next_trials(self, scores: TrialScores) -> list[Trial]:
        first = self.seeds[0]
        short = self._on_first_seed(scores, long=False)
        if missing := [rate for rate in self.learning_rates if rate not in short]:
            return [Trial(rate, first, long=False) for rate in missing]
        best = self._best(short)
        if beyond := self._beyond(scores, best, short):
            wanted = [Trial(rate, first, long=False) for rate in beyond]
            return self._affordable(scores, wanted, 3 * len(self.seeds))

        long = self._on_first_seed(scores, long=True)
        if not long:
            return [Trial(rate, first, long=True) for rate in self._window(scores, best)]
        if any(trial.long and trial.seed != first for trial in scores):
            means = self.mean_utilities(scores)
            beside = self._beyond(scores, self._best(means), means)
            return self._affordable(scores, self._missing_seeds(scores, beside))
        best = self._best(long)
        if beyond := self._beyond(scores, best, long):
            wanted = [Trial(rate, first, long=True) for rate in beyond]
            return self._affordable(scores, wanted, 3 * len(self.seeds[1:]))
        return self._missing_seeds(scores, self._window(scores, best))

    def choose(self, scores: TrialScores) -> Choice:
        """Return the chosen rate; none if all led to the same score: then nothing was learned."""
        able = [mean for mean in self.mean_utilities(scores).values() if mean > WORST]
        if len(able) > 1 and len(set(able)) == 1:
            reason = "all learning rates scored the same, so that none is preferred"
            return Choice(None, reason)
        return super().choose(scores)

    def _compared(self, scores: TrialScores) -> dict[float, float]:
        return self.mean_utilities(scores)

    def _window(self, scores: TrialScores, rate: float) -> tuple[float, float, float]:
        below, above = self._neighbours(scores, rate)
        return below, rate, above


class FullTrials(Strategy):
    """Trials with all steps: of all rates on one seed, then of the best on the others.

    Equal scores are those of a final run, such as 1 for a task that every rate solves: the nearest
    rate to the default is chosen.
    """

    @property
    def setting(self) -> dict[str, Any]:
        return {**super().setting, "full_trials": True}

    @property
    def most_cost(self) -> float:
        return len(self.first_plan()) + MAX_EXTENSIONS if self.max_cost is None else self.max_cost

    @property
    def trials_text(self) -> str:
        first, others = self.seeds[0], ", ".join(map(str, self.seeds[1:]))
        repeated = f", the best {NUM_FINALISTS} on seed {others} too" if others else ""
        return f"Trials of all steps: {len(self.learning_rates)} rates on seed {first}{repeated}."

    def _share(self, *, long: bool) -> Fraction:
        return Fraction(1)

    def first_plan(self) -> list[Trial]:
        first = len(self.learning_rates) // 2 - 1
        finalists = self.learning_rates[first : first + NUM_FINALISTS]
        trials = [Trial(rate, self.seeds[0], long=True) for rate in self.learning_rates]
        repeated = [Trial(rate, seed, long=True) for seed in self.seeds[1:] for rate in finalists]
        return trials + repeated

    def next_trials(self, scores: TrialScores) -> list[Trial]:
        tried = self._compared(scores)
        if missing := [rate for rate in self.learning_rates if rate not in tried]:
            return [Trial(rate, self.seeds[0], long=True) for rate in missing]
        finalists = sorted(tried, key=self._order(tried))[-NUM_FINALISTS:]
        repeats = self._missing_seeds(scores, finalists)
        # A best rate at an edge is first compared with the next rate, then repeated.
        best = self._best(tried if repeats else self.mean_utilities(scores))
        beyond = self._beyond(scores, best, tried)
        wanted = [Trial(rate, self.seeds[0], long=True) for rate in beyond] or repeats
        return self._affordable(scores, wanted)

    def _compared(self, scores: TrialScores) -> dict[float, float]:
        """Return all rates on the first seed, since only the finalists have the others."""
        return self._on_first_seed(scores, long=True)


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


def half_decade_above(rate: float) -> float:
    """Return the next larger rate of 1, 3, 10, 30, …, as 0.3 above 0.1."""
    return next(other for other in HALF_DECADES if other > rate * 1.001)


def half_decade_below(rate: float) -> float:
    """Return the next smaller rate of 1, 3, 10, 30, …, as 3e-5 below 1e-4."""
    return next(other for other in reversed(HALF_DECADES) if other < rate / 1.001)
