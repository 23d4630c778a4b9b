"""Migrations: records of older schemas say the same in the current one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from suite.records.migrations import SCHEMA_VERSION, migrate
from suite.records.schema import Conformance, RecordError, parse_record, parse_summary

FROZEN = Path(__file__).parent / "frozen"


def read(name):
    return json.loads((FROZEN / f"{name}.json").read_text())


@pytest.mark.parametrize("path", sorted(FROZEN.glob("schema-*.json")), ids=lambda path: path.stem)
def test_every_published_schema_is_read_whole_and_in_summary(path):
    record, summary = parse_record(path.read_bytes()), parse_summary(path.read_bytes())
    assert record.schema_version == summary.schema_version == SCHEMA_VERSION
    assert summary.ranking == record.ranking and summary.cell == record.cell
    assert parse_record(record.to_json()) == record


def test_schema_1_measures_and_reports_have_their_new_names():
    old, new = read("schema-1-probe"), migrate(read("schema-1-probe"))
    for phase, measures in old["measurements"].items():
        migrated = new["measurements"][phase]
        assert migrated["other_process_cpu_share"] == measures["foreign_load_share"]
        assert migrated["model_flops_utilization"] == measures["matrix_rate_share"]
        assert len(migrated) == len(measures)
    old, new = read("schema-1-occlusion"), migrate(read("schema-1-occlusion"))
    assert new["reports"]["test"]["occlusion"] == old["reports"]["test"]["influence"]
    assert "influence" not in new["reports"]["test"]


def test_schema_1_flags_noise_of_inference_by_its_measured_share():
    old = read("schema-1-tuned")
    assert old["details"]["noisy"] == ["training"]
    share = old["measurements"]["inference"]["foreign_load_share"]
    assert share["value"] > 0.1
    assert not parse_record(json.dumps(old)).is_quiet("inference")
    share["value"] = 0.05
    quiet = parse_record(json.dumps(old))
    assert quiet.is_quiet("inference") and not quiet.is_quiet("training")


def test_schema_1_gets_the_tuning_of_its_time_and_nothing_else_is_looked_up():
    old = read("schema-1-tuned")
    facts = parse_record(json.dumps(old)).ranking
    assert facts.entry == old["cell"]["architecture"] and facts.metric
    assert (
        facts.tuning.learning_rate == facts.learning_rate == old["cell"]["options"]["learning_rate"]
    )
    assert facts.tuning.setting["model_size"] == "tiny" and len(facts.tuning.trials) >= 3
    other = {**old, "protocol": 1, "cell": {**old["cell"], "options": {"learning_rate": 0.002}}}
    facts = parse_record(json.dumps(other)).ranking
    assert facts.tuning is None and facts.entry.endswith("(learning_rate=0.002)")


def test_schema_1_of_a_task_that_nobody_published_is_read_too():
    old = read("schema-1-train")
    cell = {**old["cell"], "task": "my_own", "options": {"window": 8}}
    record = parse_record(json.dumps({**old, "protocol": 1, "cell": cell}))
    assert record.ranking.entry == f"{cell['architecture']} (window=8)"


@pytest.mark.parametrize("version", [0, 99, -1, "1", 1.5, None, [1], True])
def test_an_unknown_schema_is_refused_with_its_number(version):
    with pytest.raises(RecordError, match="schema"):
        parse_record(json.dumps({**read("schema-1-train"), "schema_version": version}))


def test_the_order_of_the_fields_does_not_matter():
    old = read("schema-1-train")
    reordered = json.dumps(dict(reversed(old.items())))
    assert parse_record(reordered) == parse_record(json.dumps(old))


@pytest.mark.parametrize("name", ["schema-1-train", "schema-2-train", "schema-3-train"])
def test_records_without_a_result_of_the_conformance_kit_state_kit_0(name):
    assert parse_record(json.dumps(read(name))).conformance == Conformance(kit=0)
    assert parse_record(json.dumps(read("schema-4-final"))).conformance == Conformance(kit=1)
