"""The time of `report`, `leaderboard` and `dashboard` grows with the number of records, no faster.

The bound is relative, because the speed of machines differs: four times the records may take at
most six times the time. A loop over pairs of records would take sixteen times as long.
"""

from __future__ import annotations

import dataclasses
import time
from statistics import median

import pytest

from suite.actions.sites import draw_site
from suite.analysis.comparisons import compare
from suite.analysis.tables import make_tables
from suite.records.published import local_records
from suite.records.schema import Measurement
from suite.records.store import Store
from suite.report.leaderboard import leaderboard_files
from suite.report.tables import print_tables
from tests.builders.records import PROBE, REGISTRY, TRIAL, make_record

NUM_COMPARISONS = 3
FACTOR, MOST = 4, 6
REPEATS = 3


def plant(home, num_comparisons):
    """Write trials and probes of a number of comparisons, and return their home."""
    store = Store(home)
    store.prepare()
    measured = {
        name: Measurement(value=1_000.0, n=1)
        for name in ("tokens_per_second", "step_seconds", "peak_memory_bytes")
    }
    for number in range(1, num_comparisons + 1):
        for repeat in range(3):
            for architecture in ("vanilla", "bert", "lstm"):
                for length in (128, 512):
                    place = {"architecture": architecture, "sequence_length": length, "options": {}}
                    trial = dataclasses.replace(TRIAL, **place, steps=number, seed=repeat)
                    probe = dataclasses.replace(PROBE, **place, threads=number, round=repeat)
                    for cell in (trial, probe):
                        score = {"validation": {"entity_f1": 0.5 + repeat / 100}}
                        record = make_record(
                            cell=cell,
                            minutes=repeat,
                            measurements={"training": measured, "inference": measured},
                            metrics={} if cell is probe else score,
                            data={"fingerprint": "f"},
                        )
                        store.write(record)
    return store


def report(store):
    records = local_records(store)
    print_tables(make_tables(records, REGISTRY.task_versions, REGISTRY.architectures.plugins))


def leaderboard(store):
    records = local_records(store)
    assert leaderboard_files(records, compare(records, REGISTRY.task_versions), REGISTRY)


def dashboard(store):
    draw_site(local_records(store), REGISTRY, store.home / "site")


@pytest.mark.slow
def test_time_grows_with_the_number_of_records(tmp_path):
    few = plant(tmp_path / "few", NUM_COMPARISONS)
    many = plant(tmp_path / "many", FACTOR * NUM_COMPARISONS)
    assert many.count() == FACTOR * few.count()
    for command in (report, leaderboard, dashboard):
        command(few)  # imports, and files of the site that do not change
        took = {id(few): [], id(many): []}
        for _ in range(REPEATS):
            for store in (few, many):
                started = time.process_time()
                command(store)
                took[id(store)].append(time.process_time() - started)
        ratio = median(took[id(many)]) / median(took[id(few)])
        assert ratio <= MOST, f"{command.__name__}: {ratio:.1f} times the time"
