"""The order of records: a clock set back, a record dated 2099, and two drivers on one home."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from suite.api import Mode, Status
from suite.api.code_digest import CodeDigests
from suite.execution import runner as runners
from suite.execution.runner import Runner, Waiting
from suite.matrix.expansion import expand
from suite.matrix.plan import Plan
from suite.matrix.planned_cells import ranking_facts
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.records.environment import describe_machine
from suite.records.naming import new_run_id
from suite.records.schema import TuningChoice
from suite.records.store import Store
from tests.builders.cells import make_plan, run_plan
from tests.builders.records import CELL, make_record

REGISTRY = load_registry(())
TRAINING = Request(
    tasks=("ner",), architectures=("vanilla",), lengths=(128,), seeds=(0,), benchmark="smoke",
    options={"learning_rate": "0.003"},
)  # fmt: skip
PROBE = Request(mode=Mode.PROBE, benchmark="smoke", architectures=("vanilla",), lengths=(128,))
FUTURE = datetime(2099, 1, 2, 3, 4, 5, tzinfo=UTC)


def dated(moment, cell, **fields):
    times = {"started_at": moment, "ended_at": moment, "run_id": new_run_id(moment)}
    return make_record(cell=cell, **times, **fields)


def test_a_run_after_one_dated_2099_stands(store):
    (planned,) = expand(TRAINING, REGISTRY)
    store.write(dated(FUTURE, planned.cell))
    for count in (2, 3):
        (*_, finished) = run_plan(make_plan([planned], store, rerun=True), store)
        assert not finished.reused and len(store.run_ids()) == count
        (valid,) = store.current()
        assert valid.run_id == finished.record.run_id == store.all()[-1].run_id
        assert valid.started_at.year < 2099


def test_a_run_after_the_clock_was_set_back_stands(store, monkeypatch):
    (planned,) = expand(TRAINING, REGISTRY)
    run_plan(make_plan([planned], store), store)
    monkeypatch.setattr(runners, "utc_now", lambda: datetime(2001, 1, 1, tzinfo=UTC))
    (*_, finished) = run_plan(make_plan([planned], store, rerun=True), store)
    (valid,) = store.current()
    assert valid.run_id == finished.record.run_id and valid.started_at.year == 2001


def test_a_run_of_another_cell_follows_one_dated_2099(store):
    """Repeats of an entry are ordered across their cells: another rate, another seed."""
    (first,) = expand(TRAINING, REGISTRY)
    (second,) = expand(replace(TRAINING, options={"learning_rate": "0.001"}), REGISTRY)
    store.write(dated(FUTURE, first.cell))
    run_plan(make_plan([second], store), store)
    assert [record.cell_id for record in store.all()] == [first.cell.id, second.cell.id]


@pytest.mark.parametrize("year", [2001, 2099])
def test_a_run_that_another_driver_finished_meanwhile_is_reused(store, year):
    """Its clock may differ from the one of the driver that planned."""
    (planned,) = expand(TRAINING, REGISTRY)
    mine = make_plan([planned], store, rerun=True)
    store.write(dated(FUTURE.replace(year=year), planned.cell))
    (finished,) = run_plan(mine, store)
    assert finished.reused and len(store.run_ids()) == 1


@pytest.mark.parametrize(("digest", "is_reused"), [("mine", True), ("other", False)])
def test_a_probe_of_other_code_that_another_driver_measured_is_not_reused(store, digest, is_reused):
    """Two models of one name may be measured in one home at once."""
    (planned,) = expand(PROBE, REGISTRY)
    mine = make_plan([planned], store, code_of=lambda cell: CodeDigests(costs="mine"))
    environment = {**describe_machine(), "cost_digest": digest}
    store.write(dated(FUTURE, planned.cell, environment=environment))
    (*_, finished) = run_plan(mine, store)
    assert finished.reused == is_reused and len(store.run_ids()) == 2 - is_reused


def test_ids_follow_the_clock_and_never_the_random_part():
    now = datetime(2026, 1, 1, tzinfo=UTC)
    earlier = ["20250101T000000000000Z-ffffff", "notes", ""]
    assert new_run_id(now, earlier).startswith("20260101T000000000000Z-")
    behind = "20260101T235959999999Z-ffffff"
    following = new_run_id(now, [*earlier, behind])
    assert following.startswith("20260101T235960000000Z-") and following > behind


def tuned_trial(store):
    """Return a cell whose only record is a trial of `bench tune`."""
    (trial,) = expand(TRAINING, REGISTRY)
    store.write(make_record(cell=trial.cell, ranking=trial.ranking))
    choice = TuningChoice(learning_rate=3e-3, metric="validation entity_f1", setting={})
    task = REGISTRY.tasks.get("ner")
    return replace(trial, ranking=ranking_facts(trial.cell, task, choice))


def unsupported(store):
    (planned,) = expand(TRAINING, REGISTRY)
    return replace(planned, unsupported="it has no forms")


@pytest.mark.parametrize("make_cell", [tuned_trial, unsupported])
def test_what_no_process_runs_is_written_under_the_lease_and_once(store, make_cell, monkeypatch):
    planned = make_cell(store)
    first, second = make_plan([planned], store), make_plan([planned], store)
    lease = store.acquire(planned.cell.id)
    counts = []

    def release(seconds):
        counts.append(len(store.run_ids()))
        lease.close()

    before = len(store.run_ids())
    monkeypatch.setattr(runners.time, "sleep", release)
    waiting, finished = run_plan(first, store)
    assert isinstance(waiting, Waiting) and counts == [before]
    (again,) = run_plan(second, store)
    assert again.reused and again.record.run_id == finished.record.run_id
    assert len(store.run_ids()) == before + 1


def test_a_record_of_another_reason_does_not_count(store):
    planned = unsupported(store)
    made = make_plan([planned], store)
    store.write(make_record(Status.UNSUPPORTED, cell=planned.cell, reason="another"))
    (finished,) = run_plan(made, store)
    assert finished.record.reason == "it has no forms" and len(store.run_ids()) == 2


@pytest.mark.parametrize(
    ("keeps_weights", "parameters", "stands"),
    [(False, 1_000, True), (True, 1_000, False), (True, 10**12, True)],
)
def test_a_training_without_weights_does_not_stand_where_they_are_needed(
    tmp_path, keeps_weights, parameters, stands
):
    plan = Plan([], {}, frozenset(), frozenset(), True, lambda cell: CodeDigests())
    runner = Runner(SimpleNamespace(plan=plan), Store(tmp_path), None, None)
    planned = SimpleNamespace(cell=CELL, unsupported=None, keeps_weights=keeps_weights)
    record = make_record(cell=CELL, parameter_count=parameters)
    assert (runner._written_since_plan(planned, [record]) is not None) is stands
