"""The conformance kit on given models: sound ones pass, planted faults are found every time."""

from __future__ import annotations

import pytest

from baselines.layers.describe_model import describe
from baselines.layers.given_model import GivenModel
from suite.api.conformance import Verdict
from suite.worker.conformance.kit import check_cases
from tests.builders import faulty_models


def check(name):
    location = ("function", f"{faulty_models.__file__}:{name}")
    architecture = GivenModel(name, location, describe(*location, ""), "d")
    return [result for _, results in check_cases(architecture, ()) for result in results]


@pytest.mark.parametrize("name", ["sound_decoder", "sound_encoder"])
def test_a_sound_model_passes_all_checks(name):
    results = check(name)
    assert [result for result in results if result.verdict is Verdict.FAILED] == []
    passed = {result.check for result in results if result.verdict is Verdict.PASSED}
    expected = {
        "sound_decoder": {"no look ahead", "decoding in steps equals the full pass"},
        "sound_encoder": {"padding does not leak", "adding padding changes nothing"},
    }[name]
    assert passed == expected | {"batch members do not mix"}


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("looks_ahead", "no look ahead"),
        ("leaks_padding_in_training", "padding does not leak"),
        ("mixes_the_batch", "batch members do not mix"),
    ],
)
def test_a_planted_fault_is_found(name, fault):
    failed = {result.check for result in check(name) if result.verdict is Verdict.FAILED}
    assert fault in failed
