"""The outcome of a probe cell."""

from __future__ import annotations

import pytest

from suite.api.plugins import ARCHITECTURES, find_plugin
from suite.worker import probe
from suite.worker.measure import timing, warmup
from tests.suite.execution.test_runner import FAKES, probe_job
from tests.suite.worker.measure.machine import FakeMachine

UTILIZATION = "model_flops_utilization"
RATE = {"operations_per_second": 1e12, "other_process_cpu_share": 0.0}


@pytest.mark.parametrize(
    ("disturbed", "noisy"),
    [
        ("measuring inference", ["inference", "inference.compile"]),
        ("measuring training", ["training", "training.compile"]),
        ("measuring latency", ["inference.latency"]),
        ("measuring the machine", []),
    ],
)
def test_a_probe_lists_every_phase_with_interference(tmp_path, monkeypatch, disturbed, noisy):
    """Others take two of 64 cores in one phase. A noisy rate of the machine is used for nothing."""
    monkeypatch.setattr(warmup, "throwaway_step", lambda xla: None)
    monkeypatch.setattr(timing, "ATTEMPTS", 1)
    monkeypatch.setattr(timing, "MIN_SECONDS", 0.01)
    monkeypatch.setattr(timing, "LATENCY_SECONDS", 0.1)
    machine = FakeMachine(monkeypatch, cores=64)
    share = 0.5 if disturbed == "measuring the machine" else 0.0
    rate = {**RATE, "other_process_cpu_share": share}
    monkeypatch.setattr(probe, "machine_rate", lambda job: rate)

    def report_progress(phase, fraction, loss=None):
        machine.other_cores = 2.0 if phase == disturbed else 0.0

    job = probe_job(tmp_path / "probe", "calibrated", lengths=(128,))
    architecture = find_plugin(ARCHITECTURES, "calibrated", (str(FAKES),))
    outcome = probe.run(job, architecture, report_progress)
    assert outcome["details"]["noisy"] == noisy
    for measured in outcome["measurements"].values():
        assert (measured[UTILIZATION]["value"] is None) is (share > 0)
        assert "others used the machine" in measured[UTILIZATION]["method"] or not share
