"""An interrupted training resumes from its checkpoint with the same results."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from suite.worker import main
from suite.worker.train import checkpoint
from suite.worker.train.checkpoint import Checkpoint
from tests.builders.trainings import Interrupted, make_job, results, run
from tests.conftest import FAKES


@pytest.mark.usefixtures("few_scored_examples", "frequent_checkpoints")
@pytest.mark.parametrize(
    ("task", "architecture", "stops", "steps", "fixtures"),
    [
        # State from batch to batch.
        ("language_modeling", "transformer_xl", [0.7], 6, ["eager"]),
        # Hidden words, dropout, the best weights; two interruptions.
        pytest.param("ner", "bert", [0.55, 0.9], 64, [], marks=pytest.mark.slow),
    ],
)
def test_the_results_are_those_of_an_uninterrupted_training(
    request, tmp_path, task, architecture, stops, steps, fixtures
):
    for name in fixtures:
        request.getfixturevalue(name)
    asked = (task, architecture, steps)
    whole = run(make_job(tmp_path / "whole", *asked, score_test=True))
    job = make_job(tmp_path / "parts", *asked, score_test=True)
    for stop in stops:
        with pytest.raises(Interrupted):
            run(job, stop)
    resumed = run(job)
    assert results(resumed) == results(whole)
    resumed_at = resumed["details"]["resumed_at_steps"]
    assert len(resumed_at) == len(stops)
    assert 0 < resumed_at[0] < resumed["details"]["training_steps"]
    assert whole["details"]["resumed_at_steps"] == []
    # Blocks from before the interruption are part of the measures.
    assert resumed["measurements"]["training"]["step_seconds"]["n"] > 0
    losses = resumed["curves"]["training_loss"]["tokens"]
    assert losses == sorted(set(losses))


@pytest.mark.usefixtures("few_scored_examples", "frequent_checkpoints", "eager")
def test_a_worker_resumes_a_checkpoint_of_the_code_that_it_runs(tmp_path, monkeypatch):
    """Interrupt a worker, edit no file or one of the architecture, and run the job again."""
    plugins = tmp_path / "plugins"
    shutil.copytree(FAKES / "baselines", plugins / "baselines")
    job = replace(make_job(tmp_path, "ner", "vanilla", 6), search_path=(str(plugins),))
    job = replace(job, cell=replace(job.cell, architecture="nothing"))
    (tmp_path / "job.json").write_text(job.to_json())

    class Interrupting(main.ProgressFile):
        def __call__(self, phase, fraction, loss=None):
            if phase == "training" and fraction >= 0.5:
                raise Interrupted

    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(main, "ProgressFile", Interrupting)
        main.work(tmp_path)
    written, original = job.checkpoint.read_bytes(), FAKES / "baselines"
    for edited in (None, "_fake.py"):
        job.checkpoint.write_bytes(written)
        if edited:
            text = (original / edited).read_text()
            (plugins / "baselines" / edited).write_text(f"{text}# one more line\n")
        main.work(tmp_path)
        outcome = json.loads((tmp_path / "outcome.json").read_text())
        assert outcome["status"] == "ok", outcome
        assert len(outcome["details"]["resumed_at_steps"]) == (0 if edited else 1), edited
        if edited:
            shutil.copy(original / edited, plugins / "baselines")


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


def test_a_checkpoint_of_other_data_code_or_model_is_ignored(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "_to_numpy", np.asarray)
    path = tmp_path / "cell.npz"
    Checkpoint(path, ["d", "c"]).write([Variable([1, 2])], {"best": [np.zeros(3)]}, {"steps": 5})
    mine = Variable([0, 0])
    state, kept = Checkpoint(path, ["d", "c"]).read([mine])
    assert state == {"steps": 5}
    assert [value.shape for value in kept["best"]] == [(3,)]
    assert mine.value.tolist() == [1, 2]
    for digests in (["other", "c"], ["d", "other"]):
        assert Checkpoint(path, digests).read([mine]) is None
    assert Checkpoint(path, ["d", "c"]).read([Variable([0, 0, 0])]) is None
    for content in (path.read_bytes()[:100], b""):
        path.write_bytes(content)
        assert Checkpoint(path, ["d", "c"]).read([mine]) is None
    assert Checkpoint(tmp_path / "none.npz", ["d", "c"]).read([mine]) is None


def test_a_full_disk_does_not_stop_the_training(tmp_path, monkeypatch, capsys):
    def full(*arguments, **named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.np, "savez", full)
    Checkpoint(tmp_path / "cell.npz", ["d", "c"]).write([], {}, {})
    assert "No space left" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
