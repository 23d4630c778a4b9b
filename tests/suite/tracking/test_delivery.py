"""Delivery of records during a run: unreachable stores, rejected records, the helper process."""

from __future__ import annotations

import sys
import threading
import time

import pytest

from suite.api import Status
from suite.api.errors import TrackingError
from suite.records.store import TRACKING
from suite.tracking import delivery
from suite.tracking.delivery import WITHOUT_RUN, DeliveryQueue, SyncProcess, may_lack_records
from suite.tracking.runs import STATUSES
from suite.tracking.sync import sync
from tests.builders.records import CELL, make_record
from tests.suite.tracking.helpers import good_record, runs_of_kind


class Clock:
    def __init__(self):
        self.now = 0.0
        self.slept = []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


class FakeTracker:
    """A tracker whose store a test makes unreachable, and which rejects given records."""

    def __init__(self):
        self.reachable = True
        self.refused = set()
        self.rejected = {}
        self.connections = 0
        self.logged = []
        self.refreshed = 0

    def connect(self, store):
        self.connections += 1
        self._answer()
        return self

    def log_all(self, records):
        self._answer()
        for record in records:
            if record.run_id in self.refused:
                self.rejected[record.run_id] = "invalid record"
            else:
                self.logged.append(record.run_id)
            yield True

    def complete(self, store):
        self._answer()
        self.refreshed += 1

    def holds(self, run_id):
        return False

    def _answer(self):
        if not self.reachable:
            raise TrackingError("unreachable")


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(delivery, "time", clock)
    return clock


@pytest.fixture
def tracker(monkeypatch, clock):
    tracker = FakeTracker()
    monkeypatch.setattr(delivery, "connect", tracker.connect)
    return tracker


def written(store, minutes):
    record = make_record(Status.OK, minutes, CELL)
    return record, store.write(record)


def test_waiting_records_are_delivered_when_the_store_is_back(store, tracker, clock):
    records = DeliveryQueue(store)
    all_written = [written(store, minutes) for minutes in range(4)]
    paths = [path for _, path in all_written]
    assert records.take(paths[0]) is None
    tracker.reachable = False
    assert "unreachable" in records.take(paths[1])
    tracker.reachable = True
    assert "unreachable" in records.take(paths[2])  # the pause has not passed yet
    assert tracker.connections == 1
    clock.now += 1.0
    assert records.take(paths[3]) is None
    assert tracker.logged == [record.run_id for record, _ in all_written]
    assert tracker.connections == 2  # a new tracker reads the store again


def test_pauses_grow_to_a_limit(store, tracker, clock):
    tracker.reachable = False
    records = DeliveryQueue(store)
    pauses = []
    for minutes in range(9):
        _, path = written(store, minutes)
        assert records.take(path)
        pauses.append(records._next_try - clock.now)
        clock.now = records._next_try
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_finish_retries_for_a_limited_time(store, tracker, clock):
    tracker.reachable = False
    records = DeliveryQueue(store)
    records.take(written(store, 0)[1])
    assert "unreachable" in records.finish()
    assert 5 < sum(clock.slept) < delivery.FINISH_SECONDS
    tracker.reachable = True
    assert records.finish() is None
    assert (len(tracker.logged), tracker.refreshed) == (1, 1)


def test_rejected_record_does_not_block_the_others(store, tracker):
    first, first_path = written(store, 0)
    second, second_path = written(store, 1)
    tracker.refused = {first.run_id}
    records = DeliveryQueue(store)
    assert "invalid record" in records.take(first_path)
    assert records.take(second_path) is None
    assert tracker.logged == [second.run_id]
    assert "invalid record" in records.finish()  # the final report names the loss too


def test_the_first_delivery_waits_while_another_process_creates_the_tables(store, tracker, clock):
    lease = store.acquire(TRACKING)
    threading.Timer(1.5 * delivery.CELL_DEADLINE_SECONDS, lease.close).start()
    assert DeliveryQueue(store).take(written(store, 0)[1]) is None
    assert len(tracker.logged) == 1


def test_delivery_waits_for_another_writer_of_the_same_home(store, tracker, clock, monkeypatch):
    monkeypatch.setattr(delivery, "CREATION_SECONDS", 0.2)
    lease = store.acquire(TRACKING)
    records = DeliveryQueue(store)
    _, path = written(store, 0)
    assert "Another process" in records.take(path)
    lease.close()
    clock.now += 1.0
    assert records.deliver() is None
    assert len(tracker.logged) == 1


def fake_helper(program: str) -> tuple[str, ...]:
    return (sys.executable, "-c", f"import os, sys\n{program}")


