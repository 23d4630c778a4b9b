"""The built-in architectures, and how the contract tests put them through the conformance kit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

import pytest

from suite.api import Form
from suite.api.conformance import CheckResult, Verdict
from suite.matrix.registry import load_registry
from suite.worker.conformance import decoding
from suite.worker.conformance.gradients import BACKEND
from suite.worker.conformance.kit import checks_of
from suite.worker.conformance.passes import (
    Finding,
    NotApplicable,
    bfloat16_is_near_float32,
    gradients_reach_every_weight,
    padding_does_not_leak,
    shape_is_batch_length_width,
)
from suite.worker.conformance.subjects import (
    LENGTH,
    Case,
    Subject,
    cases_of,
    find_request,
    main_inputs,
)

ARCHITECTURES = load_registry().architectures.plugins
REAL = 13
"""The number of real positions of a padded example."""
NamedCase = tuple[str, Case]
"""An architecture's name and one of its cases."""


def has_main_inputs(name: str, case: Case) -> bool:
    """Return whether the inputs are the first kind that the architecture accepts."""
    return case.form is not Form.ENCODER or case.inputs is main_inputs(ARCHITECTURES[name])


# One backend tests every kind of input: input layers are Keras's own.
CASES = [
    (name, case)
    for name, architecture in ARCHITECTURES.items()
    for case in cases_of(architecture)
    if BACKEND == "tensorflow" or has_main_inputs(name, case)
]
ENCODERS = sorted({name for name, case in CASES if case.form is Form.ENCODER})

MIXED_AS_ANOTHER = (
    *("bert", "full_attention", "hub", "identity", "linformer", "llama", "modernbert", "t5", "vit"),
    "hybrid",
)
"""Their layers mix as those of another architecture do, or by one or two matrix products.

tests/baselines/test_hybrid.py checks patterns of mixers.
"""
FEW = ("gpt", "llama", "mamba2", "vanilla")
"""The architectures that are checked where the mechanisms of the others have their own tests."""
OF_EVERY_KIND = (
    padding_does_not_leak,
    gradients_reach_every_weight,
    decoding.padding_of_the_source_does_not_leak,
    decoding.decoding_in_steps_equals_the_full_pass,
    decoding.the_state_has_its_declared_size,
)
"""The checks that are quick for each kind of layer; the others are for `vanilla` alone."""
OF_EVERY_ARCHITECTURE = (
    padding_does_not_leak,
    decoding.decoding_in_steps_equals_the_full_pass,
)
"""The checks that are quick where the layers mix as those of another architecture do."""
ACROSS_BLOCKS = ("linear_attention", "longformer", "vanilla")
"""Architectures with chunks, windows, and all positions: in long passes, decoding can break."""
ON_JAX = (
    shape_is_batch_length_width,
    padding_does_not_leak,
    bfloat16_is_near_float32,
    gradients_reach_every_weight,
    decoding.padding_of_the_source_does_not_leak,
    decoding.decoding_in_steps_equals_the_full_pass,
    decoding.the_state_has_its_declared_size,
)
"""The checks that are quick on JAX, which compiles each shape: a backend can break these."""


def checks_of_passes() -> dict[str, tuple[NamedCase, Callable[[Subject], Finding]]]:
    """Return each case with each of its checks."""
    return {
        "-".join([name, *case.name.split(", "), check.__name__]): ((name, case), check)
        for name, case in CASES
        for check in checks_of(ARCHITECTURES[name], case.form, case.length)
    }


def is_quick(named: NamedCase, check: Callable[[Subject], Finding]) -> bool:
    """Return whether a check of a case can find what no other quick check would.

    `vanilla` has all checks of its main inputs at the short length: at the long one, its layers
    compute the same. Each other kind of layer has the checks that a layer can break: in the
    encoder-decoder, which has an encoder and a decoder, where there is one.
    """
    name, case = named
    has_both = Form.ENCODER_DECODER in ARCHITECTURES[name].forms
    is_part = has_both and case.form is not Form.ENCODER_DECODER
    if BACKEND == "jax":
        is_own = name not in MIXED_AS_ANOTHER or name in FEW
        return check in ON_JAX and case.length == LENGTH and is_own and not is_part
    if not has_main_inputs(name, case):
        return False
    if case.length != LENGTH:
        is_decoded = check is decoding.decoding_in_steps_equals_the_full_pass
        return name in ACROSS_BLOCKS and is_decoded and not is_part
    if name == "vanilla":
        return True
    return not is_part and check in (
        OF_EVERY_ARCHITECTURE if name in MIXED_AS_ANOTHER else OF_EVERY_KIND
    )


def slow_unless(is_quick: bool, *values: object) -> object:
    """Return the parameters of a test, as a slow test unless a condition holds."""
    return pytest.param(*values, marks=() if is_quick else pytest.mark.slow)


def few_of(names: Iterable[str]) -> list[object]:
    """Return names of architectures as parameters, of which `FEW` are quick."""
    return [slow_unless(name in FEW, name) for name in names]


def slow_on_jax(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test as slow on JAX."""
    return pytest.mark.slow(test) if BACKEND == "jax" else test


def slow_on_jax_unless(is_quick: bool, *values: object) -> object:
    """Return the parameters of a test, as a slow test on JAX unless a condition holds.

    JAX compiles each shape, which takes most of the time of its tests.
    """
    return slow_unless(BACKEND != "jax" or is_quick, *values)


@lru_cache(maxsize=1)
def subject_of(named: NamedCase) -> Subject:
    """Return the subject of a case; the checks of one case follow each other and share it."""
    name, case = named
    return Subject(ARCHITECTURES[name], find_request(ARCHITECTURES[name], *case))


def assert_passes(check: Callable[..., Finding], *given: object) -> None:
    """Fail with the figure and its bounds unless a check passes or does not apply."""
    try:
        found = check(*given)
    except NotApplicable:
        return
    bounds = {"low": found.low, "high": found.high, "reason": found.reason}
    result = CheckResult.of_figure(check.__name__, "", found.figure, **bounds)
    assert result.verdict is Verdict.PASSED, result
