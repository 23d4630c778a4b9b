"""Length runs: grouping, values per sequence length, and their HTML page."""

from __future__ import annotations

import dataclasses
import json

import pytest
from mlflow.tracking import MlflowClient

from suite.api import Mode
from suite.tracking.experiments import PROBE_EXPERIMENT
from suite.tracking.length_runs import LengthRun, length_runs
from suite.tracking.sync import sync
from tests.suite.tracking.helpers import (
    count_kinds,
    good_record,
    measured,
    read_artifact,
    runs_of_kind,
)


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
    history = MlflowClient(uri).get_metric_history(lengths.info.run_id, "test.entity_f1")
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


def test_page_escapes_names():
    record = good_record(128, metrics={"test": {"<script>alert(1)</script>": 0.5}})
    (run,) = length_runs([record])
    assert "<script>" not in run.page()
    assert "test.&lt;script&gt;" in run.page()


def test_page_leaves_a_cell_empty_where_a_metric_has_no_value():
    with_memory = {"training": {"peak_memory_bytes": measured(2e9)}}
    records = [good_record(128), good_record(256, measurements=with_memory)]
    page = LengthRun("key", records).page()
    row = page.partition('<th scope="row">training.peak_memory_bytes</th>')[2].partition("</tr>")[0]
    assert row.split() == ["<td></td><td>2e+09</td>"]


def test_content_depends_on_values_only():
    one, two = (length_runs([good_record(128, minutes=minutes)])[0] for minutes in (0, 1))
    other = length_runs([good_record(128, f1=0.6)])[0]
    assert one.content == two.content != other.content
    assert json.dumps(one.points) == json.dumps(two.points)
