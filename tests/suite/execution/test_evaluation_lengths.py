"""Evaluation lengths beyond memory or time, and what later runs do with them."""

from __future__ import annotations

import dataclasses
import json

import pytest

from suite.api import Job, Limits, Recipe, Status
from suite.execution.executors import packed
from suite.execution.executors.base import ProcessResult, classify_exit
from suite.execution.jobs import make_record
from suite.execution.preparation import prepare
from suite.matrix.planned_cells import PlannedCell
from suite.matrix.request import Request
from suite.records.environment import num_cores
from suite.records.model_sizes import MODEL_SIZES
from suite.records.naming import cell_label, new_run_id
from suite.records.schema import utc_now
from suite.records.store import Store
from tests.builders.cells import make_plan, run_plan
from tests.builders.records import CELL
from tests.builders.records import make_record as any_record
from tests.conftest import read_records

REPORT = "by_evaluation_length"
GROWS = """
from tasks.duplication import Duplication


class Grows(Duplication):
    def load_evaluation(self, request, sequence_length, options, spec):
        held = []
        while sequence_length >= 256:
            held.append(bytearray(b"x" * 2**26))
        return super().load_evaluation(request, sequence_length, options, spec)


TASK = Grows()
"""
BEYOND = "out_of_memory: exceeded the memory limit of 2.0 GiB at length 256"


def test_a_length_beyond_memory_is_a_result_and_no_later_run_loses_a_length(
    bench, tmp_path, monkeypatch
):
    (tmp_path / "mine" / "tasks").mkdir(parents=True)
    (tmp_path / "mine" / "tasks" / "grows.py").write_text(GROWS)
    mine, home = str(tmp_path / "mine"), tmp_path / "home"
    settings = ("--task", "grows", "--architectures", "identity", "--lengths", "64", "--seeds", "0")
    settings += ("--steps", "4", "--batch-size", "4", "--option", "compile=graph")

    def run(*more):
        words = ("--memory-limit", "2GiB", "--no-tracking", "--no-dashboard")
        result = bench("run", *settings, *words, *more, BENCH_PATH=mine)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout, read_records(home)

    _, (plain,) = run()
    assert REPORT not in plain["reports"]["validation"]

    printed, (_, record) = run("--evaluation-lengths", "64,128,256,512")
    assert record["status"] == "ok" and record["cell_id"] == plain["cell_id"]
    assert record["metrics"] == plain["metrics"]
    found = record["reports"]["validation"][REPORT]
    assert found["64"]["accuracy"] == record["metrics"]["validation"]["accuracy"]
    assert found["128"]["examples"] == 64
    assert found["256"] == found["512"] == BEYOND
    assert f"identity (compile=graph): {BEYOND}" in " ".join(printed.split())

    for fewer in ("128", "64,512", ""):
        printed, records = run("--evaluation-lengths", fewer) if fewer else run()
        assert "0 to run" in printed and len(records) == 2

    monkeypatch.setenv("BENCH_PATH", mine)
    request = Request(
        tasks=("grows",),
        architectures=("identity",),
        lengths=(64,),
        seeds=(0,),
        steps=4,
        batch_size=4,
        options={"compile": "graph"},
        threads=num_cores(),
    )

    def num_to_run(lengths, memory, **more):
        asked = dataclasses.replace(request, evaluation_lengths=lengths)
        limits = Limits(1e6, memory * 2**30)
        return len(prepare(asked, Store(home), limits=limits, **more).plan.to_run)

    assert num_to_run((128, 256), 2) == num_to_run((128,), 4) == 0
    assert num_to_run((128, 256), 4) == 1
    assert num_to_run((256,), 2, retry=["out_of_memory"]) == 1
    assert num_to_run((128,), 2, retry=["out_of_memory"]) == 0


def test_a_cell_that_runs_again_scores_the_lengths_of_all_good_records(store):
    for minutes, status, lengths in (
        (0, Status.OK, (256, 512)),
        (1, Status.OK, (1_024,)),
        (2, Status.FAILED, (2_048,)),
    ):
        cell = dataclasses.replace(CELL, evaluation_lengths=lengths)
        store.write(any_record(minutes=minutes, cell=cell, status=status))
    asked = PlannedCell(CELL, None, None, any_record().ranking)
    (planned,) = make_plan([asked], store, rerun=True).to_run
    assert planned.cell.evaluation_lengths == (256, 512, 1_024)


OUTCOME = {
    "status": "ok",
    "metrics": {"validation": {"accuracy": 0.5}},
    "reports": {"validation": {REPORT: {"128": {"accuracy": 0.5}}}},
    "worker_seconds": 1.0,
    "unfinished_after_training": [256, 512],
}


