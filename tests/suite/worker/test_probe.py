"""The outcome of a probe cell."""

from __future__ import annotations

import pytest

from suite.api import Mode
from suite.api.plugins import ARCHITECTURES, find_plugin
from suite.records.environment import INTERFERENCE_LIMIT
from suite.records.measures import MEASURES, phases_of
from suite.worker import probe, random_tokens
from suite.worker.measure import matrix_rate, timing
from tests.builders.cells import FAKES, probe_job
from tests.suite.worker.measure.machine import FakeMachine

UTILIZATION = "model_flops_utilization"
RATE = {"operations_per_second": 1e12, "other_process_cpu_share": 0.0}


pytestmark = pytest.mark.usefixtures("eager", "brief_measurements")


def run(folder, report_progress=lambda *progress: None):
    job = probe_job(folder, "calibrated", lengths=(128,))
    architecture = find_plugin(ARCHITECTURES, "calibrated", (str(FAKES),))
    return probe.run(job, architecture, report_progress)


@pytest.mark.parametrize(
    ("disturbed", "noisy"),
    [
        ("measuring training", ["training", "training.compile"]),
        ("measuring latency", ["inference.latency"]),
        ("measuring the machine", []),
    ],
)
def test_a_probe_lists_every_phase_with_interference(tmp_path, monkeypatch, disturbed, noisy):
    """Others take two of 64 cores in one phase. A noisy rate of the machine is used for nothing."""
    monkeypatch.setattr(timing, "MIN_SECONDS", 0.01)
    monkeypatch.setattr(timing, "LATENCY_SECONDS", 0.1)
    machine = FakeMachine(monkeypatch, cores=64)
    share = 0.5 if disturbed == "measuring the machine" else 0.0
    rate = {**RATE, "other_process_cpu_share": share}
    monkeypatch.setattr(probe, "machine_rate", lambda job: rate)

    def report_progress(phase, fraction, loss=None):
        machine.other_cores = 2.0 if phase == disturbed else 0.0

    outcome = run(tmp_path / "probe", report_progress)
    assert outcome["details"]["noisy"] == noisy
    for measured in outcome["measurements"].values():
        assert (measured[UTILIZATION]["value"] is None) is (share > 0)
        assert "others used the machine" in measured[UTILIZATION]["method"] or not share


def test_libraries_of_an_architecture_are_imported_before_the_baseline_of_memory(
    tmp_path, monkeypatch
):
    steps = []
    architecture = find_plugin(ARCHITECTURES, "calibrated", (str(FAKES),))
    for owner, name in (
        (architecture, "import_libraries"),
        (random_tokens, "warm_up"),
        (architecture, "build"),
    ):
        call = getattr(owner, name)
        monkeypatch.setattr(
            owner, name, lambda *given, name=name, call=call: (steps.append(name), call(*given))[1]
        )
    job = probe_job(tmp_path / "probe", "calibrated", lengths=(32,))
    random_tokens.set_up(job, architecture, 2, lambda *progress: None)
    assert steps == ["import_libraries", "warm_up", "build"]


def test_utilization_follows_from_the_counted_operations(tmp_path, monkeypatch):
    monkeypatch.setattr(matrix_rate, "HOST_SIZE", 64)
    monkeypatch.setattr(matrix_rate, "BLOCK_SECONDS", 0.0)
    outcome = run(tmp_path / "probe")
    measured, details = outcome["measurements"], outcome["details"]
    assert {f"{phase}.{name}" for phase in measured for name in measured[phase]} == {
        name for name in MEASURES if name.startswith(phases_of(Mode.PROBE))
    }
    operations, rate = details["operations_per_token"], details["matrix_rate"]
    mixing = outcome["parameter_counts"]["mixing"]
    assert operations["inference"] == pytest.approx(1e6 + 2 * mixing)
    assert operations["training"] == 3 * operations["inference"]
    disturbed = (rate["other_process_cpu_share"] or 0) > INTERFERENCE_LIMIT
    for phase, found in measured.items():
        speed, share = found["tokens_per_second"]["value"], found[UTILIZATION]["value"]
        expected = operations[phase] * speed / rate["operations_per_second"]
        assert share is None if disturbed else share == pytest.approx(expected)


def test_methods_change_the_model_before_it_is_measured(tmp_path, monkeypatch):
    """A compressed model has fewer bytes and no training; frozen weights are still weights."""
    monkeypatch.setattr(matrix_rate, "HOST_SIZE", 64)
    monkeypatch.setattr(matrix_rate, "BLOCK_SECONDS", 0.0)

    def outcome_with(*methods):
        name = "-".join(methods) or "plain"
        asked = {"lengths": (32,), "batch_size": 1, "methods": (methods,)}
        job = probe_job(tmp_path / name, "vanilla", **asked)
        return probe.run(job, find_plugin(ARCHITECTURES, "vanilla", ()), lambda *progress: None)

    plain, adapted, squeezed = outcome_with(), outcome_with("lora"), outcome_with("int8")
    size = {
        name: found["measurements"]["inference"]["weight_bytes"]["value"]
        for name, found in (("plain", plain), ("adapted", adapted), ("squeezed", squeezed))
    }
    assert 0.2 < size["squeezed"] / size["plain"] < 0.35 and size["adapted"] > size["plain"]
    assert "training" in adapted["measurements"] and "training" not in squeezed["measurements"]
    assert adapted["details"]["methods"]["lora"]["trained_weights_share"] < 0.1
    assert adapted["measurements"]["training"][UTILIZATION]["value"] is None
