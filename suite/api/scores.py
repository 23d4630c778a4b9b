"""The score of a task: metrics, reports and readable predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Metric:
    """A measure of quality and its direction.

    `share` is true if the values are shares from 0 to 1, such as accuracies. Intervals of shares
    stay inside that range.
    """

    name: str
    higher_is_better: bool = True
    share: bool = False


@dataclass(frozen=True, slots=True)
class Score:
    """The scores of a split: `metrics` are numbers, `reports` are their breakdowns.

    A report with "by_" in its name maps groups of examples to a figure or to named figures, as
    `{"1-8": 0.9}` or `{"PER": {"f1": 0.9}}`. The site draws its means over seeds.
    """

    metrics: Mapping[str, float | None]
    reports: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExamplePrediction:
    """A readable test example: its input, the expected answer and the model's answer."""

    input: str
    expected: str
    answer: str
    right: bool
