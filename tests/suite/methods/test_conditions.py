"""Conditions of evaluation: scores of disturbed examples of one trained model."""

from __future__ import annotations

import pytest

from suite.api import PluginError
from suite.worker.conformance.gradients import without_compiling
from suite.worker.train.phases import checked_condition
from tests.builders.trainings import run_planned, score_few


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """One model, and its scores under all kinds of conditions."""
    methods = (
        "typos:strengths=0.0,0.5",
        "word_swap:strengths=0.0,0.5",
        "adversarial:strengths=0.0,0.05",
    )
    with pytest.MonkeyPatch.context() as patch, without_compiling():
        score_few(patch, 12)
        folder = tmp_path_factory.mktemp("conditions")
        return run_planned(folder, "sentiment", "vanilla", *methods, steps=4, score_test=True)


@pytest.mark.parametrize(
    ("method", "strength"), [("typos", "0.5"), ("word_swap", "0.5"), ("adversarial", "0.05")]
)
def test_a_strength_of_zero_gives_the_scores_of_the_trained_model(outcomes, method, strength):
    plain, outcome = outcomes
    conditions = {
        name: scores
        for name, scores in outcome["conditions"].items()
        if name.startswith(f"{method}=")
    }
    assert set(conditions) == {f"{method}=0", f"{method}={strength}"}
    for split in ("validation", "test"):
        assert conditions[f"{method}=0"][split] == outcome["metrics"][split]
        assert outcome["metrics"][split] == plain["metrics"][split]
        assert conditions[f"{method}={strength}"][split] != plain["metrics"][split]
    if method == "adversarial":
        clean, moved = (conditions[f"{method}={e}"]["test"]["roc_auc"] for e in ("0", "0.05"))
        assert moved < clean


def test_a_disturbance_without_a_strength_is_refused():
    assert checked_condition("typos=0.05") == "typos=0.05"
    assert checked_condition("adversarial=1e-05") == "adversarial=1e-05"
    for name in ("upper_case", "typos=", "typos=much"):
        with pytest.raises(PluginError, match=f"Received: '{name}'"):
            checked_condition(name)
