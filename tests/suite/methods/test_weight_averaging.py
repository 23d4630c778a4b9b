"""Tests of weight averaging: a candidate of validation that survives an interruption."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from suite.methods import weight_averaging
from suite.methods.weight_averaging import METHOD, NUM_AVERAGED, averaged_steps
from suite.worker.train import loop
from tests.builders.methods import context_of
from tests.builders.trainings import Interrupted, make_job, results, run

TEXT = "weight_averaging:share=0.5"


def test_averaged_steps_end_with_the_last_step_and_stay_within_their_share():
    assert averaged_steps(1_000, 0.0) == set()
    steps = averaged_steps(1_000, 0.5)
    assert (len(steps), min(steps), max(steps)) == (NUM_AVERAGED, 525, 1_000)
    assert averaged_steps(10, 0.5) == {6, 7, 8, 9, 10}


def test_the_mean_is_that_of_the_averaged_steps_and_a_candidate_after_the_last():
    context = context_of("weight_averaging", {"share": 0.5})
    weights = [np.random.default_rng(step).normal(size=(3, 2)) for step in range(1, 11)]
    own = [weights[-1]]
    for step, value in enumerate(weights, 1):
        model = SimpleNamespace(get_weights=lambda value=value: [value])
        METHOD.after_step(model, step, 10, context)
        offered = METHOD.candidates([own], model, None, step, 10, context)
        assert len(offered) == (2 if step == 10 else 1) and offered[0] is own
    (mean,) = offered[1]
    np.testing.assert_allclose(mean, np.mean(weights[5:], axis=0), rtol=1e-6)
    for kept, is_mean in ((mean, True), (own[0], False)):
        model = SimpleNamespace(get_weights=lambda kept=kept: [kept])
        facts = {"averaged_steps": 5, "mean_is_kept": is_mean}
        assert METHOD.facts(model, context) == facts


def test_the_mean_of_one_step_is_no_candidate_and_a_share_of_0_averages_nothing():
    for share, facts in ((0.0, {}), (0.1, {"averaged_steps": 1, "mean_is_kept": True})):
        context = context_of("weight_averaging", {"share": share})
        model = SimpleNamespace(get_weights=lambda: [np.ones(2)])
        for step in range(1, 11):
            METHOD.after_step(model, step, 10, context)
        own = [[np.ones(2)]]
        assert METHOD.candidates(own, model, None, 10, 10, context) is own
        assert METHOD.facts(model, context) == facts


@pytest.mark.usefixtures("eager", "few_scored_examples", "frequent_checkpoints")
def test_an_interruption_does_not_change_the_mean(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "is_better", lambda metric, value, best: True)
    monkeypatch.setattr(weight_averaging, "NUM_AVERAGED", 4)
    added = []
    add = weight_averaging.add_to_mean

    def add_seen(state, weights):
        added.append([np.array(value, np.float64) for value in weights])
        add(state, weights)

    monkeypatch.setattr(weight_averaging, "add_to_mean", add_seen)
    asked = ("language_modeling", "vanilla", 8)
    whole = run(make_job(tmp_path / "whole", *asked, methods=(TEXT,)))
    facts = {"averaged_steps": 4, "mean_is_kept": True}
    assert whole["details"]["methods"] == {"weight_averaging": facts}
    assert len(added) == 4
    job = make_job(tmp_path / "parts", *asked, methods=(TEXT,))
    with pytest.raises(Interrupted):
        run(job, 0.8)
    resumed = run(job)
    assert resumed["details"]["resumed_at_steps"]
    assert results(resumed) == results(whole)
