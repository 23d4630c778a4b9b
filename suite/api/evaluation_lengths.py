"""The report of a split on evaluation lengths, which the worker, the runner and analyses share.

The report `BY_EVALUATION_LENGTH` maps each length, as text, to figures or to a reason. A reason
begins with `NOT_APPLICABLE`, or with the status of the limit that the length exceeded, such as
"out_of_memory: exceeded the memory limit of 8.0 GiB at length 16,384".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from suite.api.enums import Status

BY_EVALUATION_LENGTH = "by_evaluation_length"
NOT_APPLICABLE = "not applicable"
UNFINISHED = "unfinished_after_training"
"""The field of an outcome whose training is complete, but not what follows the training.

It has the evaluation lengths that are left to score, and is empty while samples are drawn. If the
process then ends for lack of memory or time, the rest of the outcome stands."""
NO_SAMPLES = "why_no_samples"
"""The field of a record's details with the limit that was exceeded while samples were drawn."""
LIMITS = (Status.OUT_OF_MEMORY, Status.TIMED_OUT)
"""The statuses that are the result of an evaluation length; any other failure is the cell's."""


def is_reason(figures: object) -> bool:
    """Return whether a length has a reason in place of figures."""
    return isinstance(figures, str) and figures.partition(": ")[0] in (NOT_APPLICABLE, *LIMITS)


def with_reason(
    reports: Mapping[str, Mapping[str, Any]], lengths: Sequence[int], status: Status, reason: str
) -> dict[str, dict[str, Any]]:
    """Return the reports by split in which `lengths` have a reason: the first exceeded a limit.

    The longer lengths were not tried.
    """
    text = f"{status}: {reason} at length {lengths[0]:,}"
    return {
        split: {
            **split_reports,
            BY_EVALUATION_LENGTH: {
                **split_reports[BY_EVALUATION_LENGTH],
                **{str(length): text for length in lengths},
            },
        }
        if BY_EVALUATION_LENGTH in split_reports
        else dict(split_reports)
        for split, split_reports in reports.items()
    }


def exceeded_limits(
    reports: Mapping[str, Mapping[str, Any]], lengths: Iterable[int]
) -> frozenset[Status]:
    """Return the statuses of the limits that some of `lengths` exceeded."""
    figures_or_reasons = [
        split_reports.get(BY_EVALUATION_LENGTH, {}).get(str(length))
        for split_reports in reports.values()
        for length in lengths
    ]
    starts = {
        figures.partition(": ")[0] for figures in figures_or_reasons if isinstance(figures, str)
    }
    return frozenset(status for status in LIMITS if status in starts)
