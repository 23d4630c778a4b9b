"""Migrations: records of older schemas say the same in the current one."""

from __future__ import annotations

import json

import pytest

from suite.records.migrations import MIGRATIONS, SCHEMA_VERSION
from suite.records.schema import Conformance, RecordError, parse_record, parse_summary
from tests.conftest import STORED_RECORDS


def read(name):
    return json.loads((STORED_RECORDS / f"{name}.json").read_text())


@pytest.mark.parametrize(
    "path", sorted(STORED_RECORDS.glob("schema-*.json")), ids=lambda path: path.stem
)
def test_every_published_schema_is_read_whole_and_in_summary(path):
    record, summary = parse_record(path.read_bytes()), parse_summary(path.read_bytes())
    assert record.schema_version == summary.schema_version == SCHEMA_VERSION
    assert summary.ranking == record.ranking and summary.cell == record.cell
    assert parse_record(record.to_json()) == record


def test_each_schema_that_is_read_has_a_published_record():
    schemas = {path.stem.split("-")[1] for path in STORED_RECORDS.glob("schema-*.json")}
    assert schemas == {str(version) for version in range(min(MIGRATIONS), SCHEMA_VERSION + 1)}


@pytest.mark.parametrize("version", [0, 2, 99, -1, "1", 1.5, None, [1], True])
def test_an_unknown_schema_is_refused_with_its_number(version):
    with pytest.raises(RecordError, match="schema"):
        parse_record(json.dumps({**read("schema-3-train"), "schema_version": version}))


def test_the_order_of_the_fields_does_not_matter():
    old = read("schema-3-train")
    reordered = json.dumps(dict(reversed(old.items())))
    assert parse_record(reordered) == parse_record(json.dumps(old))


def test_records_without_a_result_of_the_conformance_kit_state_kit_0():
    assert parse_record(json.dumps(read("schema-3-train"))).conformance == Conformance(kit=0)
    assert parse_record(json.dumps(read("schema-4-final"))).conformance == Conformance(kit=1)
