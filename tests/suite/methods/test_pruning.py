"""Magnitude pruning: its schedule, its masks, and what neither an update nor a restart changes."""

from __future__ import annotations

import numpy as np
import pytest

from suite.methods import pruning
from suite.methods.pruning import grown_masks, pruning_steps, sparsity_at
from suite.worker.train import selection
from tests.builders.trainings import Interrupted, job_of, plan, results, run

OPTIONS = {"sparsity": 0.8, "scope": "layer", "begin": 0.25, "end": 0.75, "every": 4}
ASKED = "pruning:sparsity=0.8,begin=0.25,end=0.75,every=4"


def test_the_share_follows_the_cubic_schedule():
    """Zhu and Gupta 2017, equation 1, with an initial sparsity of 0."""
    assert pruning_steps(100, OPTIONS) == (25, 75)
    assert sparsity_at(25, 100, OPTIONS) == 0
    assert sparsity_at(50, 100, OPTIONS) == pytest.approx(0.8 * (1 - 0.5**3))
    assert sparsity_at(75, 100, OPTIONS) == 0.8
    at_once = {**OPTIONS, "begin": 0.5, "end": 0.5}
    assert sparsity_at(50, 100, at_once) == 0.8


def test_each_layer_loses_its_smallest_weights():
    values = [np.array([[0.1, -4], [0.2, 3]]), np.array([[10, -20, 30, 40]])]
    ones = [np.ones(value.shape, np.uint8) for value in values]
    found = grown_masks(values, ones, 0.5, "layer")
    assert [mask.tolist() for mask in found] == [[[0, 1], [0, 1]], [[0, 0, 1, 1]]]
    found = grown_masks(values, ones, 0.5, "global")
    assert [mask.tolist() for mask in found] == [[[0, 0], [0, 0]], [[1, 1, 1, 1]]]


def test_a_masked_weight_stays_masked():
    """Other weights are zero too, and come first."""
    values, masks = [np.array([0.0, 0.0, 0.0, 5.0])], [np.array([1, 1, 0, 1], np.uint8)]
    (grown,) = grown_masks(values, masks, 0.25, "layer")
    assert grown.tolist() == [1, 1, 0, 1]
    (grown,) = grown_masks(values, masks, 0.5, "layer")
    assert grown.tolist() == [0, 1, 0, 1]
    (kept,) = grown_masks(values, [np.array([0, 0, 0, 1], np.uint8)], 0.25, "layer")
    assert kept.tolist() == [0, 0, 0, 1]


class Watch:
    """The masks and the pruned weights after each update."""

    def __init__(self, monkeypatch):
        self.shares = []
        after_step = pruning.Pruning.after_step

        def watched(method, model, step, total_steps, context):
            after_step(method, model, step, total_steps, context)
            pairs = pruning._weights_and_masks(model)
            pairs = [(np.asarray(weight.value), np.asarray(mask.value)) for weight, mask in pairs]
            assert not any(np.any(weight[mask == 0]) for weight, mask in pairs)
            self.pairs = pairs
            self.shares.append(1 - np.mean([mask.mean() for _, mask in pairs]))

        monkeypatch.setattr(pruning.Pruning, "after_step", watched)


@pytest.mark.slow
@pytest.mark.usefixtures("eager", "few_scored_examples", "frequent_checkpoints")
def test_masked_weights_stay_zero_through_an_interruption(tmp_path, monkeypatch):
    monkeypatch.setattr(selection, "MIN_STEPS_BETWEEN_VALIDATIONS", 8)
    watch = Watch(monkeypatch)
    (planned,) = plan("language_modeling", "vanilla", ASKED, steps=24)
    whole = run(job_of(planned, tmp_path / "whole"))
    assert watch.shares == sorted(watch.shares)
    assert watch.shares[4] == 0 and watch.shares[-1] == pytest.approx(0.8, abs=0.01)
    for weight, mask in watch.pairs:
        assert np.mean(mask == 0) == pytest.approx(0.8, abs=0.5 / mask.size + 1e-6)
        assert np.any(weight)
    facts = whole["details"]["methods"]["pruning"]
    assert facts["zero_weight_share"] == pytest.approx(0.8, abs=0.01)
    # The first two of three validations are before the end.
    assert whole["details"]["best_weights_at_tokens"] == whole["details"]["training_tokens"]

    job = job_of(planned, tmp_path / "parts")
    with pytest.raises(Interrupted):
        run(job, 0.6)
    before = watch.shares[-1]
    watch.shares.clear()
    resumed = run(job)
    assert resumed["details"]["resumed_at_steps"]
    assert 0 < min(share for share in watch.shares if share) <= before
    assert results(resumed) == results(whole)
    assert resumed["details"]["methods"] == whole["details"]["methods"]
