"""The built-in architectures, and how the contract tests put them through the conformance kit."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import pytest

from suite.api import Form, Inputs
from suite.api.conformance import CheckResult, Verdict
from suite.matrix.registry import load_registry
from suite.worker.conformance import decoding
from suite.worker.conformance.gradients import BACKEND
from suite.worker.conformance.kit import checks_of
from suite.worker.conformance.passes import (
    Finding,
    NotApplicable,
    gradients_reach_every_weight,
    longer_sequences_run,
    padding_does_not_leak,
    shape_is_batch_length_width,
)
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

MIXED_AS_ANOTHER = ("bert", "full_attention", "hub", "identity", "linformer", "llama", "t5", "vit")
"""Their layers mix as those of another architecture do: by one or two matrix products."""
OF_SHARED_LAYERS = ("bert", "full_attention", "hub", "vit")
"""Their layers are those of `vanilla`, in another order, or those of keras-hub."""
IMPLIED = (decoding.no_look_ahead, decoding.generated_tokens_equal_a_full_recomputation)
"""The checks of what follows where decoding in steps equals the full pass."""
OF_EVERY_CASE = (
    shape_is_batch_length_width,
    longer_sequences_run,
    gradients_reach_every_weight,
    decoding.decoding_in_steps_equals_the_full_pass,
    decoding.the_state_has_its_declared_size,
)
"""The checks that are quick in forms and with inputs whose layers another case checks in full."""
ON_JAX = (
    shape_is_batch_length_width,
    padding_does_not_leak,
    gradients_reach_every_weight,
    decoding.padding_of_the_source_does_not_leak,
    decoding.decoding_in_steps_equals_the_full_pass,
    decoding.the_state_has_its_declared_size,
)
"""The checks that are quick on JAX, which compiles each shape: a backend can break these."""


def checks_of_passes(of_encoders: bool) -> dict[str, tuple[Case, Callable[[Subject], Finding]]]:
    """Return each case of encoders, or of the other forms, with each of its checks."""
    return {
        "-".join([*case, check.__name__]): (case, check)
        for case in CASES
        if (case[1] is Form.ENCODER) is of_encoders
        for check in checks_of(ARCHITECTURES[case[0]], case[1])
    }


def is_quick(case: Case, check: Callable[[Subject], Finding]) -> bool:
    """Return whether a check of a case can find what no other quick check would.

    `vanilla` has all checks of its main inputs. The layers of other inputs are Keras's own, and the
    decoder of an encoder-decoder has the layers of a decoder.
    """
    name, form, inputs = case
    is_part = form is Form.DECODER and Form.ENCODER_DECODER in ARCHITECTURES[name].forms
    if BACKEND == "jax":
        is_shared = form is Form.ENCODER and name in OF_SHARED_LAYERS
        return check in ON_JAX and not (is_part or is_shared)
    is_main = form is not Form.ENCODER or inputs is main_inputs(ARCHITECTURES[name])
    if name == "vanilla" and is_main:
        return True
    return check in OF_EVERY_CASE or (is_main and not is_part and check not in IMPLIED)


def slow_unless(is_quick: bool, *values: object) -> object:
    """Return the parameters of a test, as a slow test unless a condition holds."""
    return pytest.param(*values, marks=() if is_quick else pytest.mark.slow)


def slow_on_jax_unless(is_quick: bool, *values: object) -> object:
    """Return the parameters of a test, as a slow test on JAX unless a condition holds.

    JAX compiles each shape, which takes most of the time of its tests.
    """
    return slow_unless(BACKEND != "jax" or is_quick, *values)


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
