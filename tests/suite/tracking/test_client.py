"""Records → MLflow: what is written, once, truthfully; and what happens when MLflow is away."""

from __future__ import annotations

import dataclasses
import json
import time
from collections import Counter

import pytest
from mlflow.tracking import MlflowClient

from suite.api import Mode, Status
from suite.records.schema import Curve, Measurement
from suite.records.store import Store, without_password
from suite.tracking.client import PROBE_EXPERIMENT
from suite.tracking.delivery import connect, read_pages, sync
from tests.conftest import read_records
from tests.suite.records.test_store import CELL, make_record


def measured(value: float) -> Measurement:
    return Measurement(value=value, n=1, samples=(value,), quartiles=None, method="by hand")


def good_record(length: int, seed: int = 0, f1: float = 0.5, minutes: int = 0):
    cell = dataclasses.replace(CELL, sequence_length=length, seed=seed)
    return make_record(
        Status.OK,
        minutes,
        cell,
        metrics={"test": {"entity_f1": f1}},
        measurements={"training": {"tokens_per_second": measured(1e6 / length)}},
        curves={"training_loss": Curve(tokens=tuple(range(200)), values=(1.0,) * 200)},
        data={"fingerprint": "f" * 64, "digest": None},
        parameter_count=9,
    )


@pytest.fixture
def store(tmp_path, monkeypatch) -> Store:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    store = Store(tmp_path / "home")
    store.prepare()
    return store


def runs_of(store: Store, name: str = "ner") -> list:
    client = MlflowClient(store.tracking_uri)
    experiment = client.get_experiment_by_name(name)
    return list(client.search_runs([experiment.experiment_id], max_results=1_000))


def kinds_of(store: Store) -> Counter:
    return Counter(run.data.tags["lengthwise.kind"] for run in runs_of(store))


def test_what_a_run_holds(store):
    store.write(good_record(128))
    report = sync(store)
    assert (report.written, report.length_runs) == (1, 1)
    by_kind = {run.data.tags["lengthwise.kind"]: run for run in runs_of(store)}
    cell, parent = by_kind["cell"], by_kind["invocation"]
    assert cell.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert cell.data.params["sequence_length"] == "128"
    assert cell.data.params["option.window"] == "64"
    assert cell.data.metrics["test.entity_f1"] == 0.5
    assert cell.inputs.dataset_inputs[0].dataset.digest == "f" * 36
    client = MlflowClient(store.tracking_uri)
    curve = client.get_metric_history(cell.info.run_id, "curve.training_loss")
    assert len(curve) <= 52 and curve[-1].step == 199
    path = client.download_artifacts(cell.info.run_id, "record.json")
    with open(path) as file:
        assert json.load(file)["cell_id"] == store.all()[0].cell_id


def test_every_status_is_told_truthfully(store):
    expected = {
        Status.OK: "FINISHED",
        Status.FAILED: "FAILED",
        Status.OUT_OF_MEMORY: "FAILED",
        Status.TIMED_OUT: "FAILED",
        Status.DIVERGED: "FAILED",
        Status.INTERRUPTED: "KILLED",
    }
    for seed, status in enumerate(Status):
        store.write(make_record(status, seed, dataclasses.replace(CELL, seed=seed)))
    sync(store)
    cells = [run for run in runs_of(store) if run.data.tags["lengthwise.kind"] == "cell"]
    found = {run.data.tags["lengthwise.status"]: run.info.status for run in cells}
    assert found == {str(status): name for status, name in expected.items()}
    (parent,) = [run for run in runs_of(store) if run.data.tags["lengthwise.kind"] == "invocation"]
    assert parent.info.status == "FAILED"


