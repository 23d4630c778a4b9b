"""A length card: what the costs of one model are at each length, measured and predicted.

A card shows disturbed measurements, marked as such: their spread widens the intervals. Costs are
those of one batch. The memory is that of the model, without the framework that runs it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np

from suite.analysis.comparison_key import grouped
from suite.analysis.cost_ratios import CostRatio
from suite.analysis.diagnostics import EffectiveLength
from suite.analysis.predictions import FARTHEST, CostFit, Prediction, fit_cost
from suite.api import Mode, Status
from suite.api.conformance import Verdict
from suite.records.measures import ON_CARDS, Shown, phase_of
from suite.records.schema import RecordSummary

GIGABYTES = (4, 8, 16, 24, 80)
"""The memory budgets for which a card states the longest length."""
FEWEST_OF_GROWTH = 4
"""The fewest lengths that tell which share of a cost grows with n²: the form has three parts."""
STEP = 2**0.25
"""The ratio of neighbouring lengths with a prediction."""
MEASURED, PREDICTED = "measured", "predicted"


@dataclass(frozen=True, slots=True)
class Point:
    """The measured cost at a length: the geometric mean over rounds.

    `noisy` says that other processes disturbed a round.
    """

    length: int
    value: float
    lowest: float
    highest: float
    rounds: int
    noisy: bool


@dataclass(frozen=True)
class CostCurve:
    """A cost against length: its measured points, its fit and its predictions.

    `end` is the most positions of the model, if it has a limit.
    """

    measure: str
    points: Sequence[Point]
    fit: CostFit | None
    end: int | None = None

    @property
    def shown(self) -> Shown:
        """The title, the unit and the scale of the cost."""
        return ON_CARDS[self.measure]

    @property
    def longest(self) -> int:
        """The longest measured length."""
        return self.points[-1].length

    @property
    def predictions(self) -> list[Prediction]:
        """The predictions from the shortest length to the longest predicted one."""
        if self.fit is None or not self.fit.follows_form:
            return []
        first, last = self.points[0].length, self.fit.longest_predicted
        found = map(self.fit.predict, _lengths_between(first, last))
        return [prediction for prediction in found if prediction]

    @property
    def note(self) -> str:
        """Why nothing is predicted; empty where predictions are made."""
        if self.fit is None:
            return "has too few lengths to be predicted"
        if not self.fit.follows_form:
            worst = self.fit.largest_residual
            return f"does not follow this form (a length is {worst:.0%} off) and is not predicted"
        return ""

    @property
    def growth(self) -> str:
        """How the cost grows with the length, as a clause."""
        title = self.shown.title.lower()
        if self.fit and self.fit.follows_form and len(self.points) >= FEWEST_OF_GROWTH:
            part = _range_text(*(f"{end:.0%}" for end in self.fit.squared_share))
            return f"{part} of the {title} at {self.longest:,} tokens grows with n²"
        few = f"was measured at {len(self.points)} lengths, which do not tell its growth"
        return f"the {title} {self.note or few}"

    def passing_points(self, length: int) -> float | None:
        """Return the cost of the fit, within the measured lengths shifted to the measured costs."""
        prediction = self.fit.predict(length) if self.fit else None
        if self.fit is None or prediction is None:
            return None
        if length > self.longest:
            return prediction.value
        fitted = [self.fit.predict(point.length) for point in self.points]
        shifts = [
            math.log(point.value / each.value)
            for point, each in zip(self.points, fitted, strict=True)
            if each
        ]
        places = [math.log(point.length) for point in self.points]
        shift = float(np.interp(math.log(length), places, shifts))
        return prediction.value * math.exp(shift)

    def at(self, length: int) -> tuple[Prediction, str] | None:
        """Return the cost at a length, and whether it is measured or predicted."""
        for point in self.points:
            if point.length == length:
                ends = point.lowest, point.highest
                return Prediction(length, point.value, *ends), MEASURED
        prediction = self.fit.predict(length) if self.fit else None
        return (prediction, PREDICTED) if prediction else None

    def to_dict(self) -> dict[str, Any]:
        """Return the curve as the JSON of a card has it, in the unit of the measure."""
        fit = None
        if self.fit:
            names = ("fixed", "linear", "squared")
            fit = {
                **dict(zip(names, self.fit.coefficients, strict=True)),
                "follows_form": self.fit.follows_form,
                "longest_predicted": self.fit.longest_predicted,
            }
        return {
            "measured": [asdict(point) for point in self.points],
            "fit": fit,
            "predicted": [asdict(prediction) for prediction in self.predictions],
            "note": self.note or None,
        }


@dataclass(frozen=True, slots=True)
class Reach:
    """The longest length within a memory budget; None where the shortest length needs more.

    `kind` is "measured" or "predicted". `or_more` says that the model may have a longer length.
    `low` and `high` are the 90% interval of a predicted length; `high` is None where it lies beyond
    the predicted lengths.
    """

    gigabytes: int
    length: int | None
    kind: str
    or_more: bool = False
    low: int | None = None
    high: int | None = None

    def __str__(self) -> str:
        if self.length is None:
            return "none"
        more = " or more" if self.or_more else ""
        interval = ""
        if self.low is not None and {self.low, self.high} - {self.length, None}:
            interval = f" [{self.low:,}, {'…' if self.high is None else f'{self.high:,}'}]"
        return f"{self.length:,}{more}{interval} ({self.kind})"


class CardLimit(StrEnum):
    """A limit of a card that left a length without a measurement, as the card says it."""

    MEMORY = "needs more than the memory of the card"
    TIME = "not measured, because the time of the card did not suffice"


@dataclass(frozen=True, slots=True)
class EndedLength:
    """A length without a measurement, and its cause: the status of a record, or a limit.

    `reason` is that of the record.
    """

    mode: Mode
    length: int
    cause: Status | CardLimit
    reason: str = ""

    def __str__(self) -> str:
        reason = f" ({self.reason})" if self.reason else ""
        return f"{self.mode} at {self.length:,}: {self.cause}{reason}"


@dataclass(frozen=True)
class Profile:
    """The costs of one model by measure, with its parameters and what ended its measurement."""

    name: str
    curves: Mapping[str, CostCurve]
    parameters: int | None
    ended: Sequence[EndedLength] = ()

    @property
    def main_time(self) -> CostCurve | None:
        """The curve that the sentence of a card speaks of: that of inference, or of prefill."""
        return self.curves.get("inference.step_seconds") or self.curves.get("prefill.step_seconds")

    @property
    def main_memory(self) -> CostCurve | None:
        """The memory of reading a context: that of prefill if the model decodes."""
        decoding = self.curves.get("prefill.peak_memory_bytes")
        return decoding or self.curves.get("inference.peak_memory_bytes")

    def to_dict(self) -> dict[str, Any]:
        """Return the profile as the JSON of a card has it."""
        return {
            "name": self.name,
            "parameters": self.parameters,
            "costs": {measure: curve.to_dict() for measure, curve in self.curves.items()},
            "ended": [str(end) for end in self.ended],
        }


def make_profile(name: str, records: Sequence[RecordSummary], longest: int | None) -> Profile:
    """Return the profile of a model from the records of its probes and decodings.

    `longest` is the most positions of the model, if it has a limit.
    """
    good = [record for record in records if record.status is Status.OK]
    curves = {}
    for measure in ON_CARDS:
        phase, _, cost = measure.partition(".")
        measured = [record for record in good if (record.measured(phase, cost) or 0) > 0]
        by_length = grouped(measured, lambda record: record.cell.sequence_length)
        if by_length:
            curves[measure] = _curve(measure, dict(sorted(by_length.items())), longest)
    ended = [
        EndedLength(
            record.cell.mode, record.cell.sequence_length, record.status, record.reason or ""
        )
        for record in records
        if record.status is not Status.OK
    ]
    # A decoding has a head of its own, which scores a vocabulary.
    by_probes = sorted(good, key=lambda record: record.cell.mode is not Mode.PROBE)
    counts = (record.parameter_count for record in by_probes if record.parameter_count)
    return Profile(name, curves, next(counts, None), list(dict.fromkeys(ended)))


def _curve(
    measure: str, by_length: Mapping[int, Sequence[RecordSummary]], end: int | None
) -> CostCurve:
    """Return the curve of a cost, fitted with the variance between the sessions if it is known."""
    points, variances = [], []
    for length, records in by_length.items():
        costs = [record.costs()[measure] for record in records]
        mean = min(max(costs), max(min(costs), statistics.geometric_mean(costs)))  # rounding
        is_noisy = any(not record.is_quiet(phase_of(measure)) for record in records)
        points.append(Point(length, mean, min(costs), max(costs), len(costs), is_noisy))
        sessions = grouped(records, lambda record: record.invocation.id).values()
        means = [
            statistics.fmean(math.log(record.costs()[measure]) for record in session)
            for session in sessions
        ]
        if len(means) > 1:
            variances.append(statistics.variance(means))
    fit = fit_cost(
        [point.length for point in points],
        [point.value for point in points],
        math.sqrt(statistics.fmean(variances)) if variances else 0.0,
    )
    return CostCurve(measure, points, replace(fit, end=end) if fit else None, end)


def reach(curve: CostCurve, gigabytes: int) -> Reach:
    """Return the longest length whose memory is within a budget."""
    budget = gigabytes * 1e9
    within = [point.length for point in curve.points if point.value <= budget]
    beyond = [point.length for point in curve.points if point.value > budget]
    measured = max(within, default=None)
    if measured is not None and curve.fit and (length := curve.fit.longest_within(budget)):
        # A measured cost counts more than the fit: the length lies before one above the budget.
        longest = min([curve.fit.longest_predicted, *(other - 1 for other in beyond)])
        is_open = longest == curve.fit.longest_predicted != curve.end
        if (length := min(length, longest)) > measured:
            low = min(length, max(measured, curve.fit.longest_within(budget, "high") or 0))
            high = min(longest, curve.fit.longest_within(budget, "low") or length)
            more = is_open and length == longest
            known = None if is_open and high == longest else high
            return Reach(gigabytes, length, PREDICTED, more, low, known)
    at_end = measured == curve.longest
    return Reach(gigabytes, measured, MEASURED, at_end and measured != curve.end)


def _lengths_between(first: int, last: int) -> list[int]:
    """Return lengths from the first to the last one, whose ratios are at most `STEP`."""
    count = 1 + math.ceil(math.log(last / first, STEP))
    lengths: list[int] = np.unique(np.geomspace(first, last, count).round().astype(int)).tolist()
    return lengths


def cheaper_text(subject: CostCurve, other: CostCurve) -> str:
    """Return from which length another model is cheaper, as a clause.

    Lengths are compared at which both costs are known. Within the measured lengths, the measured
    costs decide.
    """
    ends = [curve.predictions[-1].length for curve in (subject, other) if curve.predictions]
    if len(ends) < 2:
        return "is not compared: a cost does not follow the form, or has too few lengths"
    first, last = max(subject.points[0].length, other.points[0].length), min(ends)
    if last <= first:
        return "is not compared: no length is known of both"
    lengths = _lengths_between(first, last)
    costs = [(other.passing_points(each), subject.passing_points(each)) for each in lengths]
    cheaper = [theirs < own for theirs, own in costs if theirs is not None and own is not None]
    if not any(cheaper):
        return f"is not cheaper at any length up to {last:,}"
    if all(cheaper):
        return f"is cheaper at all lengths from {first:,} to {last:,}"
    measured = min(subject.longest, other.longest)
    changes = []
    for n in range(1, len(lengths)):
        if cheaper[n] != cheaper[n - 1]:
            kind = PREDICTED if lengths[n] > measured else "between measured lengths"
            word = "from" if cheaper[n] else "up to"
            changes.append(f"{word} about {lengths[n]:,} ({kind})")
    joint = " and " if cheaper[0] else " "
    return f"is cheaper {joint.join(changes)}"


@dataclass(frozen=True, slots=True)
class Carried:
    """Up to which length a model carries what a task asks for: recall, retrieval or a state.

    `score` is that at the training length. Without a completed training, it and the effective
    length are None, and `note` says why.
    """

    task: str
    model_size: str
    training_length: int
    score: float | None
    effective_length: EffectiveLength | None
    note: str

    def __str__(self) -> str:
        """Return the effective length, or why there is none."""
        length = self.effective_length
        if length is None:
            return self.note or "unknown"
        return str(length) if length.median else f"below {self.training_length:,}"

    def to_dict(self) -> dict[str, Any]:
        """Return the result as the JSON of a card has it."""
        length = self.effective_length
        return asdict(self) | {
            "effective_length": length.median if length else None,
            "longest_tested": length.longest_tested if length else None,
            "note": self.note or None,
        }


@dataclass(frozen=True)
class LengthCard:
    """The card of a model: its profile, those of references, and the facts of its measurement.

    `checks` are the results of the conformance kit as plain values. `ratios` are the costs of the
    model relative to the one reference that it was measured against, and `lost` says what this
    reference did and the model did not.
    """

    profile: Profile
    references: Sequence[Profile]
    facts: Mapping[str, str]
    checks: Sequence[Mapping[str, Any]] = ()
    ratios: Sequence[CostRatio] = ()
    quality: Sequence[Carried] = ()
    lost: Sequence[str] = ()

    @property
    def reaches(self) -> list[Reach]:
        """The longest context within each memory budget."""
        curve = self.profile.main_memory
        return [reach(curve, gigabytes) for gigabytes in GIGABYTES] if curve else []

    @property
    def cheaper(self) -> dict[str, str]:
        """From which length each reference is cheaper, by its name."""
        own = self.profile.main_time
        return {
            reference.name: cheaper_text(own, reference.main_time)
            for reference in self.references
            if own and reference.main_time
        }

    @property
    def sentence(self) -> str:
        """The growth, the longest contexts, and the references, as one sentence."""
        profile = self.profile
        parts = [curve.growth for curve in (profile.main_time, profile.main_memory) if curve]
        if reaches := self.reaches:
            within = [
                f"{text} within {_range_text(str(same[0].gigabytes), str(same[-1].gigabytes))} GB"
                for text, same in grouped(reaches, str).items()
            ]
            parts.append(f"the longest context is {', '.join(within)}")
        parts += [f"{name} {text}" for name, text in self.cheaper.items()]
        if self.ratios:
            firsts = [same[0] for same in grouped(self.ratios, lambda each: each.measure).values()]
            parts.append(f"relative to {self.references[0].name}, {', '.join(map(str, firsts))}")
        if self.lost:
            parts.append(f"unlike {self.references[0].name}: {', '.join(self.lost)}")
        carried = [f"{each.task.lower()} {each}" for each in self.quality]
        if carried:
            parts.append(f"effective lengths: {', '.join(carried)}")
        failed = [check["check"] for check in self.checks if check["verdict"] == Verdict.FAILED]
        if failed:
            parts.append(f"failed checks: {', '.join(dict.fromkeys(failed))}")
        return f"{self.profile.name}: {'; '.join(parts)}."

    def to_dict(self) -> dict[str, Any]:
        """Return the card as its JSON file has it."""
        return {
            "format": "lengthwise card 1",
            "sentence": self.sentence,
            "model": self.profile.to_dict(),
            "references": [reference.to_dict() for reference in self.references],
            "longest_context": [asdict(each) for each in self.reaches],
            "cheaper": self.cheaper,
            "farthest_prediction": f"{FARTHEST} times the longest measured length",
            "facts": dict(self.facts),
            "checks": list(self.checks),
            "ratios": [asdict(ratio) for ratio in self.ratios],
            "lost": list(self.lost),
            "quality": [carried.to_dict() for carried in self.quality],
        }


def _range_text(first: str, last: str) -> str:
    return first if first == last else f"{first} to {last}"
