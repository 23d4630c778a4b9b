"""The Python API: keyword arguments, events, interruption, results."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import pytest

import suite
from suite import Finished, Started
from suite.actions.caller import describe_call
from suite.actions.checks import check
from suite.actions.pruning import prune
from suite.actions.publishing import import_records
from suite.actions.records import report
from suite.api import LengthwiseError, RequestError
from tests.conftest import FAKES, bench_environment, processes_of, read_records
from tests.conftest import replaced_environment as replaced

FAST = {"mode": "probe", "benchmark": "smoke", "tracking": False}


@pytest.fixture
def home(tmp_path):
    environment = {"BENCH_HOME": str(tmp_path / "home"), "BENCH_PATH": str(FAKES)}
    with replaced(bench_environment(environment)):
        yield tmp_path / "home"


def test_importing_it_imports_nothing_else():
    program = "import suite, sys; print(*{name.split('.')[0] for name in sys.modules})"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    heavy = {"tensorflow", "keras", "pandas", "mlflow", "numpy", "pydantic", "rich", "click"}
    assert not heavy & set(result.stdout.split())


def test_all_names_are_there():
    assert all(callable(getattr(suite, name)) for name in suite.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'runn'"):
        _ = suite.runn


def test_the_plan_of_a_frozen_benchmark_warns_of_no_trial_for_the_cells_that_others_need(home):
    final = {"benchmark": "methods", "architectures": ["linear_attention"], "seeds": [0]}
    plan = suite.plan(**final)
    assert not all(item.cell.scores_test for item in plan), "the teacher scores no test split"
    assert plan.sealed_note is None
    assert "score validation alone" in suite.plan(**final, options={"dropout": 0.45}).sealed_note


def test_the_labels_of_a_plan_are_unique_where_only_the_data_differs(home):
    plan = suite.plan(benchmark="methods", task="ner", architectures=["vanilla"], seeds=[0])
    lines = [line.split("  ")[1] for line in repr(plan).splitlines() if "·" in line]
    assert "ner (train_share=0.01) · vanilla · 128 · seed 0" in lines
    assert len(lines) == len(set(lines)) == len(plan)


def test_a_plan_takes_the_command_line_s_names(home):
    plan = suite.plan(
        task="ner",
        architecture="vanilla,longformer",
        lengths=[128, 256],
        seeds=range(2),
        options={"dropout": 0.45},
        threads=1,
    )
    assert plan.summary == "8 cells, 8 to run"
    assert {item.cell.options["dropout"] for item in plan} == {0.45}
    frame = plan.to_frame()
    assert set(frame["sequence_length"]) == {128, 256} and set(frame["state"]) == {"to run"}
    *cells, summary, time, note = repr(plan).splitlines()
    assert len(cells) == 8 and summary == plan.summary
    assert time.startswith("To run now: an unknown time") and time.endswith("one cell at a time")
    assert "score validation alone" in note  # another dropout is no benchmark's
    assert json.loads(json.dumps(plan.to_dicts()))[0]["to_run"] is True
    assert not home.exists()


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"task": "nerr"}, "Did you mean 'ner'"),
        ({"tsk": "ner"}, "no keyword argument of that name"),
        ({"task": "ner", "tasks": "ner"}, "named once"),
        ({"task": 7}, "`tasks` takes a name"),
        ({"task": "ner", "lengths": [128.0]}, "`lengths` takes a whole number"),
        ({"task": "ner", "seeds": [True]}, "`seeds` takes a whole number"),
        ({"task": "ner", "options": ["window=3"]}, "takes a mapping"),
        ({"mode": "dream"}, "no mode of that name"),
        ({"task": "ner", "data": "files:/nowhere"}, "must exist"),
    ],
)
def test_a_mistake_is_a_request_error_in_words(home, keywords, message):
    with pytest.raises(LengthwiseError, match=message):
        suite.plan(**keywords)


def test_a_run_refuses_what_its_executor_cannot(home):
    with pytest.raises(RequestError, match="--executor ray"):
        suite.run(**FAST, architectures="hasty", gpus=1)
    with pytest.raises(RequestError, match="no executor"):
        suite.run(**FAST, architectures="hasty", executor="moon")
    assert not home.exists()


def test_a_run_returns_records_and_shows_progress_in_a_running_event_loop(home, capsys):
    async def work():
        return suite.run(**FAST, architectures=["hasty", "images_only"])

    records = asyncio.run(work())
    assert {record.status for record in records} == {"ok", "unsupported"}
    assert "hasty · 128 · round 0: ok" in capsys.readouterr().out
    assert set(records.to_frame()["status"]) == {"ok", "unsupported"}
    tables = suite.compare(records)
    assert set(tables.to_frame()["entry"]) == {"hasty", "images_only"}
    assert "hasty" in repr(tables)
    assert len(suite.read_records(mode="probe")) == 2
    (record, _) = read_records(home)
    assert record["invocation"]["command"].startswith("suite.run(mode='probe'")
    again = suite.run(**FAST, architectures=["hasty", "images_only"], progress=False)
    assert {record.run_id for record in again} == {record.run_id for record in records}
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("how", ["break", "interrupt"])
def test_leaving_the_events_early_records_the_interruption(home, how):
    events = suite.run_events(**FAST, architectures="hangs", time_limit=100)
    for event in events:
        assert isinstance(event, Started)
        break
    if how == "break":
        events.close()
    else:
        told = events.throw(KeyboardInterrupt())
        assert isinstance(told, Finished) and told.record.status == "interrupted"
        with pytest.raises(KeyboardInterrupt):
            next(events)
    (record,) = read_records(home)
    assert record["status"] == "interrupted"
    assert not processes_of(home)


def test_events_end_with_the_record(home):
    *_, last = suite.run_events(**FAST, architectures="hasty")
    assert isinstance(last, Finished) and last.record.status == "ok" and not last.reused


def test_a_frontier_and_its_frame(home):
    limits = suite.frontier(
        step_seconds=60, architectures="hasty,gpt", up_to=128, benchmark="smoke", tracking=False
    )
    by_name = limits.to_frame().set_index("entry")
    assert by_name.loc["hasty", "longest"] == 128
    assert "encoder" in by_name.loc["gpt", "unsupported"]


def test_verify_runs_a_record_s_cell_again(home):
    suite.run(**FAST, architectures="hasty", progress=False)
    (path,) = (home / "records").iterdir()
    verification = suite.verify(path, progress=False, tracking=False)
    assert verification.reproduced and len(read_records(home)) == 2
    with pytest.raises(RequestError, match="must be a record"):
        suite.verify(__file__)


@pytest.mark.parametrize(
    "axis", ["tasks", "task", "architectures", "lengths", "seeds", "backends", "methods"]
)
@pytest.mark.parametrize("empty", [[], ()])
def test_an_empty_list_means_none_and_is_an_error(axis, empty):
    with pytest.raises(RequestError, match="at least one value"):
        suite.plan(**{"benchmark": "smoke", "mode": "train", axis: empty})


@pytest.mark.parametrize(
    "call",
    [
        lambda: suite.read_records(tasks=[]),
        lambda: suite.compare(tasks=[]),
        lambda: report(tasks=[]),
        lambda: suite.run(**FAST, retry=[]),
        lambda: suite.tune(task="ner", benchmark="smoke", retry=[]),
        lambda: suite.list_plugins([]),
        lambda: check([]),
        lambda: prune(status=[]),
        lambda: list(import_records([])),
    ],
)
def test_an_empty_list_means_none_everywhere(home, call):
    with pytest.raises(RequestError, match="names at least one value"):
        call()
    assert not list(home.glob("records/*"))


def test_a_call_is_named_without_paths(tmp_path):
    keywords = {"task": "ner", "data": f"files:{tmp_path}", "home": tmp_path, "seeds": None}
    assert describe_call("run", keywords) == "suite.run(task='ner', data='files:…', home=…)"
