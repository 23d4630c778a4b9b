"""The conformance kit: all checks of an architecture, case by case."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from suite.api import Architecture, Form, Job, ModelSize, Status
from suite.api.conformance import OF_GIVEN_MODELS, CheckResult, Verdict
from suite.api.errors import LengthwiseError, Unsupported
from suite.worker.conformance import decoding
from suite.worker.conformance.models import OF_MODELS, parity_with_vanilla
from suite.worker.conformance.passes import (
    OF_ENCODERS,
    OF_EVERY_FORM,
    Check,
    Finding,
    NotApplicable,
    adding_padding_changes_nothing,
    longer_sequences_run,
    order_matters,
    padding_does_not_leak,
    shape_is_batch_length_width,
)
from suite.worker.conformance.subjects import LENGTH, Case, Subject, cases_of, find_request
from suite.worker.steps import fix_randomness

Results = Iterator[CheckResult]
EVERY_FORM = "every form is checked"
OF_PADDING = (padding_does_not_leak, adding_padding_changes_nothing)
EVERY_CHECK: Sequence[Callable[..., Finding]] = (
    shape_is_batch_length_width,
    longer_sequences_run,
    *OF_ENCODERS,
    *(check for checks in decoding.CHECKS.values() for check in checks),
    *OF_EVERY_FORM,
    *OF_MODELS,
    parity_with_vanilla,
)


def run(
    job: Job, architecture: Architecture, report_progress: Callable[..., None]
) -> dict[str, Any]:
    """Check the job's architecture and return the outcome, with the result of each check."""
    fix_randomness(job.cell.seed, job.cell.precision)
    cases = list(check_cases(architecture, job.check_at))
    results: list[CheckResult] = []
    for number, (name, case_results) in enumerate(cases):
        report_progress(name, number / len(cases))
        results += case_results
    if not architecture.own_size:
        results += [*unchecked_forms(architecture, results), *absent_checks(results)]
    return {"status": Status.OK, "checks": [asdict(result) for result in results]}


def unchecked_forms(architecture: Architecture, results: Sequence[CheckResult]) -> Results:
    """Yield a failure for each form that supports no request of the kit: nothing speaks for it."""
    built = name_of(shape_is_batch_length_width)
    shapes = [result for result in results if result.check == built]
    for form in sorted(architecture.forms):
        own = [result for result in shapes if result.case.partition(", ")[0] == form]
        if all(result.verdict is Verdict.NOT_APPLICABLE for result in own):
            reason = next((result.reason for result in own), "decoders take token ids")
            yield CheckResult(EVERY_FORM, str(form), Verdict.FAILED, reason=reason)


def absent_checks(results: Sequence[CheckResult]) -> Results:
    """Yield the checks that no form of the architecture has."""
    performed = {result.check for result in results}
    for name in dict.fromkeys(map(name_of, EVERY_CHECK)):
        if name not in performed:
            reason = "no form of the architecture has it"
            yield CheckResult(name, "", Verdict.NOT_APPLICABLE, reason=reason)


def check_cases(
    architecture: Architecture, sizes: Sequence[ModelSize]
) -> Iterator[tuple[str, Results]]:
    """Yield each case with its results, which are computed as they are read."""
    if architecture.own_size:
        for case in cases_of(architecture):
            yield case.name, check_own_size(architecture, case)
        return
    for case in cases_of(architecture):
        yield case.name, check_passes(architecture, case)
    for form in sorted(architecture.forms):
        yield f"{form}: training, saving, parity", check_models(architecture, form, sizes)


def check_passes(architecture: Architecture, case: Case) -> Results:
    """Yield the results of the checks of passes; without a backbone, only that of the shape."""
    subjects: list[Subject] = []

    def build() -> Finding:
        subjects.append(Subject(architecture, find_request(architecture, *case)))
        return shape_is_batch_length_width(subjects[0])

    yield perform(name_of(shape_is_batch_length_width), case.name, build)
    for subject in subjects:
        for check in checks_of(architecture, case.form, case.length)[1:]:
            yield perform(name_of(check), case.name, partial(check, subject), builds=False)


def check_own_size(architecture: Architecture, case: Case) -> Results:
    """Yield the results of the checks of a model with a size of its own."""
    found = checks_of(architecture, *case[::2])
    checks = [check for check in found if name_of(check) in OF_GIVEN_MODELS]
    subjects: list[Subject] = []

    def measure(check: Check) -> Finding:
        if check in OF_PADDING and not architecture.takes_padding_mask:
            raise NotApplicable("it takes no padding mask")
        if not subjects:
            subjects.append(Subject(architecture, find_request(architecture, *case)))
        return check(subjects[0])

    for check in checks:
        yield perform(name_of(check), case.name, partial(measure, check))


def checks_of(architecture: Architecture, form: Form, length: int = LENGTH) -> list[Check]:
    """Return the checks of passes of a form at a length, that of the shape first.

    The encoder of the encoder-decoder form is checked where the architecture has no encoder form.
    Only a task of another form has evaluation lengths. In a long pass, the order of two tokens
    changes too little to be told from rounding.
    """
    encodes = form is Form.ENCODER or (
        form is Form.ENCODER_DECODER and Form.ENCODER not in architecture.forms
    )
    checks = [
        shape_is_batch_length_width,
        *(() if form is Form.ENCODER_DECODER else (longer_sequences_run,)),
        *(OF_ENCODERS if encodes else ()),
        *decoding.CHECKS[form],
        *OF_EVERY_FORM,
    ]
    too_weak = () if length == LENGTH else (order_matters, decoding.order_matters)
    return [check for check in checks if check not in too_weak]


def check_models(architecture: Architecture, form: Form, sizes: Sequence[ModelSize]) -> Results:
    """Yield the results of the checks of models of a form."""
    for check in OF_MODELS:
        yield perform(name_of(check), str(form), partial(check, architecture, form))
    for size in sizes:
        compare = partial(parity_with_vanilla, architecture, form, size)
        yield perform(name_of(parity_with_vanilla), f"{form}, {size.name}", compare)


def name_of(check: Callable[..., Finding]) -> str:
    """Return the name of a check."""
    return check.__name__.replace("_", " ")


def perform(
    check: str, case: str, measure: Callable[[], Finding], *, builds: bool = True
) -> CheckResult:
    """Return the result of a check; an exception of the architecture is a failure.

    `Unsupported` is no failure where the check `builds` a model. A built model supports all that
    its form has.
    """
    try:
        finding = measure()
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        if isinstance(error, (NotApplicable, Unsupported) if builds else NotApplicable):
            return CheckResult(check, case, Verdict.NOT_APPLICABLE, reason=reason)
        if not isinstance(error, LengthwiseError):
            reason = f"{type(error).__name__}: {reason}"
        return CheckResult(check, case, Verdict.FAILED, reason=reason)
    return CheckResult.of_figure(check, case, **asdict(finding))
