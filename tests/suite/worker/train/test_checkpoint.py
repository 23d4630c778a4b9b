"""An interrupted training resumes from its checkpoint with the same results."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pytest

from suite.api import Examples, Job
from suite.api.plugins import ARCHITECTURES, TASKS, find_plugin
from suite.matrix.expansion import expand
from suite.matrix.model_sizes import MODEL_SIZES
from suite.matrix.planned_cells import recipe_for
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.worker import main
from suite.worker.data import encoded
from suite.worker.measure import timing, warmup
from suite.worker.train import cell, checkpoint, evaluation_lengths
from suite.worker.train.checkpoint import Checkpoint
from tests.conftest import FAKES
from tests.encoded_data import Cache


class Interrupted(BaseException):
    """The end of a process, which no handler of exceptions catches."""


def make_job(tmp_path, task, architecture, steps, *, score_test=False, methods=(), **options):
    """Return the job of a small training, without XLA: compiling takes most of its time."""
    request = Request(
        tasks=(task,),
        architectures=(architecture,),
        lengths=(32,),
        seeds=(0,),
        steps=steps,
        batch_size=4,
        options={"compile": "graph", **options},
        score_test=score_test,
        methods=(methods,),
    )
    (planned,) = expand(request, load_registry(()))
    return Job(
        cell=planned.cell,
        model_size=replace(MODEL_SIZES["tiny"], num_layers=1),  # compiling takes time
        recipe=recipe_for(find_plugin(TASKS, task), planned.cell.options),
        source=planned.source,
        search_path=(),
        folder=tmp_path,
        cache=Cache.folder,
        checkpoint=tmp_path / "checkpoints" / "cell.npz",
        source_digest="d",
    )


def cut(examples, count=32):
    """Return the first examples."""
    first = {name: values[:count] for name, values in examples.features.items()}
    return Examples(first, {name: values[:count] for name, values in examples.targets.items()})


def score_few(monkeypatch, count=32):
    """Score the first examples of each split only; the training is the same."""
    load = encoded.load

    def load_few(*arguments):
        data = load(*arguments)
        return replace(data, validation=cut(data.validation, count), test=cut(data.test, count))

    monkeypatch.setattr(encoded, "load", load_few)


@pytest.fixture
def few_scored_examples(monkeypatch):
    """Score a few examples only; the training is the same."""
    score_few(monkeypatch)


@pytest.fixture
def few_examples_at_lengths(monkeypatch):
    """Score a few examples only at evaluation lengths."""
    load = evaluation_lengths.load_length

    def load_few(setup, length):
        return {split: cut(examples) for split, examples in load(setup, length).items()}

    monkeypatch.setattr(evaluation_lengths, "load_length", load_few)


@pytest.fixture
def frequent_checkpoints(monkeypatch):
    """Write a checkpoint after every block, and skip the measurements.

    Measurements take most of the time of such a small training.
    """
    monkeypatch.setattr(checkpoint, "SECONDS_BETWEEN", 0.0)
    monkeypatch.setattr(warmup, "throwaway_step", lambda xla: None)
    monkeypatch.setattr(timing, "ATTEMPTS", 1)
    monkeypatch.setattr(timing, "MIN_SECONDS", 0.0)


def run(job, stop_at=math.inf):
    def report_progress(phase, fraction, loss=None):
        if phase == "training" and fraction >= stop_at:
            raise Interrupted

    architecture = find_plugin(ARCHITECTURES, job.cell.architecture)
    task = find_plugin(TASKS, job.cell.task)
    return cell.run(job, task, architecture, (), report_progress, lambda outcome: None)


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
    ("task", "architecture", "stops", "steps", "fixtures"),
    [
        # State from batch to batch.
        ("language_modeling", "transformer_xl", [0.7], 24, ["eager"]),
        # Hidden words, dropout, the best weights; two interruptions.
        pytest.param("ner", "bert", [0.55, 0.9], 64, [], marks=pytest.mark.slow),
    ],
)
def test_the_results_are_those_of_an_uninterrupted_training(
    request, tmp_path, few_scored_examples, frequent_checkpoints, task, architecture, stops, steps,
    fixtures,
):  # fmt: skip
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
    at = resumed["details"]["resumed_at_steps"]
    assert len(at) == len(stops)
    assert 0 < at[0] < resumed["details"]["training_steps"]
    assert whole["details"]["resumed_at_steps"] == []
    # Blocks from before the interruption are part of the measures.
    taken = resumed["measurements"]["training"]["step_seconds"]
    assert taken["n"] > 0
    losses = resumed["curves"]["training_loss"]["tokens"]
    assert losses == sorted(set(losses))


def test_a_worker_resumes_a_checkpoint_of_the_code_that_it_runs(
    tmp_path, monkeypatch, few_scored_examples, frequent_checkpoints
):
    """Interrupt a worker, edit no file or one of the architecture, and run the job again."""
    plugins = tmp_path / "plugins"
    shutil.copytree(FAKES / "baselines", plugins / "baselines")
    job = replace(make_job(tmp_path, "ner", "vanilla", 64), search_path=(str(plugins),))
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
    for edited in (None, "nothing.py", "_fake.py"):
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
    assert Checkpoint(path, ["other", "c"]).read([mine]) is None
    assert Checkpoint(path, ["d", "other"]).read([mine]) is None
    assert Checkpoint(path, ["d", "c"]).read([Variable([0, 0, 0])]) is None
    path.write_bytes(path.read_bytes()[:100])
    assert Checkpoint(path, ["d", "c"]).read([mine]) is None
    path.write_bytes(b"")
    assert Checkpoint(path, ["d", "c"]).read([mine]) is None
    assert Checkpoint(tmp_path / "none.npz", ["d", "c"]).read([mine]) is None


def test_a_full_disk_does_not_stop_the_training(tmp_path, monkeypatch, capsys):
    def full(*arguments, **named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.np, "savez", full)
    Checkpoint(tmp_path / "cell.npz", ["d", "c"]).write([], {}, {})
    assert "No space left" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
