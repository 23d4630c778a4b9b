"""`bench sync` and `bench sync --rebuild`."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from contextlib import closing

import pytest
from mlflow.tracking import MlflowClient

from suite.api.errors import TrackingError
from suite.cli import sync_command
from suite.tracking.sync import planned_deletion, sync
from tests.builders.records import new_store
from tests.suite.tracking.helpers import count_kinds, good_record, runs_at

REBUILD = ("sync", "--rebuild")


def run_ids(uri: str) -> set[str]:
    return {run.info.run_id for run in runs_at(uri)}


@pytest.fixture
def filled(store, tmp_path, shared_uri):
    """Return a home with one record, in a shared store that holds another home's runs too."""
    other = new_store(tmp_path / "other")
    other.write(good_record(256, seed=1))
    sync(other)
    store.write(good_record(128, minutes=1))
    sync(store)
    return store


def test_rebuild_writes_own_runs_again_and_keeps_others(filled, shared_uri):
    own = {
        run.info.run_id
        for run in runs_at(shared_uri)
        if run.data.tags["lengthwise.writer"] == filled.identity
    }
    before, kinds = run_ids(shared_uri), count_kinds(shared_uri)
    assert sync(filled, rebuild=True).written == 1
    after = run_ids(shared_uri)
    assert before - own <= after
    assert not own & after
    assert count_kinds(shared_uri) == kinds


@pytest.fixture
def type_at_terminal(monkeypatch):
    """Return a function that replaces standard input by a terminal at which a line is typed."""
    descriptors = []

    def type_line(line: str) -> None:
        keyboard, terminal = os.openpty()
        os.write(keyboard, line.encode())
        descriptors.append(keyboard)
        monkeypatch.setattr(sys, "stdin", os.fdopen(terminal))

    yield type_line
    sys.stdin.close()
    for descriptor in descriptors:
        os.close(descriptor)


@pytest.mark.parametrize(("answer", "num_deleted"), [("n", 0), ("y", 2)])
def test_rebuild_asks_at_a_terminal(
    filled, shared_uri, type_at_terminal, capsys, answer, num_deleted
):
    before = run_ids(shared_uri)
    type_at_terminal(f"{answer}\n")
    arguments = ["--rebuild", "--home", str(filled.home)]
    sync_command.command.main(arguments, standalone_mode=False)
    output = capsys.readouterr().out
    assert f"2 runs that this home wrote will be deleted at {shared_uri}" in output
    assert len(before - run_ids(shared_uri)) == num_deleted


def test_own_database_is_removed_as_a_file(store, bench, tmp_path):
    """The home is a copy, so that MLflow has no connection to its database."""
    store.write(good_record(128))
    sync(store)
    home = tmp_path / "copy"
    shutil.copytree(store.home, home)
    command = (*REBUILD, "--home", str(home))
    inode = (home / "mlflow.db").stat().st_ino
    refused = bench(*command)
    assert refused.returncode == 2
    assert "will be removed with all its runs (3 runs)" in refused.stderr
    assert "--yes" in refused.stderr
    assert (home / "mlflow.db").stat().st_ino == inode
    done = bench(*command, "--yes")
    assert done.returncode == 0 and "1 runs written" in done.stdout, done.stderr
    with closing(sqlite3.connect(home / "mlflow.db")) as database:
        ((deleted,),) = database.execute(
            "SELECT COUNT(*) FROM runs WHERE lifecycle_stage = 'deleted'"
        )
    assert deleted == 0


def test_own_database_with_a_users_run_is_kept(store, bench):
    store.write(good_record(128))
    sync(store)
    client = MlflowClient(store.tracking_uri)
    experiment = client.get_experiment_by_name("ner").experiment_id
    by_hand = client.create_run(experiment, run_name="by hand").info.run_id
    done = bench(*REBUILD, "--yes")
    assert done.returncode == 0, done.stderr
    assert "3 runs that this home wrote will be deleted" in done.stdout
    left = run_ids(store.tracking_uri)
    assert by_hand in left and len(left) == 4


def test_damaged_own_database_is_removed(store):
    store.write(good_record(128))
    (store.home / "mlflow.db").write_bytes(b"not a database " * 100)
    assert "not a readable MLflow database" in str(planned_deletion(store))
    assert sync(store, rebuild=True).written == 1


def test_locked_own_database_is_not_removed(store):
    store.write(good_record(128))
    sync(store)
    with closing(sqlite3.connect(store.home / "mlflow.db", isolation_level=None)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TrackingError, match="locked"):
            planned_deletion(store)


@pytest.mark.slow
def test_undelivered_records_are_delivered_later(bench):
    bench("run", "--mode", "probe", "--benchmark", "smoke", "--architectures", "nothing",
          "--no-tracking")  # fmt: skip
    failed = bench("sync", MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert failed.returncode == 2
    assert len(failed.stderr.strip().splitlines()) == 1 and "bench sync" in failed.stderr
    later = bench("sync")
    assert later.returncode == 0 and "1 runs written" in later.stdout, later.stderr
