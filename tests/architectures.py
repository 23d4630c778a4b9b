"""The built-in architectures, and how the contract tests put them through the conformance kit."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from suite.api import Form, Inputs
from suite.api.conformance import CheckResult, Verdict
from suite.matrix.registry import load_registry
from suite.worker.conformance.gradients import BACKEND
from suite.worker.conformance.kit import checks_of
from suite.worker.conformance.passes import Finding, NotApplicable
from suite.worker.conformance.subjects import Subject, cases_of, find_request, main_inputs

ARCHITECTURES = load_registry().architectures.plugins
REAL = 13
"""The number of real positions of a padded example."""
Case = tuple[str, Form, Inputs]


def is_tested(case: Case) -> bool:
    """One backend tests every kind of input: input layers are Keras's own."""
    name, form, inputs = case
    main = form is not Form.ENCODER or inputs is main_inputs(ARCHITECTURES[name])
    return BACKEND == "tensorflow" or main


CASES = [
    case
    for name, architecture in ARCHITECTURES.items()
    for case in ((name, form, inputs) for form, inputs in cases_of(architecture))
    if is_tested(case)
]
ENCODERS = sorted({name for name, form, _ in CASES if form is Form.ENCODER})


def checks_of_passes(of_encoders: bool) -> dict[str, tuple[Case, Callable[[Subject], Finding]]]:
    """Return each case of encoders, or of the other forms, with each of its checks."""
    return {
        "-".join([*case, check.__name__]): (case, check)
        for case in CASES
        if (case[1] is Form.ENCODER) is of_encoders
        for check in checks_of(ARCHITECTURES[case[0]], case[1])
    }


@lru_cache(maxsize=1)
def subject_of(case: Case) -> Subject:
    """Return the subject of a case; the checks of one case follow each other and share it."""
    name, form, inputs = case
    return Subject(ARCHITECTURES[name], find_request(ARCHITECTURES[name], form, inputs))


def assert_passes(check: Callable[..., Finding], *given: object) -> None:
    """Fail with the figure and its bounds unless a check passes or does not apply."""
    try:
        found = check(*given)
    except NotApplicable:
        return
    bounds = {"low": found.low, "high": found.high, "reason": found.reason}
    result = CheckResult.of_figure(check.__name__, "", found.figure, **bounds)
    assert result.verdict is Verdict.PASSED, result
