"""Length runs: grouping, values per sequence length, and their HTML page."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from suite.analysis.comparisons import compare
from suite.analysis.tables import make_tables
from suite.api import Mode
from suite.matrix.registry import load_registry
from suite.records.published import local_record
from suite.tracking.experiments import PROBE_EXPERIMENT
from suite.tracking.length_runs import LengthRun, length_runs
from suite.tracking.sync import sync
from tests.builders.records import measured
from tests.suite.tracking.helpers import count_kinds, good_record, read_artifact, runs_of_kind


def test_new_records_replace_the_length_run(store):
    for length in (128, 256):
        store.write(good_record(length))
    sync(store)
    store.write(good_record(128, seed=1, f1=0.7, minutes=1))
    second = sync(store)
    assert (second.written, second.length_runs) == (1, 1)
    uri = store.tracking_uri
    assert count_kinds(uri) == {"invocation": 1, "cell": 3, "lengths": 1}
    (lengths,) = runs_of_kind(uri, "lengths")
    history = MlflowClient(uri).get_metric_history(
        lengths.info.run_id, "test.entity_f1 by sequence length"
    )
    assert {point.step: point.value for point in history} == {
        128: pytest.approx(0.6),
        256: pytest.approx(0.5),
    }
    page = read_artifact(uri, lengths, "by_length.html")
    assert "<th>128</th><th>256</th>" in page and ">0.6</td>" in page


def test_probes_of_two_machines_have_separate_length_runs(store):
    for minutes, processor in enumerate(["old", "new"]):
        record = good_record(128, minutes=minutes)
        cell = dataclasses.replace(record.cell, mode=Mode.PROBE, task=None)
        own = {"cell": cell, "cell_id": cell.id, "environment": {"processor": processor}}
        store.write(record.model_copy(update=own))
    assert sync(store).length_runs == 2
    runs = runs_of_kind(store.tracking_uri, "lengths", PROBE_EXPERIMENT)
    assert {run.data.tags["lengthwise.processor"] for run in runs} == {"old", "new"}


def test_values_equal_those_of_tables(store):
    """A cost is the geometric mean over quiet runs, a score the mean over all seeds."""
    for seed, (speed, noisy) in enumerate([(100.0, ()), (400.0, ()), (9e6, ("training",))]):
        store.write(
            good_record(
                128,
                seed,
                f1=0.1 * (seed + 1),
                measurements={"training": {"tokens_per_second": measured(speed)}},
                details={"noisy": noisy},
            )
        )
    sync(store)
    (run,) = runs_of_kind(store.tracking_uri, "lengths")
    records = [local_record(record, store.path_of(record)) for record in store.summaries()]
    ((row,),) = [table.rows for table in make_tables(records, load_registry(()).task_versions)]
    shown = run.data.metrics
    assert shown["training.tokens_per_second by sequence length"] == pytest.approx(200.0)
    for name in ("training.tokens_per_second", "test.entity_f1"):
        assert shown[f"{name} by sequence length"] == row.figures[name].value


def test_the_speed_of_a_length_without_quiet_run_has_a_name_of_its_own(store):
    store.write(good_record(128, details={"noisy": ("training",)}))
    sync(store)
    (run,) = runs_of_kind(store.tracking_uri, "lengths")
    speed = "training.tokens_per_second by sequence length"
    assert speed not in run.data.metrics
    assert run.data.metrics[f"disturbed.{speed}"] == pytest.approx(1e6 / 128)
    assert run.data.metrics["test.entity_f1 by sequence length"] == 0.5


def test_length_run_of_an_old_comparison_is_deleted(store):
    first = good_record(128)
    path = store.write(first)
    sync(store)
    path.unlink()
    store.write(good_record(128, minutes=1, data={"fingerprint": "e" * 64, "digest": None}))
    assert sync(store).length_runs == 1
    assert count_kinds(store.tracking_uri)["lengths"] == 1


def runs_of_records(*records) -> list[LengthRun]:
    stored = [local_record(record, Path("unused")) for record in records]
    return length_runs(compare(stored), "home")


def test_page_escapes_names():
    (run,) = runs_of_records(good_record(128, metrics={"test": {"<b>bold</b>": 0.5}}))
    assert "<b>" not in run.page()
    assert "test.&lt;b&gt;" in run.page()


def test_content_depends_on_values_only():
    one, two = (runs_of_records(good_record(128, minutes=minutes))[0] for minutes in (0, 1))
    (other,) = runs_of_records(good_record(128, f1=0.6))
    assert one.content == two.content != other.content


def test_params_are_those_that_all_records_share():
    records = [good_record(length) for length in (128, 256)]
    cell = dataclasses.replace(records[1].cell, threads=4)
    records[1] = records[1].model_copy(update={"cell": cell, "cell_id": cell.id})
    (run,) = runs_of_records(*records)
    names = {param.key for param in run.params}
    assert {"task", "architecture", "steps"} <= names
    assert not names & {"threads", "sequence_length", "seed"}
