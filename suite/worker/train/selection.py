"""Selection of the weights of a training: the steps of validation, and the best weights."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from suite.api import Metric, Score

MIN_STEPS_BETWEEN_VALIDATIONS = 32
LOG_RANGE = 32
"""The last validation on a log scale comes after this many times the steps of the first."""


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

    `losses` and `validations` are pairs of tokens and value; `seconds` has the time of the updates
    before each validation. `resumed_at` are the steps at which the training resumed from a
    checkpoint.
    """

    steps: int = 0
    tokens: int = 0
    losses: list[tuple[int, float]] = field(default_factory=list)
    validations: list[tuple[int, float]] = field(default_factory=list)
    seconds: list[tuple[int, float]] = field(default_factory=list)
    best: BestWeights | None = None
    resumed_at: list[int] = field(default_factory=list)

    def kept_weights(self) -> dict[str, list[np.ndarray]]:
        """Return the weights that a checkpoint keeps beside the model's."""
        return {"best": self.best.weights if self.best else []}

    def to_json(self) -> dict[str, Any]:
        """Return the progress without weights, for a checkpoint."""
        best = self.best
        names = ("steps", "tokens", "losses", "validations", "seconds", "resumed_at")
        return {
            **{name: getattr(self, name) for name in names},
            "best": best
            and {
                "value": best.value,
                "tokens": best.tokens,
                "score": asdict(best.score),
            },
        }

    @classmethod
    def from_json(cls, fields: dict[str, Any], kept: dict[str, list[np.ndarray]]) -> Progress:
        """Restore the progress from `to_json` and `kept_weights`."""
        best = fields.pop("best")
        progress = cls(**fields)
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
