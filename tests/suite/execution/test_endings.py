"""Records made of process results, without any process."""

from __future__ import annotations

from dataclasses import replace

import pytest

from suite.api import Limits, Mode, Status
from suite.api.code_digest import digest_costs
from suite.execution.executors.local import accelerator_groups
from suite.execution.preparation import prepare
from suite.matrix.expansion import expand
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.records.environment import accelerator_ids, describe_machine
from tests.builders.cells import make_plan, run_plan
from tests.builders.records import make_record

PROBE = Request(mode=Mode.PROBE, benchmark="smoke", architectures=("bert",), rounds=1)


def test_what_another_machine_probed_is_measured_here(store):
    cells = expand(PROBE, load_registry(()))
    cell = cells[0].cell

    def to_run(**settings):
        return len(make_plan(cells[:1], store, **settings).to_run)

    there = {**describe_machine(), "processor": "abacus"}
    store.write(make_record(cell=cell, minutes=1, environment=there))
    assert to_run() == 1
    assert to_run(any_machine=True) == 0
    store.write(make_record(cell=cell, environment=describe_machine()))  # and earlier than theirs
    assert to_run() == 0


def test_a_probe_of_other_code_is_measured_again(store):
    request = replace(PROBE, lengths=(128,))

    def to_run(minutes, **environment):
        (planned,) = prepare(request, store).plan.cells
        environment |= describe_machine()
        store.write(make_record(cell=planned.cell, minutes=minutes, environment=environment))
        return len(prepare(request, store).plan.to_run)

    assert to_run(1, cost_digest=digest_costs("bert", (), "tensorflow")) == 0
    assert to_run(2, cost_digest="0" * 64) == 1
    assert to_run(3) == 0, "the code of the record is unknown"


@pytest.mark.parametrize(
    "spoilt",
    [
        {"metrics": {"test": {"f1": "high"}}},
        {"measurements": {"training": {"step_seconds": {"value": 1.0}}}},
        {"curves": 7},
        {"surprise": True},
        {"run_id": "another"},
        {"reports": {"test": {"examples": [{"input": "a lone surrogate \ud83d"}]}}},
        {"details": {"\udfff": 1}},
    ],
    ids=lambda spoilt: next(iter(spoilt)),
)
def test_an_outcome_that_makes_no_record_fails_its_cell_and_not_the_matrix(store, spoilt):
    cells = expand(replace(PROBE, architectures=("bert", "vanilla")), load_registry(()))
    run_plan(make_plan(cells, store), store, {"status": "ok", **spoilt})
    records = store.current()
    assert len(records) == 2
    for record in records:
        assert record.status is Status.FAILED
        assert record.reason.startswith("the worker wrote an invalid outcome file: ")
        assert len(record.reason.splitlines()) == 1


@pytest.mark.parametrize(("named", "ids"), [("2,5", ["2", "5"]), ("", []), ("GPU-1f", ["GPU-1f"])])
def test_the_devices_that_may_be_used(monkeypatch, named, ids):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert accelerator_ids() == ids


def test_accelerators_are_shared_out_in_groups(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,5,7")
    assert accelerator_groups(1) == ("0", "1", "2", "5", "7")
    assert accelerator_groups(2) == ("0,1", "2,5")
    assert accelerator_groups(8) == ()


def test_what_met_a_limit_runs_again_under_a_higher_one(store):
    cells = expand(replace(PROBE, lengths=(128, 256, 512)), load_registry(()))
    endings = (
        (Status.OUT_OF_MEMORY, "exceeded the memory limit of 4 bytes"),
        (Status.TIMED_OUT, "exceeded the time limit of 10 s"),
        (Status.SKIPPED, "ran out of memory at the shorter length 128"),
    )
    met = {
        "details": {"limits": {"seconds": 10.0, "memory_bytes": 4}},
        "environment": describe_machine(),
    }
    for planned, (status, reason) in zip(cells, endings, strict=True):
        store.write(make_record(status, cell=planned.cell, reason=reason, **met))

    def lengths(limits):
        made = make_plan(cells, store, limits=limits)
        return [planned.cell.sequence_length for planned in made.to_run]

    assert lengths(None) == lengths(Limits(10.0, 4)) == lengths(Limits(5.0, 2)) == []
    assert lengths(Limits(20.0, 4)) == [256]
    assert lengths(Limits(10.0, 8)) == [128, 512]
