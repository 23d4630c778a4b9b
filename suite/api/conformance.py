"""The conformance kit: its version, and the results of its checks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

KIT_VERSION = 6
"""The version of the kit. A new check, another bound or another input raises it."""

OF_GIVEN_MODELS = (
    "no look ahead",
    "padding does not leak",
    "adding padding changes nothing",
    "batch members do not mix",
    "decoding in steps equals the full pass",
)
"""The checks of models with a size of their own, which length cards show."""


class Verdict(StrEnum):
    """The verdict of a check."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check of one case, such as "decoder".

    The figure passes if it lies from `low` to `high`, both included. A bound of None does not limit
    it. Without a figure, `reason` says why: the check does not apply, or it raised an exception.
    """

    check: str
    case: str
    verdict: Verdict
    figure: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str = ""

    @classmethod
    def of_figure(
        cls,
        check: str,
        case: str,
        figure: float,
        *,
        low: float | None = None,
        high: float | None = None,
        reason: str = "",
    ) -> CheckResult:
        """Return the result of a measured figure; NaN fails. `reason` explains a failure."""
        passed = (low is None or figure >= low) and (high is None or figure <= high)
        if passed and not math.isnan(figure):
            return cls(check, case, Verdict.PASSED, figure, low, high)
        return cls(check, case, Verdict.FAILED, figure, low, high, reason)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> CheckResult:
        """Return the result whose plain fields a worker wrote."""
        return cls(**{**fields, "verdict": Verdict(fields["verdict"])})

    @property
    def bound(self) -> str:
        """The bound of the figure as text, such as "at most 1e-05"; "" without a figure."""
        low, high = (None if end is None else f"{end:g}" for end in (self.low, self.high))
        if low and high:
            return low if low == high else f"{low} to {high}"
        return f"at most {high}" if high else f"at least {low}" if low else ""


def worst_of_each_check(results: Iterable[CheckResult]) -> list[CheckResult]:
    """Return one result of each check, in order: a failure if there is one, or the closest pass."""
    by_check: dict[str, list[CheckResult]] = {}
    for result in results:
        by_check.setdefault(result.check, []).append(result)
    return [max(cases, key=_severity) for cases in by_check.values()]


def _severity(result: CheckResult) -> tuple[int, float]:
    rank = [Verdict.NOT_APPLICABLE, Verdict.PASSED, Verdict.FAILED].index(result.verdict)
    if result.figure is None or math.isnan(result.figure):
        return rank, math.inf
    beyond_low = -math.inf if result.low is None else result.low - result.figure
    beyond_high = -math.inf if result.high is None else result.figure - result.high
    return rank, max(beyond_low, beyond_high)
