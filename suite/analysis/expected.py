"""Verdicts on published figures: does a benchmark reproduce them?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from suite.analysis.points import Point
from suite.analysis.statistics import Estimate
from suite.api import Metric
from suite.records.benchmark_sections import ExpectedFigure


class Agreement(StrEnum):
    """Whether a measured figure agrees with a published one."""

    AGREES = "agrees"
    DIFFERS = "differs"
    UNDECIDED = "undecided"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A published figure, the measured one, and whether they agree."""

    expected: ExpectedFigure
    measured: Estimate | None
    agreement: Agreement


def verdicts(
    expected: Sequence[ExpectedFigure], points: Mapping[tuple[str, int], Mapping[str, Point]]
) -> list[Verdict]:
    """Return the verdict on each published figure."""
    found = []
    for figure in expected:
        point = points.get((figure.task, figure.length), {}).get(figure.architecture)
        scores = point.scores(_metric(point, figure.metric)) if point else None
        measured = scores.estimate() if scores and scores.by_seed else None
        found.append(Verdict(figure, measured, agreement(figure, measured)))
    return found


def agreement(expected: ExpectedFigure, measured: Estimate | None) -> Agreement:
    """Return whether the interval of a measured figure lies within the tolerance.

    The figures agree if the whole interval lies within the tolerance, and differ if the whole
    interval lies outside. Otherwise, and with fewer than three seeds, the question is undecided.
    """
    if measured is None:
        return Agreement.NOT_MEASURED
    if measured.low is None or measured.high is None:
        return Agreement.UNDECIDED
    least, most = expected.value - expected.tolerance, expected.value + expected.tolerance
    if least <= measured.low and measured.high <= most:
        return Agreement.AGREES
    if measured.high < least or measured.low > most:
        return Agreement.DIFFERS
    return Agreement.UNDECIDED


def _metric(point: Point, name: str) -> Metric:
    """Return the metric of a name; only of the primary metric is the range known."""
    return point.metric if point.metric and point.metric.name == name else Metric(name)
