"""`bench verify`: a cell that runs again agrees with its record; an altered record does not."""

from __future__ import annotations

import json

import pytest

from suite.matrix.expansion import expand
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.publish.checks import find_problem
from suite.publish.publishing import strip
from suite.publish.verify import request_of
from suite.records.schema import TuningChoice, parse_record
from tests.conftest import ROOT

SMALL = ("--task", "image_classification", "--architectures", "vit", "--benchmark", "smoke")


@pytest.mark.slow
def test_a_new_run_is_compared_with_the_record(bench, tmp_path):
    assert bench("run", *SMALL, "--no-tracking", "--no-dashboard").returncode == 0
    (path,) = (tmp_path / "home" / "records").glob("*.json")
    again = bench("verify", str(path), "--home", str(tmp_path / "other"))
    assert again.returncode == 0, again.stderr
    assert "Reproduced: accuracy within 2%" in again.stdout
    (new,) = (tmp_path / "other" / "records").glob("*.json")
    stripped = strip(parse_record(new.read_bytes()))
    assert stripped.invocation.command == "bench verify … --home …"
    assert "path" not in str(find_problem(stripped, load_registry(())))  # that was absolute
    record = json.loads(path.read_text())
    record["metrics"]["test"]["accuracy"] = 0.99
    path.write_text(json.dumps(record))
    lied = bench("verify", str(path), "--home", str(tmp_path / "other"))
    assert lied.returncode == 1 and "NOT reproduced" in lied.stdout


def test_a_file_that_is_no_record_and_a_cell_of_another_version_are_refused(bench, tmp_path):
    path = tmp_path / "x.json"
    path.write_text("{}")
    assert "must be a record" in bench("verify", str(path)).stderr
    record = json.loads(
        (
            ROOT / "tests" / "suite" / "records" / "frozen" / "schema-3-archived-trial.json"
        ).read_text()
    )
    record["cell"]["architecture_version"] = 99
    path.write_text(json.dumps({**record, "protocol": 1}))  # an older one's id is not looked at
    refused = bench("verify", str(path))
    assert refused.returncode == 2 and "architecture version 99" in refused.stderr


def test_the_request_of_a_cell_at_the_default_rate_ignores_a_tuned_rate():
    registry = load_registry(())
    request = Request(tasks=("ner",), architectures=("vanilla",), lengths=(128,), seeds=(1,))
    (planned,) = expand(request, registry)
    choice = TuningChoice(learning_rate=3e-3, metric="validation entity_f1", setting={})
    assert [p.cell for p in expand(request, registry, lambda cell: choice)] != [planned.cell]
    again = request_of(planned.cell, registry)
    assert [p.cell for p in expand(again, registry, lambda cell: choice)] == [planned.cell]
