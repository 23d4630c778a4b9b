"""Records on their way to a tracking store that is away, busy, or takes offence at one of them."""

from __future__ import annotations

import pytest

from suite.api import Status
from suite.api.errors import TrackingError
from suite.records.store import TRACKING, Store
from suite.tracking import delivery as syncing
from suite.tracking.delivery import DeliveryQueue
from tests.suite.records.test_store import CELL, make_record


class Clock:
    def __init__(self):
        self.now = 0.0
        self.slept = []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


class Server:
    """A tracking store that is up or down as told, and refuses what it is told to refuse."""

    def __init__(self):
        self.up = True
        self.refuses = set()
        self.connections = 0
        self.logged = []
        self.refreshed = 0

    def connect(self, store):
        self.connections += 1
        self._answer()
        return self

    def log(self, record):
        self._answer()
        if record.run_id in self.refuses:
            raise ValueError("not this one")
        self.logged.append(record.run_id)

    def close_invocations(self):
        self._answer()

    def refresh_length_runs(self, records):
        self._answer()
        self.refreshed += 1

    def pages(self):
        return {}

    def views(self):
        return {}

    def _answer(self):
        if not self.up:
            raise TrackingError("away")


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(syncing, "time", clock)
    return clock


@pytest.fixture
def server(monkeypatch, clock):
    server = Server()
    monkeypatch.setattr(syncing, "connect", server.connect)
    return server


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "home")
    store.prepare()
    return store


def written(store, minutes):
    record = make_record(Status.OK, minutes, CELL)
    return record, store.write(record)


def test_what_a_server_that_was_away_missed_is_delivered_once_it_is_back(store, server, clock):
    spool = DeliveryQueue(store)
    records = [written(store, minutes) for minutes in range(4)]
    assert spool.take(records[0][1]) is None
    server.up = False
    assert "away" in spool.take(records[1][1])
    server.up = True
    assert "away" in spool.take(records[2][1])  # it is not asked again so soon
    assert server.connections == 1
    clock.now += 1.0
    assert spool.take(records[3][1]) is None
    assert server.logged == [record.run_id for record, _ in records]
    assert server.connections == 2  # what the tracker knew may have been wrong


def test_it_is_asked_less_and_less_often(store, server, clock):
    server.up = False
    spool = DeliveryQueue(store)
    pauses = []
    for minutes in range(9):
        _, path = written(store, minutes)
        assert spool.take(path)
        pauses.append(spool._next_try - clock.now)
        clock.now = spool._next_try
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_the_end_is_patient_but_not_for_ever(store, server, clock):
    server.up = False
    spool = DeliveryQueue(store)
    spool.take(written(store, 0)[1])
    assert "away" in spool.finish()
    assert 5 < sum(clock.slept) < syncing.FINISH_SECONDS
    server.up = True
    assert spool.finish() is None
    assert (len(server.logged), server.refreshed) == (1, 1)


def test_a_record_that_is_refused_does_not_hold_up_the_others(store, server):
    first, first_path = written(store, 0)
    second, second_path = written(store, 1)
    server.refuses = {first.run_id}
    spool = DeliveryQueue(store)
    assert "not this one" in spool.take(first_path)
    assert spool.take(second_path) is None
    assert server.logged == [second.run_id]
    assert "not this one" in spool.finish()  # told at the end too


def test_while_another_process_writes_for_the_home_it_waits_its_turn(store, server, clock):
    lease = store.acquire(TRACKING)
    spool = DeliveryQueue(store)
    _, path = written(store, 0)
    assert "Another process" in spool.take(path)
    lease.close()
    clock.now += 1.0
    assert spool.deliver() is None
    assert len(server.logged) == 1


def test_an_end_without_records_and_without_a_server_is_said_too(store, server, clock):
    server.up = False
    assert "away" in DeliveryQueue(store).finish()
