"""The conformance kit on architectures that are broken on purpose."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from suite.api import Form, Inputs, ModelSize, Unsupported
from suite.api.conformance import CheckResult, Verdict
from suite.cli.check_command import command
from suite.worker.conformance import kit
from suite.worker.conformance.subjects import LENGTH, Case, cases_of
from tests.architectures import slow_unless
from tests.builders.broken_architectures import ALL, Sound

SIZE = ModelSize("small", num_layers=1, width=32, num_heads=2, feedforward_width=128)
STEPS = "decoding in steps equals the full pass"
GENERATED = "generated tokens equal a full recomputation"
FAILURES = {
    "sound": set(),
    "leaks_padding": {"padding does not leak"},
    "counts_padding": {"adding padding changes nothing"},
    "mixes_the_batch": {"batch members do not mix"},
    "ignores_order": {"order matters"},
    "looks_ahead": {"no look ahead", STEPS, GENERATED},  # a step cannot know what follows
    "decodes_otherwise": {STEPS, GENERATED},
    "decodes_to_nan": {STEPS, GENERATED},
    "forgets_a_gradient": {"gradients reach every weight"},
    "changes_on_reload": {"weights are saved and loaded"},
    "is_not_deterministic": {"same seed same losses"},
    "stops_at_its_length": {"longer sequences run"},
    "is_too_large": {"parity with vanilla"},
    "fails_far_out": {
        "batch members do not mix",
        "padding does not leak",
        "training equals evaluation",
        "no look ahead",
        STEPS,
    },
    "normalizes_the_batch": {
        "padding does not leak",
        "the same call gives the same",
        "training equals evaluation",
    },
    "counts_later_padding": {"no look ahead"},
    "drops_in_evaluation": {"weights are saved and loaded"},
    "keeps_state": {"the same call gives the same", "training equals evaluation"},
}


WHOLE = ("sound", "fails_far_out")
"""The fakes that have all checks: those of long passes, of models, and of parity too."""
OF_MODELS = {"weights are saved and loaded", "same seed same losses", "parity with vanilla"}
REASONS = {
    "looks_ahead": ("no look ahead", r"position \d+ changes earlier positions"),
    "decodes_otherwise": (STEPS, r"the first wrong position is [78]"),
    "leaks_padding": ("padding does not leak", r"padding .*"),
    "mixes_the_batch": ("batch members do not mix", r"example \d of 5, .*padding.*"),
}
"""For each broken architecture, the check that fails, and where the failure says it is."""


def results_of(architecture):
    cases = kit.check_cases(architecture, (SIZE,))
    return [result for _, results in cases for result in results]


def results_of_short_passes(architecture, with_models):
    """Return the results of the checks of short passes and, if asked, of models."""
    cases = [case for case in cases_of(architecture) if case.length == LENGTH]
    results = [result for case in cases for result in kit.check_passes(architecture, case)]
    for form in sorted(architecture.forms) if with_models else ():
        results += kit.check_models(architecture, form, (SIZE,))
    return results


def test_every_broken_architecture_is_expected_to_fail():
    assert set(ALL) == set(FAILURES)


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
@pytest.mark.parametrize(
    ("name", "is_whole"),
    [
        *((name, name in WHOLE) for name in FAILURES),
        *(slow_unless(False, name, True) for name in FAILURES if name not in WHOLE),
    ],
)
def test_a_broken_architecture_fails_exactly_the_checks_that_it_breaks(name, is_whole):
    architecture, expected = ALL[name], FAILURES[name]
    if is_whole:
        results = results_of(architecture)
    else:
        results = results_of_short_passes(architecture, bool(expected & OF_MODELS))
    results += kit.unchecked_forms(architecture, results)
    failed = [item for item in results if item.verdict is Verdict.FAILED]
    assert {item.check for item in failed} == expected, failed
    assert all(item.figure is not None for item in failed), "a figure fails, not an exception"
    check, reason = REASONS.get(name, ("", ""))
    told = [item.reason for item in failed if item.check == check and "259" not in item.case]
    assert all(re.fullmatch(reason, text) for text in told)


def test_an_encoder_decoder_that_ignores_the_source_does_not_pass():
    class Deaf(Sound):
        forms = frozenset({Form.ENCODER_DECODER})

    results = kit.check_passes(Deaf(), Case(Form.ENCODER_DECODER, Inputs.TOKEN_IDS))
    (failed,) = [item for item in results if item.verdict is Verdict.FAILED]
    assert failed.check == "padding of the source does not leak"
    assert failed.reason == "the source changes no position"


def test_an_exception_is_a_failure_with_its_reason():
    def fail():
        raise ValueError("the window\nis 0")

    result = kit.perform("order matters", "decoder", fail)
    assert result.verdict is Verdict.FAILED and result.reason == "ValueError: the window is 0"


def test_a_built_model_cannot_decline_a_check():
    class Evasive(Sound):
        def assemble(self, request):
            backbone = super().assemble(request)
            decode = backbone.decode

            def decode_all(target, state=None, **given):
                if state is not None:
                    raise Unsupported("Sound takes no state.")
                return decode(target, **given)

            backbone.decode = decode_all
            return backbone

    results = kit.check_passes(Evasive(), Case(Form.DECODER, Inputs.TOKEN_IDS))
    failed = {item.check: item.reason for item in results if item.verdict is Verdict.FAILED}
    assert failed == dict.fromkeys((STEPS, GENERATED), "Unsupported: Sound takes no state.")


def test_an_architecture_that_supports_no_request_does_not_pass():
    class Picky(Sound):
        forms = frozenset({Form.DECODER})

        def unsupported_reason(self, request):
            return f"needs a length of 1,000; received: {request.sequence_length}"

    results = results_of(Picky())
    assert {item.verdict for item in results} == {Verdict.NOT_APPLICABLE}
    (failure,) = kit.unchecked_forms(Picky(), results)
    assert (failure.verdict, failure.case) == (Verdict.FAILED, "decoder")
    assert failure.reason == "Sound needs a length of 1,000; received: 19"


def test_a_check_that_no_form_has_is_named_and_the_help_lists_all():
    names = {item.check for item in kit.absent_checks([])}
    assert len(names) == 19
    printed = CliRunner().invoke(command, ["--help"]).output.replace("\n", " \n")
    assert all(f"    {name} " in printed for name in names)
    shown = kit.absent_checks([CheckResult("order matters", "encoder", Verdict.PASSED)])
    assert {item.check for item in shown} == names - {"order matters"}
