"""Trainings whose code has changed since their record: in the plan, and with `--rerun changed`."""

from __future__ import annotations

import json
import os

import pytest

from suite.actions.results import MatrixPlan
from suite.api import RequestError
from suite.api.code_digest import digest_code
from suite.execution.preparation import prepare
from suite.matrix.request import Request, split_methods
from suite.records.store import Store
from tests.builders.guides import TASK
from tests.builders.records import make_record
from tests.conftest import FAKES, read_records

NOTE = "code changed since; raise the version, or run again with --rerun changed"
FILES = {
    "tasks/mine.py": "from tasks.sentiment.task import TASK\nfrom . import _texts\nX = 1\n",
    "tasks/_texts.py": "def scale():\n    return 1.0\n",
    "tasks/other.py": "from tasks.sentiment.task import TASK\n\nX = 1\n",
    "baselines/mine.py": "from baselines.identity import ARCHITECTURE\n\nX = 1\n",
    "methods/mine.py": "from suite.methods.label_smoothing import METHOD\n\nX = 1\n",
}
# tests/suite/worker/test_provenance.py has more edits.
UNCHANGED = {
    "formatting": ("tasks/_texts.py", "return 1.0", "return (\n        1.0\n    )"),
    "another task": ("tasks/other.py", "X = 1", "X = 2"),
}
CHANGED = {
    "a helper of the task": ("tasks/_texts.py", "1.0", "2.0"),
    "a helper that is no Python any more": ("tasks/_texts.py", "def", "dfe"),
    "the architecture": ("baselines/mine.py", "X = 1", "X = 2"),
    "the method": ("methods/mine.py", "X = 1", "X = 2"),
}


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    """A task, an architecture and a method in a folder of their own."""
    folder = tmp_path / "plugins"
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setenv("BENCH_PATH", str(folder))
    return folder


def request(methods="mine"):
    return Request(
        tasks=("mine",), architectures=("mine",), lengths=(64,), seeds=(0,), benchmark="smoke",
        methods=(split_methods(methods),),
    )  # fmt: skip


def environment_of(planned, search_path):
    """Return what a worker states of the code of a cell."""
    now = digest_code(search_path)(planned.cell)
    return {"cost_digest": now.costs, "code": {"training_digest": now.training}}


@pytest.mark.parametrize("edit", [*UNCHANGED, *CHANGED])
def test_a_training_whose_code_changed_is_changed_in_the_plan(store, plugins, edit):
    (planned,) = prepare(request(), store).plan.cells
    environment = environment_of(planned, (str(plugins),))
    store.write(make_record(cell=planned.cell, environment=environment))
    name, old, new = {**UNCHANGED, **CHANGED}[edit]
    path = plugins / name
    assert path.read_text().count(old) == 1
    path.write_text(path.read_text().replace(old, new))
    again = {rerun: prepare(request(), store, rerun=rerun) for rerun in (False, "changed", True)}
    expected = edit in CHANGED
    plan = MatrixPlan(again[False].plan.cells, again[False])
    assert plan.state(planned) == ("changed" if expected else "done: ok")
    assert plan.summary == f"1 cell, 0 to run, 1 {'changed' if expected else 'done'}"
    assert repr(plan).count(NOTE) == expected
    assert {rerun: len(one.plan.to_run) for rerun, one in again.items()} == {
        False: 0,
        "changed": int(expected),
        True: 1,
    }
    assert not again["changed"].changed_note


def test_a_record_that_states_no_digest_is_not_changed(store, plugins):
    (planned,) = prepare(request(), store).plan.cells
    stated = environment_of(planned, (str(plugins),))
    for minutes, environment in enumerate(({}, {"code": None}, {"cost_digest": None}, stated)):
        store.write(make_record(cell=planned.cell, minutes=minutes, environment=environment))
        assert not prepare(request(), store).plan.changed
    store.write(make_record(cell=planned.cell, minutes=9, environment={"cost_digest": "0" * 64}))
    assert prepare(request(), store).plan.changed == {planned.cell.id}


def test_a_training_that_took_a_changed_model_is_changed_too(store, plugins):
    """The model that is quantized has its own record; only that one states other code."""
    asked = request("int8")
    parent, child = prepare(asked, store).plan.cells
    assert child.parents == {"trained": parent.cell.id}
    for planned, digest in ((parent, "0" * 64), (child, None)):
        environment = {"cost_digest": digest}
        details = {"parents": planned.parents} if planned.parents else {}
        store.write(make_record(cell=planned.cell, environment=environment, details=details))
    assert prepare(asked, store).plan.changed == {parent.cell.id, child.cell.id}
    assert len(prepare(asked, store, rerun="changed").plan.to_run) == 2


def test_an_unknown_value_of_rerun_is_refused(tmp_path, plugins):
    with pytest.raises(RequestError, match="changed"):
        prepare(request(), Store(tmp_path / "home"), rerun="chnaged")


def test_bench_runs_a_changed_training_again_when_asked(bench, tmp_path):
    folder = tmp_path / "plugins" / "tasks"
    folder.mkdir(parents=True)
    path = folder / "mine.py"
    path.write_text(TASK)
    of_both = {"BENCH_PATH": f"{folder.parent}{os.pathsep}{FAKES}"}
    words = ("--task", "mine", "--architectures", "hasty", "--benchmark", "smoke", "--seeds", "0")
    quiet = ("--no-tracking", "--no-dashboard")
    run = ("run", *words, *quiet)
    assert bench(*run, **of_both).returncode == 0
    path.write_text(TASK + "# A comment.\n")
    assert NOTE not in bench("plan", *words, **of_both).stdout
    path.write_text(TASK + "MORE = 1\n")
    planned = bench("plan", *words, **of_both).stdout
    assert "0 to run, 1 changed" in planned and NOTE in planned
    (cell,) = json.loads(bench("plan", *words, "--json", **of_both).stdout)
    assert cell["changed"] and not cell["to_run"] and cell["status"] == "ok"
    reused = bench(*run, **of_both)
    assert reused.returncode == 0 and NOTE in reused.stderr
    assert len(read_records(tmp_path / "home")) == 1
    assert bench(*run, "--rerun", "changed", **of_both).returncode == 0
    assert len(read_records(tmp_path / "home")) == 2
    assert "1 done" in bench("plan", *words, **of_both).stdout
