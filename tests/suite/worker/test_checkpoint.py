"""A training that was cut off goes on from its checkpoint, and ends as if nothing had been."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from suite.api import Examples, Job
from suite.api.plugins import ARCHITECTURES, TASKS, find_plugin
from suite.matrix.expansion import expand, recipe_for
from suite.matrix.presets import MODEL_SIZES
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.worker import checkpoint, training
from suite.worker.checkpoint import Checkpoint
from suite.worker.data import encoded
from suite.worker.measure import timing as measuring
from suite.worker.measure import warmup


class CutOff(BaseException):
    """What a killed process would not even see."""


def make_job(tmp_path, task, architecture, budget, **options):
    request = Request(
        tasks=(task,),
        architectures=(architecture,),
        lengths=(32,),
        seeds=(0,),
        budget=budget,
        batch_size=4,
        options=options,
    )
    (planned,) = expand(request, load_registry(()))
    return Job(
        cell=planned.cell,
        model_size=replace(MODEL_SIZES["tiny"], num_layers=1),  # compiling takes time
        recipe=recipe_for(find_plugin(TASKS, task), planned.cell.options),
        source=planned.source,
        search_path=(),
        folder=tmp_path,
        cache=tmp_path.parent / "cache",
        checkpoint=tmp_path / "checkpoints" / "cell.npz",
        source_digest="d",
    )


@pytest.fixture
def few_to_score(monkeypatch):
    """Score a few examples: what is trained is the same."""
    load = encoded.load

    def cut(examples):
        first = {name: values[:32] for name, values in examples.features.items()}
        return Examples(first, {name: values[:32] for name, values in examples.targets.items()})

    def load_few(*arguments):
        data = load(*arguments)
        return replace(data, validation=cut(data.validation), test=cut(data.test))

    monkeypatch.setattr(encoded, "load", load_few)


@pytest.fixture
def often_kept(monkeypatch):
    """Write a checkpoint whenever one may be written; leave out what only measures.

    That takes most of the time of so small a training.
    """
    monkeypatch.setattr(checkpoint, "SECONDS_BETWEEN", 0.0)
    monkeypatch.setattr(warmup, "throwaway_step", lambda xla: None)
    monkeypatch.setattr(measuring, "ATTEMPTS", 1)


def run(job, stop_at=math.inf):
    def tell(phase, fraction, loss=None):
        if phase == "training" and fraction >= stop_at:
            raise CutOff

    architecture = find_plugin(ARCHITECTURES, job.cell.architecture)
    return training.run(job, find_plugin(TASKS, job.cell.task), architecture, tell)


def results(outcome):
    curve = outcome["curves"]
    validation = next(curve[name] for name in curve if name.startswith("validation_"))
    return {
        "metrics": outcome["metrics"],
        "reports": outcome["reports"],
        "validation": validation,
        "steps": outcome["details"]["training_steps"],
        "tokens": outcome["details"]["training_tokens"],
        "best": outcome["details"]["best_weights_at_tokens"],
    }


@pytest.mark.parametrize(
    ("task", "architecture", "stops"),
    [
        ("language_modeling", "transformer_xl", [0.7]),  # a memory from batch to batch
        # Hidden words, dropout, the best weights; cut off twice.
        pytest.param("ner", "bert", [0.55, 0.9], marks=pytest.mark.slow),
    ],
)
def test_it_ends_exactly_as_if_never_cut_off(
    tmp_path, few_to_score, often_kept, task, architecture, stops
):
    whole = run(make_job(tmp_path / "whole", task, architecture, 8_192))
    job = make_job(tmp_path / "parts", task, architecture, 8_192)
    for stop in stops:
        with pytest.raises(CutOff):
            run(job, stop)
    resumed = run(job)
    assert results(resumed) == results(whole)
    at = resumed["details"]["resumed_at_steps"]
    assert len(at) == len(stops)
    assert 0 < at[0] < resumed["details"]["training_steps"]
    assert whole["details"]["resumed_at_steps"] == []
    # What was timed before is part of what is stated.
    taken = resumed["measurements"]["training"]["step_seconds"]
    assert taken["n"] > 0
    losses = resumed["curves"]["training_loss"]["tokens"]
    assert losses == sorted(set(losses))


def test_averaged_weights_are_the_mean_and_a_cut_does_not_change_them(
    tmp_path, monkeypatch, few_to_score, often_kept
):
    monkeypatch.setattr(training._Session, "_better", lambda self, value, best: True)
    summed, put_back = [], []
    add, set_weights = training.Mean.add, training.Model.set_weights

    def add_seen(mean, weights):
        summed.append([np.array(value, np.float64) for value in weights])
        add(mean, weights)

    def set_weights_seen(model, weights):
        put_back.append(weights)
        set_weights(model, weights)

    monkeypatch.setattr(training.Mean, "add", add_seen)
    monkeypatch.setattr(training.Model, "set_weights", set_weights_seen)
    asked = ("language_modeling", "vanilla", 8_192)
    whole = run(make_job(tmp_path / "whole", *asked, averaged_share="0.5"))
    assert whole["details"]["best_weights_are_averaged"]
    assert len(summed) == training.NUM_AVERAGED
    for values, mean in zip(zip(*summed, strict=True), put_back[-1], strict=True):
        np.testing.assert_allclose(mean, np.mean(values, axis=0), rtol=1e-4, atol=1e-6)
    job = make_job(tmp_path / "parts", *asked, averaged_share="0.5")
    with pytest.raises(CutOff):
        run(job, 0.8)
    resumed = run(job)
    assert resumed["details"]["resumed_at_steps"]
    assert results(resumed) == results(whole)


def test_the_steps_averaged_end_with_the_last_and_none_is_before_their_share():
    assert training._averaged_steps(1_000, 0.0) == set()
    steps = training._averaged_steps(1_000, 0.5)
    assert (len(steps), min(steps), max(steps)) == (training.NUM_AVERAGED, 525, 1_000)
    assert training._averaged_steps(10, 0.5) == {6, 7, 8, 9, 10}


class Variable:
    def __init__(self, value):
        self.value = np.asarray(value, np.float32)

    @property
    def shape(self):
        return self.value.shape

    def __array__(self, dtype=None, copy=None):
        return self.value

    def assign(self, value):
        self.value = np.asarray(value)


def test_of_other_data_code_or_model_or_cut_in_half_it_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "_to_numpy", np.asarray)
    path = tmp_path / "cell.npz"
    Checkpoint(path, ["d", "c"]).write([Variable([1, 2])], {"best": [np.zeros(3)]}, {"steps": 5})
    mine = Variable([0, 0])
    state, kept = Checkpoint(path, ["d", "c"]).read([mine])
    assert state == {"steps": 5}
    assert [value.shape for value in kept["best"]] == [(3,)]
    assert mine.value.tolist() == [1, 2]
    assert Checkpoint(path, ["other", "c"]).read([mine]) is None
    assert Checkpoint(path, ["d", "other"]).read([mine]) is None
    assert Checkpoint(path, ["d", "c"]).read([Variable([0, 0, 0])]) is None
    path.write_bytes(path.read_bytes()[:100])
    assert Checkpoint(path, ["d", "c"]).read([mine]) is None
    path.write_bytes(b"")
    assert Checkpoint(path, ["d", "c"]).read([mine]) is None
    assert Checkpoint(tmp_path / "none.npz", ["d", "c"]).read([mine]) is None


def test_a_full_disk_costs_no_training(tmp_path, monkeypatch, capsys):
    def full(*arguments, **named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.np, "savez", full)
    Checkpoint(tmp_path / "cell.npz", ["d", "c"]).write([], {}, {})
    assert "No space left" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
