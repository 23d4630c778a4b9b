"""Expected times of cells, from records."""

from __future__ import annotations

import dataclasses

import pytest

from suite.api import Status
from suite.matrix import durations
from suite.matrix.durations import Durations, ExpectedTime, durations_here
from suite.records.environment import describe_machine
from suite.records.schema import Measurement
from tests.builders.records import CELL, make_record, new_store

TRAINED = dataclasses.replace(CELL, steps=100)


def finished(cell, worker_seconds, step_seconds=0.1, **fields):
    measured = Measurement(
        value=step_seconds, n=1, samples=(step_seconds,), quartiles=None, method="by hand"
    )
    return make_record(
        cell=cell,
        worker_seconds=worker_seconds,
        measurements={"training": {"step_seconds": measured}},
        **fields,
    )


def test_a_cell_takes_what_its_repeats_took():
    learned = Durations([finished(TRAINED, 30.0), finished(TRAINED, 34.0)])
    again = dataclasses.replace(TRAINED, seed=7, options={"learning_rate": 0.1})
    assert learned.expected_seconds(again) == pytest.approx(32.0)


def test_another_number_of_steps_changes_the_time_of_the_steps_alone():
    learned = Durations([finished(TRAINED, 30.0, step_seconds=0.2)])
    longer = dataclasses.replace(TRAINED, steps=200)
    assert learned.expected_seconds(longer) == pytest.approx(10.0 + 40.0)


def test_an_architecture_that_never_ran_takes_as_long_as_the_slowest():
    other = dataclasses.replace(TRAINED, architecture="bert")
    learned = Durations([finished(TRAINED, 30.0), finished(other, 50.0)])
    new = dataclasses.replace(TRAINED, architecture="vanilla")
    assert learned.expected_seconds(new) == pytest.approx(50.0)


@pytest.mark.parametrize(
    "change",
    [
        {"sequence_length": 256},
        {"batch_size": 32},
        {"task": "sentiment"},
        {"model_size": "base"},
        {"threads": 1},
        {"backend": "jax"},
        {"evaluation_lengths": (256,)},
    ],
)
def test_a_cell_that_is_unlike_all_others_is_unknown(change):
    learned = Durations([finished(TRAINED, 30.0)])
    assert learned.expected_seconds(dataclasses.replace(TRAINED, **change)) is None


def test_failures_and_resumed_trainings_teach_nothing():
    learned = Durations(
        [
            finished(TRAINED, 30.0, status=Status.FAILED, reason="no"),
            finished(TRAINED, 30.0, details={"resumed_at_steps": [5]}),
        ]
    )
    assert learned.expected_seconds(TRAINED) is None


def test_the_total_fills_the_places_and_counts_unknown_cells():
    learned = Durations([finished(TRAINED, 30.0)])
    unknown = dataclasses.replace(TRAINED, threads=1)
    assert learned.expected([TRAINED] * 3, parallel=2) == ExpectedTime(3, 60.0, 0, 2)
    some = learned.expected([TRAINED, unknown])
    assert some == ExpectedTime(2, 60.0, 1)
    assert str(some) == "about 1 minute (1 of them like none that has run)"
    assert learned.expected([]) == ExpectedTime(0, 0.0)
    assert str(learned.expected([unknown])).startswith("an unknown time")
    assert str(ExpectedTime(9, 7_200.0)) == "about 2.0 hours"


def test_the_newest_records_of_a_home_are_read(tmp_path, monkeypatch):
    store, here = new_store(tmp_path), describe_machine()
    for number, seconds in enumerate((1_000.0, 30.0, 34.0)):
        cell = dataclasses.replace(TRAINED, seed=number)
        run_id = f"2026010{number + 1}T000000000000Z-{'c0a'[number]}"
        store.write(finished(cell, seconds, cell_id=cell.id, run_id=run_id, environment=here))
    assert durations_here(store).expected_seconds(TRAINED) == pytest.approx(34.0)
    monkeypatch.setattr(durations, "MAX_RECORDS", 2)
    assert durations_here(store).expected_seconds(TRAINED) == pytest.approx(32.0)
