"""Probes, through the public path, of an architecture with known costs."""

from __future__ import annotations

import json

import pytest

from suite.analysis.estimates import ratio_interval
from suite.execution.executors.local import LocalExecutor
from tests.builders.cells import begin, outcome_from, outcome_of, probe_job
from tests.conftest import read_records

pytestmark = pytest.mark.usefixtures("measured_in_full")
PROBE = ("run", "--mode", "probe", "--benchmark", "smoke", "--architectures", "calibrated")
QUIET = ("--no-tracking", "--no-dashboard")
MEBIBYTE = 2**20


def option_arguments(**options):
    texts = {name: json.dumps(value) for name, value in options.items()}
    return [word for name, value in texts.items() for word in ("--option", f"{name}={value}")]


def value(record, phase, name):
    return record["measurements"][phase][name]["value"]


@pytest.mark.slow
@pytest.mark.parametrize("mebibytes", [64, 512, 2_048])
def test_peak_memory_is_the_memory_that_the_model_holds(bench, tmp_path, mebibytes):
    options = option_arguments(mebibytes=float(mebibytes))
    bench(*PROBE, *QUIET, "--lengths", "1024", "--batch-size", "1", *options)
    bench(*PROBE, *QUIET, "--lengths", "1024", "--batch-size", "1")
    by_options = {bool(r["cell"]["options"]): r for r in read_records(tmp_path / "home")}
    for phase in ("inference", "training"):
        held, empty = (value(by_options[k], phase, "peak_memory_bytes") for k in (True, False))
        assert abs(held - empty - mebibytes * MEBIBYTE) <= max(
            0.03 * mebibytes * MEBIBYTE, 8 * MEBIBYTE
        )


@pytest.mark.slow
def test_the_time_of_a_step_is_measured(bench, tmp_path):
    bench(*PROBE, *QUIET, "--lengths", "1024", "--batch-size", "1", *option_arguments(seconds=0.5))
    bench(*PROBE, *QUIET, "--lengths", "1024", "--batch-size", "1")
    by_options = {bool(r["cell"]["options"]): r for r in read_records(tmp_path / "home")}
    for phase in ("inference", "training"):
        slow, quick = (value(by_options[k], phase, "step_seconds") for k in (True, False))
        assert slow - quick == pytest.approx(0.5, rel=0.02)
    latency = value(by_options[True], "inference", "latency_p50_seconds")
    assert latency == pytest.approx(0.5, rel=0.04)
    assert value(by_options[True], "inference", "latency_p99_seconds") is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("power", "logarithmic", "lengths", "flagged"),
    [
        (1.0, False, "1024,2048,4096,8192,16384", False),
        (1.0, True, "1024,2048,4096,8192,16384", False),
        (1.5, False, "1024,2048,4096,8192,16384", True),
        (2.0, False, "1024,2048,3072,4096,8192", True),  # 16,384 would hold 18 GiB
    ],
)
@pytest.mark.parametrize(
    ("known_cost", "measure"),
    [({"seconds": 0.02}, "step_seconds"), ({"mebibytes": 72.0}, "peak_memory_bytes")],
    ids=["time", "memory"],
)
def test_fitted_exponents_contain_the_truth_and_contradict_false_claims(
    bench, known_cost, measure, power, logarithmic, lengths, flagged
):
    """The costs are large enough: 72 MiB at the shortest length exceed the need of a bare step.

    Time and memory are tested apart, because allocating memory takes time too.
    """
    options = option_arguments(**known_cost, power=power, logarithmic=logarithmic)
    asked = ("--lengths", lengths, "--batch-size", "1", "--rounds", "3")
    assert bench(*PROBE, *QUIET, *asked, *options, timeout=1_200).returncode == 0
    (table,) = json.loads(bench("report", "--json").stdout)
    truth = 1.12 if logarithmic else power
    found = [item for item in table["exponents"] if item["measure"].endswith(measure)]
    assert len(found) == 2
    for item in found:
        assert item["low"] - 0.02 <= truth <= item["high"] + 0.02, item
        assert item["high"] - item["low"] < 0.6, item
        assert item["contradicted"] is flagged, item


@pytest.mark.slow
def test_forked_and_spawned_children_report_the_same_memory(tmp_path):
    peaks = {}
    for spawn in (False, True):
        job = probe_job(tmp_path / str(spawn), "longformer", lengths=(2_048,))
        measured = outcome_of(job, spawn=spawn)["measurements"]
        peaks[spawn] = [
            measured[phase]["peak_memory_bytes"]["value"] for phase in ("inference", "training")
        ]
    for forked, spawned in zip(peaks[False], peaks[True], strict=True):
        assert abs(forked - spawned) <= max(0.03 * forked, 8 * MEBIBYTE)


@pytest.mark.slow
@pytest.mark.alone
def test_the_twentieth_cell_of_a_matrix_costs_the_same_as_a_cell_alone(tmp_path):
    """Pairs of cells run side by side, so that drift affects both, until the ratio is precise."""
    measured = ("step_seconds", "peak_memory_bytes")
    ratios = {(phase, name): [] for phase in ("inference", "training") for name in measured}
    for pair in range(24):
        alone, matrix = LocalExecutor(), LocalExecutor()
        for number in range(19):
            begin(matrix, probe_job(tmp_path / f"{pair}-{number}", "raises"))
            assert outcome_from(matrix)["status"] == "failed"
        begin(alone, probe_job(tmp_path / f"{pair}-alone", "longformer", lengths=(1_024,)))
        while not any(update.progress for update in alone.wait()):
            pass  # its server imports the framework
        begin(matrix, probe_job(tmp_path / f"{pair}-twentieth", "longformer", lengths=(1_024,)))
        by_itself, as_twentieth = outcome_from(alone), outcome_from(matrix)
        for executor in (alone, matrix):
            executor.close()
        for (phase, name), found in ratios.items():
            found.append(value(as_twentieth, phase, name) / value(by_itself, phase, name))
        known = {which: ratio_interval(found) for which, found in ratios.items()}
        if pair >= 4 and all(e.high - e.low < 0.06 for e in known.values()):
            break
    print(known)
    for which, ratio in known.items():
        assert 0.95 < ratio.low <= ratio.high < 1.05, (which, ratio)