def test_two_answers_in_one_write_are_both_received(store, monkeypatch):
    """With select() on a buffered file, the second answer stays unseen until the deadline.

    The next cell starts meanwhile: nothing waits for the answer on its own record.
    """
    for deadline in ("CELL_DEADLINE_SECONDS", "FINAL_DEADLINE_SECONDS"):
        monkeypatch.setattr(delivery, deadline, 20.0)
    program = "for _ in range(2): sys.stdin.readline()\nos.write(1, b'{\"ok\": true}\\n' * 2)"
    process = SyncProcess(store, pytest.fail, fake_helper(program))
    process.start()
    written = time.monotonic()
    process.record_written(store.home / "a.json")  # the helper answers after the next line only
    assert time.monotonic() - written < 10
    assert process.finish() is None


def test_first_failure_is_a_warning_and_the_last_one_is_returned(store):
    program = (
        "for number, _ in enumerate(iter(sys.stdin.readline, '')):\n"
        '    print(\'{"error": "failure %d"}\' % number, flush=True)'
    )
    warnings = []
    process = SyncProcess(store, warnings.append, fake_helper(program))
    process.start()
    for name in ("a.json", "b.json"):
        process.record_written(store.home / name)
    assert process.finish() == "failure 2"
    assert warnings == ["failure 0"]


def test_killed_helper_with_a_partial_answer_is_reported(store):
    program = "sys.stdin.readline()\nos.write(1, b'{\"ok\": tr')\nos.kill(os.getpid(), 9)"
    process = SyncProcess(store, pytest.fail, fake_helper(program))
    process.start()
    process.record_written(store.home / "a.json")
    assert process.finish() == "the tracking process ended unexpectedly"


def test_records_after_the_death_of_the_helper_are_reported(store):
    """The helper answers once and ends: MLflow lacks the second record."""
    program = "sys.stdin.readline()\nos.write(1, b'{\"ok\": true}\\n')"
    warnings = []
    process = SyncProcess(store, warnings.append, fake_helper(program))
    process.start()
    process.record_written(store.home / "a.json")
    process._process.wait()
    process.record_written(store.home / "b.json")
    assert process.finish() == "the tracking process ended unexpectedly"
    assert warnings == ["the tracking process ended unexpectedly"]


def test_helper_that_does_not_answer_is_ended(store, monkeypatch):
    monkeypatch.setattr(delivery, "CELL_DEADLINE_SECONDS", 0.1)
    monkeypatch.setattr(delivery, "FINAL_DEADLINE_SECONDS", 0.1)
    process = SyncProcess(store, pytest.fail, fake_helper("sys.stdin.read()"))
    process.start()
    process.record_written(store.home / "a.json")
    assert process.finish() == "the MLflow store is too slow"
    assert process._process.returncode == -9


def test_the_end_of_a_run_delivers_what_mlflow_lacks_of_earlier_ones(store, monkeypatch):
    earlier = [good_record(128, seed, minutes=seed) for seed in range(3)]
    for record in earlier:
        store.write(record)
    (store.records / "note.json").write_text("no record")
    monkeypatch.setattr(delivery, "CATCH_UP_SECONDS", -1.0)
    newest = good_record(128, 3, minutes=3)
    records = DeliveryQueue(store)
    assert records.take(store.write(newest)) is None
    assert records.finish() == "4 earlier records wait"
    monkeypatch.setattr(delivery, "CATCH_UP_SECONDS", 60.0)
    (store.records / "a folder.of someone.json").mkdir()
    assert DeliveryQueue(store).finish() is None
    runs = runs_of_kind(store.tracking_uri, "cell")
    keys = {run.data.tags["lengthwise.key"] for run in runs}
    assert keys == {record.run_id for record in (*earlier, newest)}


def test_it_is_known_without_mlflow_whether_the_database_may_lack_a_record(store, monkeypatch):
    assert set(Status) - STATUSES.keys() == WITHOUT_RUN
    assert not may_lack_records(store)
    store.write(good_record(128))
    assert may_lack_records(store)  # there is no database yet
    sync(store)
    store.write(make_record(Status.UNSUPPORTED, 1))
    (store.records / "note.json").write_text("no record")
    (store.records / "a folder.of someone.json").mkdir()
    assert not may_lack_records(store)
    store.write(good_record(256, minutes=2))
    assert may_lack_records(store)
    sync(store)
    assert not may_lack_records(store)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert may_lack_records(store)


def test_a_run_without_new_cells_fills_a_lost_database(bench, tmp_path):
    words = ("run", "--mode", "probe", "--benchmark", "smoke", "--architectures", "hasty")
    database = tmp_path / "home" / "mlflow.db"
    assert bench(*words, "--no-dashboard", "--no-tracking").returncode == 0
    assert not database.exists()
    said = bench(*words, "--no-dashboard")
    assert said.returncode == 0 and "MLflow is behind" not in said.stderr, said.stderr
    assert runs_of_kind(f"sqlite:///{database}", "cell", "probe")
