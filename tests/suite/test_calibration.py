"""Measuring, through the public path, against an architecture whose costs are known."""

from __future__ import annotations

import json

import pytest

from suite.contracts import Job, Mode, Recipe
from suite.matrix import Request, expand
from suite.presets import MODEL_SIZES
from suite.registry import load_registry
from tests.conftest import read_records
from tests.suite.test_runner import outcome_of

PROBE = ("run", "--mode", "probe", "--preset", "smoke", "--architectures", "calibrated")
QUIET = ("--no-tracking", "--no-dashboard")
MEBIBYTE = 2**20


def told(**options):
    return [word for name, value in options.items() for word in ("--option", f"{name}={value}")]


def value(record, phase, name):
    return record["measurements"][phase][name]["value"]


@pytest.mark.slow
@pytest.mark.parametrize("mebibytes", [64, 512, 2_048])
def test_memory_is_what_the_model_holds(bench, tmp_path, mebibytes):
    options = told(mebibytes=float(mebibytes))
    bench(*PROBE, *QUIET, "--lengths", "1024", "--batch-size", "1", *options)
    bench(*PROBE, *QUIET, "--lengths", "1024", "--batch-size", "1")
    by_options = {bool(r["cell"]["options"]): r for r in read_records(tmp_path / "home")}
    for phase in ("inference", "training"):
        held, empty = (value(by_options[k], phase, "peak_memory_bytes") for k in (True, False))
        assert abs(held - empty - mebibytes * MEBIBYTE) <= max(
            0.03 * mebibytes * MEBIBYTE, 8 * MEBIBYTE
        )


@pytest.mark.slow
def test_a_step_takes_as_long_as_it_takes(bench, tmp_path):
    bench(*PROBE, *QUIET, "--lengths", "1024", "--batch-size", "1", *told(seconds=0.5))
    bench(*PROBE, *QUIET, "--lengths", "1024", "--batch-size", "1")
    by_options = {bool(r["cell"]["options"]): r for r in read_records(tmp_path / "home")}
    for phase in ("inference", "training"):
        slow, quick = (value(by_options[k], phase, "step_seconds") for k in (True, False))
        assert slow - quick == pytest.approx(0.5, rel=0.02)
    latency = value(by_options[True], "inference", "latency_p50_seconds")
    assert latency == pytest.approx(0.5, rel=0.04)
    assert value(by_options[True], "inference", "latency_p99_seconds") is None


def test_operations_are_those_counted_and_utilisation_follows(bench, tmp_path):
    bench(*PROBE, *QUIET, "--lengths", "128")
    (record,) = read_records(tmp_path / "home")
    operations = record["details"]["operations_per_token"]
    assert operations["inference"] == pytest.approx(1e6 + 2 * record["parameter_counts"]["mixing"])
    assert operations["training"] == 3 * operations["inference"]
    rate = record["details"]["matrix_rate"]["operations_per_second"]
    for phase in ("inference", "training"):
        speed = value(record, phase, "tokens_per_second")
        share = value(record, phase, "matrix_rate_share")
        assert share == pytest.approx(operations[phase] * speed / rate)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("power", "logarithmic", "flagged"),
    [(1.0, False, False), (1.0, True, False), (1.5, False, True), (2.0, False, True)],
)
def test_exponents_are_found_and_false_claims_flagged(bench, power, logarithmic, flagged):
    options = told(seconds=0.02, mebibytes=24.0, power=power, logarithmic=logarithmic)
    lengths = ("--lengths", "1024,2048,4096,8192,16384", "--batch-size", "1", "--rounds", "3")
    assert bench(*PROBE, *QUIET, *lengths, *options, timeout=1_200).returncode == 0
    (table,) = json.loads(bench("report", "--json").stdout)
    truth = 1.12 if logarithmic else power
    for item in table["exponents"]:
        assert item["low"] - 0.02 <= truth <= item["high"] + 0.02, item
        assert item["contradicted"] is flagged, item


@pytest.mark.slow
def test_forked_and_spawned_children_report_the_same_memory(tmp_path):
    peaks = {}
    for spawn in (False, True):
        request = Request(
            mode=Mode.PROBE, preset="smoke", architectures=("longformer",), lengths=(2_048,)
        )
        (planned,) = expand(request, load_registry(()))
        folder = tmp_path / str(spawn)
        folder.mkdir()
        job = Job(
            planned.cell,
            MODEL_SIZES["tiny"],
            Recipe(),
            None,
            (),
            folder,
            tmp_path,
            tmp_path / "c.npz",
        )
        measured = outcome_of(job, spawn=spawn)["measurements"]
        peaks[spawn] = [
            measured[phase]["peak_memory_bytes"]["value"] for phase in ("inference", "training")
        ]
    for forked, spawned in zip(peaks[False], peaks[True], strict=True):
        assert abs(forked - spawned) <= max(0.03 * forked, 8 * MEBIBYTE)
