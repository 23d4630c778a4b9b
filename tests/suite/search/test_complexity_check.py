"""Claimed costs against measured ones, on made-up costs and on a real fake."""

from __future__ import annotations

import dataclasses
import json
import random

import pytest

from suite.api import Status
from suite.api.conformance import Verdict
from suite.matrix.registry import load_registry
from suite.search.complexity_check import CHECKS, LENGTHS, judge_claims
from tests.builders.costs import cost

ARCHITECTURES = load_registry(()).architectures.plugins
TIME, MEMORY = CHECKS["step_seconds"], CHECKS["peak_memory_bytes"]


def probes(seconds, mebibytes, *, architecture="longformer", noise=0.02, **fields):
    """Return three rounds of probes of one sequence, with noise and a fixed cost."""
    generator = random.Random(0)
    found = []
    for number in range(3):
        for length in LENGTHS:
            seconds_here = (0.002 + seconds(length)) * generator.gauss(1, noise)
            memory = 2**20 * (10 + mebibytes(length))
            measures = {
                f"{phase}.{name}": value
                for phase in ("training", "inference")
                for name, value in (("step_seconds", seconds_here), ("peak_memory_bytes", memory))
            }
            made = cost(architecture, 1.0, round=number, length=length, measures=measures, **fields)
            cell = dataclasses.replace(made.record.cell, batch_size=1)
            update = {"cell": cell, "cell_id": cell.id}
            found.append(made.record.model_copy(update=update))
    return found


def verdicts(records, architecture="longformer"):
    found = judge_claims(records, ARCHITECTURES[architecture])
    return {(item.check, item.case): item for item in found}


def linear(length):
    return 1e-5 * length


def quadratic(length):
    return 1e-8 * length**2


@pytest.mark.parametrize(("seconds", "fails"), [(linear, False), (quadratic, True)])
@pytest.mark.parametrize(("mebibytes", "grows"), [(linear, False), (quadratic, True)])
def test_a_claim_of_n_holds_for_n_and_not_for_its_square(seconds, fails, mebibytes, grows):
    found = verdicts(probes(lambda n: seconds(n), lambda n: 1e3 * mebibytes(n)))
    for phase in ("training", "inference"):
        time, memory = found[TIME, f"encoder, {phase}"], found[MEMORY, f"encoder, {phase}"]
        assert (time.verdict is Verdict.FAILED) is fails, time
        assert (memory.verdict is Verdict.FAILED) is grows, memory
        assert time.high == pytest.approx(1.15) and "claims n, measures n^" in time.reason


def test_a_claim_of_the_square_holds_for_the_square():
    records = probes(quadratic, linear, architecture="vanilla")
    assert {item.verdict for item in verdicts(records, "vanilla").values()} == {Verdict.PASSED}


def test_noisy_probes_count_and_are_named():
    found = verdicts(probes(quadratic, lambda n: 1e3 * linear(n), noisy=("training", "inference")))
    assert found[TIME, "encoder, training"].verdict is Verdict.FAILED
    assert "; 15 of 15 probes noisy" in found[TIME, "encoder, training"].reason


def test_a_wide_interval_confirms_no_claim():
    found = verdicts(probes(linear, lambda n: 1e3 * linear(n), noise=0.4))
    time = found[TIME, "encoder, training"]
    assert time.verdict is Verdict.NOT_APPLICABLE and "too inexact to judge: n^" in time.reason


def test_a_cost_that_does_not_grow_contradicts_no_claim():
    found = verdicts(probes(lambda n: 0.0, lambda n: 0.0, noise=0.0))
    assert {item.verdict for item in found.values()} == {Verdict.NOT_APPLICABLE}


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (Status.FAILED, Verdict.FAILED),
        (Status.OUT_OF_MEMORY, Verdict.NOT_APPLICABLE),
        (Status.UNSUPPORTED, Verdict.NOT_APPLICABLE),
    ],
)
def test_a_probe_that_fails_fails_the_checks_and_one_that_does_not_fit_does_not(status, verdict):
    found = verdicts(probes(linear, linear, status=status))
    assert {item.verdict for item in found.values()} == {verdict}
    assert {check for check, _ in found} == {TIME, MEMORY}


def test_a_length_where_a_probe_was_stopped_is_left_out():
    records = probes(quadratic, lambda n: 1e3 * linear(n))
    stopped = {"status": Status.TIMED_OUT, "measurements": {}}
    assert records[0].cell.sequence_length == 512
    found = verdicts([records[0].model_copy(update=stopped), *records[1:]])
    time = found[TIME, "encoder, training"]
    assert time.verdict is Verdict.FAILED
    assert time.reason.endswith("from 1,024 to 8,192; 1 of 15 probes stopped by a limit")
    few = [record for record in records if record.cell.sequence_length < 2_048]
    assert {item.verdict for item in verdicts(few).values()} == {Verdict.NOT_APPLICABLE}


@pytest.mark.slow  # two minutes of probes
@pytest.mark.usefixtures("measured_in_full")
def test_an_architecture_that_lies_about_its_time_is_caught(bench):
    result = bench("check", "lies_about_its_cost", "--costs", "--json", timeout=900)
    assert result.returncode == 1, result.stderr
    found = json.loads(result.stdout)["lies_about_its_cost"]["results"]
    cost = [item for item in found if item["check"] in CHECKS.values()]
    failed = {(item["check"], item["case"]) for item in cost if item["verdict"] == "failed"}
    assert (TIME, "encoder, inference") in failed and MEMORY not in {name for name, _ in failed}