def record_of(result, limits):
    """Return the record of a process that ended."""
    other = any_record()
    cell = dataclasses.replace(CELL, evaluation_lengths=(128, 256, 512))
    return make_record(
        run_id=other.run_id,
        planned=PlannedCell(cell, None, None, other.ranking),
        result=result,
        verdict=classify_exit(result, limits),
        times=(other.started_at, other.ended_at),
        environment={},
        invocation=other.invocation,
        limits=limits,
        digest=None,
        conformance=None,
    )


@pytest.mark.parametrize(
    ("exit_code", "stopped", "log", "status", "reason"),
    [
        (-9, "time", "", Status.OK, "timed_out: exceeded the time limit of 7 s"),
        (-9, "system", "", Status.OK, "out_of_memory: killed while the system was out of memory"),
        (-6, None, "std::bad_alloc", Status.OK, "out_of_memory: an allocation failed in native"),
        (-11, None, "", Status.FAILED, "killed by signal 11"),
        (-9, "output", "", Status.FAILED, "wrote more output than the log may hold"),
    ],
)
def test_only_memory_and_time_are_results_of_a_length(
    tmp_path, monkeypatch, capsys, exit_code, stopped, log, status, reason
):
    result = ProcessResult(OUTCOME, exit_code, stopped, log, seconds=7.5)
    limits = Limits(7.0, 2**30)
    record = record_of(result, limits)
    assert record.status is status
    found = record.reports["validation"][REPORT]
    if status is Status.OK:
        assert found["256"] == found["512"] and found["256"].startswith(reason)
        assert found["256"].endswith(" at length 256") and found["128"] == {"accuracy": 0.5}
        assert record.reason is None and record.error is None
        assert record.worker_seconds == 7.5, "the last length counts, a wait for a node does not"
    else:
        assert record.reason == reason and list(found) == ["128"]

    folder = tmp_path / packed.JOBS / "one"
    folder.mkdir(parents=True)
    job = Job(record.cell, MODEL_SIZES["tiny"], Recipe(), None, (), folder, tmp_path, tmp_path)
    (folder / "job.json").write_text(job.to_json())
    (folder / packed.RANKING).write_text(record.ranking.model_dump_json())
    (tmp_path / packed.ABOUT).write_text(json.dumps({"limits": dataclasses.asdict(limits)}))
    monkeypatch.setattr(packed, "_run", lambda job, limits, ends: result)
    assert packed.run_pack(tmp_path).failed == (status is not Status.OK)
    label = cell_label(record.cell, record.ranking)
    assert capsys.readouterr().out.endswith(f"{label}: {status}\n")


def test_a_training_stands_if_its_samples_take_too_long():
    outcome = {**OUTCOME, "unfinished_after_training": [], "details": {"xla": True}}
    result = ProcessResult(outcome, -9, "time", "", seconds=7.5)
    record = record_of(result, Limits(7.0, 2**30))
    assert record.status is Status.OK and record.reports == OUTCOME["reports"]
    assert record.details["why_no_samples"] == "timed_out: exceeded the time limit of 7 s"
    assert record.details["xla"] and record.worker_seconds == 7.5


def test_the_time_of_a_cell_leaves_out_pauses():
    outcome = {"status": "ok", "worker_seconds": 4_599.0}
    record = record_of(ProcessResult(outcome, 0, None, "", seconds=600.0), Limits(7.0, 2**30))
    assert record.worker_seconds == 600.0
    outcome["worker_seconds"] = 599.5  # the parent looks at intervals
    record = record_of(ProcessResult(outcome, 0, None, "", seconds=600.0), Limits(7.0, 2**30))
    assert record.worker_seconds == 599.5


def test_an_unfinished_outcome_is_not_that_of_a_process_that_exits():
    verdict = classify_exit(ProcessResult(OUTCOME, 0, None, ""), Limits(7.0, 2**30))
    assert verdict == (Status.FAILED, "ended with exit code 0 before its outcome was complete")


def test_of_two_runs_that_overlap_the_second_scores_the_lengths_of_both(store):
    cell = dataclasses.replace(CELL, evaluation_lengths=(512,))
    mine = make_plan([PlannedCell(cell, None, None, any_record().ranking)], store)
    cell = dataclasses.replace(CELL, evaluation_lengths=(256,))
    now = utc_now()
    store.write(any_record(cell=cell, run_id=new_run_id(now), started_at=now, ended_at=now))
    run_plan(mine, store)
    (valid,) = store.current()
    assert valid.cell.evaluation_lengths == (256, 512) and len(store.all()) == 2