def test_syncing_again_changes_nothing_and_new_records_remake_the_run_along_lengths(store):
    for length in (128, 256):
        store.write(good_record(length))
    sync(store)
    before = {run.info.run_id for run in runs_of(store)}
    again = sync(store)
    assert (again.written, again.length_runs) == (0, 0)
    assert {run.info.run_id for run in runs_of(store)} == before
    store.write(good_record(128, seed=1, f1=0.7, minutes=1))
    third = sync(store)
    assert (third.written, third.length_runs) == (1, 1)
    assert kinds_of(store) == {"invocation": 1, "cell": 3, "lengths": 1}
    (lengths,) = [run for run in runs_of(store) if run.data.tags["lengthwise.kind"] == "lengths"]
    history = MlflowClient(store.tracking_uri).get_metric_history(
        lengths.info.run_id, "test.entity_f1"
    )
    assert {point.step: point.value for point in history} == {
        128: pytest.approx(0.6),
        256: pytest.approx(0.5),
    }
    client = MlflowClient(store.tracking_uri)
    with open(client.download_artifacts(lengths.info.run_id, "by_length.html")) as file:
        page = file.read()
    assert "<th>128</th><th>256</th>" in page and ">0.6</td>" in page


def test_where_mlflow_shows_a_run_is_known(store):
    earlier, later = good_record(128), good_record(256, minutes=1)
    for record in (earlier, later):
        store.write(record)
        sync(store)
    pages = read_pages(store)
    assert pages.at == "http://127.0.0.1:5000"
    client = MlflowClient(store.tracking_uri)
    for record in (earlier, later):
        address, _, run_id = pages.runs[record.run_id].rpartition("/runs/")
        run = client.get_run(run_id)
        assert run.data.tags["lengthwise.key"] == record.run_id
        assert address == f"#/experiments/{run.info.experiment_id}"


def test_the_ui_is_told_the_columns_that_matter(store):
    store.write(good_record(128))
    sync(store)
    experiment = MlflowClient(store.tracking_uri).get_experiment_by_name("ner")
    view = json.loads(experiment.tags["mlflow.sharedViewState.lengthwise"])
    assert view["searchFilter"] == "tags.`lengthwise.kind` = 'cell'"
    assert "metrics.`training.peak_memory_bytes`" in view["selectedColumns"]
    page = read_pages(store).experiments["ner"]
    assert page == f"#/experiments/{experiment.experiment_id}/runs?viewStateShareKey=lengthwise"


def test_a_run_cut_off_while_it_was_written_is_written_again(store):
    record = good_record(128)
    store.write(record)
    sync(store)
    client = MlflowClient(store.tracking_uri)
    (cell,) = [run for run in runs_of(store) if run.data.tags["lengthwise.kind"] == "cell"]
    client.update_run(cell.info.run_id, status="RUNNING")
    assert sync(store).written == 1
    assert kinds_of(store)["cell"] == 1
    assert {run.info.status for run in runs_of(store)} == {"FINISHED"}


def begun_by(store: Store, run, writer: str, seconds_ago: float) -> None:
    """Make a run look half-written."""
    client = MlflowClient(store.tracking_uri)
    client.set_tag(run.info.run_id, "lengthwise.writer", writer)
    client.set_tag(run.info.run_id, "lengthwise.begun", str(time.time() - seconds_ago))
    client.update_run(run.info.run_id, status="RUNNING")


def test_what_another_home_is_writing_is_left_to_it_until_its_time_is_up(store):
    store.write(good_record(128))
    sync(store)
    (cell,) = [run for run in runs_of(store) if run.data.tags["lengthwise.kind"] == "cell"]
    begun_by(store, cell, "another", seconds_ago=10)
    assert sync(store).written == 0
    begun_by(store, cell, "another", seconds_ago=1_000)
    assert sync(store).written == 1
    assert {run.info.status for run in runs_of(store)} == {"FINISHED"}
    assert kinds_of(store) == {"cell": 1, "invocation": 1, "lengths": 1}


