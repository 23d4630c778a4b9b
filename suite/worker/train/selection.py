"""Progress of a training: the steps of validation, the curves, and the best weights."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from suite.api import Metric, Score

MIN_STEPS_BETWEEN_VALIDATIONS = 32
LOG_RANGE = 32
"""The last validation on a log scale comes after this many times the steps of the first."""
Curve = list[tuple[int, float]]
"""Pairs of tokens and value."""


@dataclass(frozen=True)
class BestWeights:
    """The weights that are best on validation, with their score and the tokens seen by then."""

    value: float
    tokens: int
    score: Score
    weights: list[np.ndarray]


@dataclass
class Progress:
    """The progress of a training: its steps, its curves and the selected weights.

    `seconds` is the curve of the time of the updates before each validation. `waiting_seconds` were
    spent on drawing batches, `training_seconds` on the updates. `resumed_at` are the steps at which
    the training resumed from a checkpoint.
    """

    steps: int = 0
    tokens: int = 0
    waiting_seconds: float = 0.0
    training_seconds: float = 0.0
    losses: Curve = field(default_factory=list)
    validations: Curve = field(default_factory=list)
    seconds: Curve = field(default_factory=list)
    resumed_at: list[int] = field(default_factory=list)
    best: BestWeights | None = None

    def kept_weights(self) -> dict[str, list[np.ndarray]]:
        """Return the weights that a checkpoint keeps beside the model's."""
        return {"best": self.best.weights if self.best else []}

    def to_json(self) -> dict[str, Any]:
        """Return the progress without weights, for a checkpoint."""
        state = {each.name: getattr(self, each.name) for each in fields(self)}
        if best := self.best:
            state["best"] = {
                "value": best.value,
                "tokens": best.tokens,
                "score": asdict(best.score),
            }
        return state

    @classmethod
    def from_json(cls, state: dict[str, Any], kept: dict[str, list[np.ndarray]]) -> Progress:
        """Restore the progress from `to_json` and `kept_weights`."""
        best = state.pop("best")
        progress = cls(**state)
        if best:
            score = Score(**best.pop("score"))
            progress.best = BestWeights(score=score, weights=kept["best"], **best)
        return progress


def is_better(metric: Metric, value: float, best: float) -> bool:
    """Whether a figure is better than the best so far; any number is better than NaN."""
    if math.isnan(value) or math.isnan(best):
        return not math.isnan(value)
    return value > best if metric.higher_is_better else value < best


def validation_steps(total_steps: int, validations: int, spacing: str = "even") -> set[int]:
    """Return the steps after which to validate, the last included.

    With `spacing` "even" they are evenly spread and not too close. With "log" each is later than
    the one before by the same factor, from the `1 / LOG_RANGE` part of the steps on.
    """
    if spacing == "log":
        exponents = np.linspace(0, 1, validations) if validations > 1 else np.ones(1)
        return {max(1, round(total_steps * LOG_RANGE ** (x - 1))) for x in exponents.tolist()}
    validations = max(1, min(validations, total_steps // MIN_STEPS_BETWEEN_VALIDATIONS))
    return {max(1, round(total_steps * (i + 1) / validations)) for i in range(validations)}
