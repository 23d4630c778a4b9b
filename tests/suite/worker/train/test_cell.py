"""The outcome of a train cell."""

from __future__ import annotations

import pytest

from suite.api.plugins import ARCHITECTURES, TASKS, find_plugin
from suite.records.environment import INTERFERENCE_LIMIT
from suite.worker.train import cell, phases
from suite.worker.train.setup import SealedSplitError
from tests.builders.trainings import make_job
from tests.suite.worker.measure.machine import FakeMachine

pytestmark = pytest.mark.usefixtures("few_scored_examples", "eager", "brief_measurements")


@pytest.mark.parametrize(
    ("disturbed", "noisy"),
    [
        ({"measuring inference"}, ["inference", "inference.compile"]),
        pytest.param({"compiling"}, ["training.compile"], marks=pytest.mark.slow),
        ({"training"}, ["training"]),
    ],
)
def test_a_cell_lists_every_phase_with_interference(tmp_path, monkeypatch, disturbed, noisy):
    """Others take one core while a phase in `disturbed` is measured."""
    machine = FakeMachine(monkeypatch, cores=64)

    def report_progress(phase, fraction, loss=None):
        machine.other_cores = 1.0 if phase in disturbed else 0.0

    job = make_job(tmp_path, "language_modeling", "vanilla", 8)
    task = find_plugin(TASKS, job.cell.task)
    architecture = find_plugin(ARCHITECTURES, job.cell.architecture)
    outcome = cell.run(job, task, architecture, (), report_progress, lambda outcome: None)
    assert outcome["details"]["noisy"] == noisy
    for phase, measured in outcome["measurements"].items():
        share = measured["other_process_cpu_share"]["value"]
        assert (share > INTERFERENCE_LIMIT) is (phase in noisy)


@pytest.mark.parametrize("scores_test", [False, True])
def test_only_a_run_that_scores_the_test_split_can_read_it(tmp_path, monkeypatch, scores_test):
    monkeypatch.setattr(phases, "measure_inference", lambda *given: (None, None))

    class Curious(phases.TrainingLoop):
        def run(self):
            raise Read(len(self.setup.data.test.features["padding_mask"]))

    class Read(Exception):
        """The test split was read."""

    monkeypatch.setattr(phases, "TrainingLoop", Curious)
    job = make_job(tmp_path, "language_modeling", "vanilla", 16, score_test=scores_test)
    task = find_plugin(TASKS, job.cell.task)
    architecture = find_plugin(ARCHITECTURES, job.cell.architecture)
    with pytest.raises(Read if scores_test else SealedSplitError):
        cell.run(job, task, architecture, (), lambda *progress: None, lambda outcome: None)