def test_probes_of_two_machines_are_charted_apart(store):
    for minutes, processor in enumerate(["old", "new"]):
        record = good_record(128, minutes=minutes)
        cell = dataclasses.replace(record.cell, mode=Mode.PROBE, task=None)
        own = {"cell": cell, "cell_id": cell.id, "environment": {"processor": processor}}
        store.write(record.model_copy(update=own))
    assert sync(store).length_runs == 2
    runs = runs_of(store, PROBE_EXPERIMENT)
    charted = [run for run in runs if run.data.tags["lengthwise.kind"] == "lengths"]
    assert {run.data.tags["lengthwise.processor"] for run in charted} == {"old", "new"}


def test_two_homes_that_write_the_same_records_leave_no_duplicates(store, tmp_path, monkeypatch):
    """Both see an empty store, and both write: what a race comes to."""
    monkeypatch.chdir(tmp_path)  # where MLflow keeps artifacts that it was given no place for
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'shared.db'}")
    other = Store(tmp_path / "other")
    other.prepare()
    record = good_record(128)
    trackers = []
    for home in (store, other):
        home.write(record)
        trackers.append(connect(home))
        trackers[-1]._experiment(record)  # what it takes to be there
    for tracker in trackers:
        assert tracker.log(record)
        tracker.refresh_length_runs([record])
    assert [tracker.drop_duplicates() for tracker in trackers] == [2, 0]
    client = MlflowClient(f"sqlite:///{tmp_path / 'shared.db'}")
    experiment = client.get_experiment_by_name("ner")
    left = client.search_runs([experiment.experiment_id])
    kinds = Counter(run.data.tags["lengthwise.kind"] for run in left)
    assert kinds == {"cell": 1, "invocation": 1, "lengths": 2}  # each home's own means
    by_kind = {run.data.tags["lengthwise.kind"]: run for run in left}
    parent = by_kind["cell"].data.tags["mlflow.parentRunId"]
    assert parent == by_kind["invocation"].info.run_id


def test_a_server_is_rebuilt_without_harm_to_others_runs(store, tmp_path, monkeypatch):
    uri = f"sqlite:///{tmp_path / 'shared.db'}"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    store.write(good_record(128))
    sync(store)
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("ner").experiment_id
    theirs = client.create_run(experiment, run_name="theirs").info.run_id
    assert sync(store, rebuild=True).written == 1
    left = client.search_runs([experiment])
    assert theirs in {run.info.run_id for run in left}
    assert len(left) == 4


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://ann:secret@127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("postgresql://ann:se:cret@db/mlflow", "postgresql://db/mlflow"),
        ("sqlite:////home/a@b/mlflow.db", "sqlite:////home/a@b/mlflow.db"),
    ],
)
def test_an_address_is_shown_without_its_password(uri, shown):
    assert without_password(uri) == shown


def test_a_server_that_is_not_there_costs_nothing_but_a_message(bench, tmp_path):
    arguments = ("run", "--mode", "probe", "--preset", "smoke", "--architectures", "hasty")
    away = "http://ann:secret@127.0.0.1:9"
    result = bench(*arguments, MLFLOW_TRACKING_URI=away)
    assert result.returncode == 0, result.stderr
    assert "`bench sync` delivers them later" in result.stderr
    assert "secret" not in result.stdout + result.stderr
    (record,) = read_records(tmp_path / "home")
    assert record["status"] == "ok"


@pytest.mark.slow
def test_what_was_not_delivered_is_delivered_later_and_a_spoilt_store_made_anew(bench, tmp_path):
    away = "http://127.0.0.1:9"
    bench("run", "--mode", "probe", "--preset", "smoke", "--architectures", "nothing",
          "--no-tracking")  # fmt: skip
    failed = bench("sync", MLFLOW_TRACKING_URI=away)
    assert failed.returncode == 2
    assert len(failed.stderr.strip().splitlines()) == 1 and "bench sync" in failed.stderr
    later = bench("sync")
    assert later.returncode == 0 and "1 runs written" in later.stdout, later.stderr
    # A store that is spoilt is made anew.
    (tmp_path / "home" / "mlflow.db").write_bytes(b"no database")
    rebuilt = bench("rebuild", "--tracking")
    assert rebuilt.returncode == 0 and "1 runs written" in rebuilt.stdout, rebuilt.stderr
