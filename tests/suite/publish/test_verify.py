"""The verdict on two runs of a cell, and the request that repeats a cell."""

from __future__ import annotations

import dataclasses

import pytest

from suite.actions.request import make_request
from suite.api import Mode, Status
from suite.api.errors import RequestError
from suite.matrix.expansion import expand
from suite.matrix.planned_cells import ranking_facts
from suite.matrix.registry import load_registry
from suite.publish.publishing import add_records
from suite.publish.reduction import reduced
from suite.publish.verify import Verification, read_original, request_of, verify
from suite.records.published import committed_path
from suite.records.schema import Measurement, TuningChoice
from suite.records.store import Store
from tests.builders.publishing import GOOD, REGISTRY
from tests.builders.records import CELL, FINAL, TRIAL, make_record
from tests.conftest import FAKES

SECOND = dataclasses.replace(TRIAL, seed=1)


@pytest.fixture(autouse=True)
def benchmark_of_tests(monkeypatch):
    """Let the benchmark of `FINAL` be found."""
    monkeypatch.setenv("BENCH_PATH", str(FAKES))


def scored(value: float, status: Status = Status.OK):
    metrics = {"test": {"entity_f1": value}} if status is Status.OK else {}
    return make_record(status, **{**GOOD, "metrics": metrics})


@pytest.mark.parametrize(
    ("again", "reproduced"),
    [(0.5, True), (0.5099, True), (0.4901, True), (0.5101, False), (0.4899, False)],
)
def test_a_score_is_reproduced_within_two_percent(again, reproduced):
    verification = Verification(scored(0.5), scored(again))
    assert verification.reproduced is reproduced
    assert verification.verdict().startswith("Reproduced" if reproduced else "NOT reproduced")


def test_an_equal_score_on_other_data_reproduces_nothing():
    other = scored(0.5).model_copy(update={"data": {"fingerprint": "another"}})
    verification = Verification(scored(0.5), other)
    assert not verification.reproduced
    assert verification.verdict() == "NOT reproduced: the new run had other data"


@pytest.mark.parametrize(
    ("original", "again", "reproduced"),
    [
        (Status.OUT_OF_MEMORY, Status.OUT_OF_MEMORY, True),
        (Status.OK, Status.OUT_OF_MEMORY, False),
        (Status.OUT_OF_MEMORY, Status.OK, False),
    ],
)
def test_a_run_that_did_not_finish_is_reproduced_by_the_same_status(original, again, reproduced):
    verification = Verification(scored(0.5, original), scored(0.5, again))
    assert verification.reproduced is reproduced
    assert str(original) in verification.verdict() and str(again) in verification.verdict()


def test_costs_are_compared_without_a_verdict():
    cell = dataclasses.replace(CELL, mode=Mode.PROBE, task=None, source=None, task_version=None)

    def probe(speed):
        item = Measurement(value=speed, n=1, samples=(speed,), quartiles=None, method="")
        return make_record(cell=cell, measurements={"training": {"tokens_per_second": item}})

    verification = Verification(probe(100.0), probe(50.0))
    assert verification.reproduced and verification.verdict() == ""
    (pair,) = verification.pairs
    assert pair.measure == "training.tokens_per_second" and pair.change == -0.5


def test_a_trial_is_reproduced_by_its_validation_score():
    def trial(value):
        metrics = {"validation": {"entity_f1": value}}
        return make_record(cell=TRIAL, metrics=metrics, data=GOOD["data"])

    near, far = Verification(trial(0.5), trial(0.505)), Verification(trial(0.5), trial(0.6))
    assert near.reproduced and not far.reproduced
    assert near.verdict() == "Reproduced: entity_f1 on validation within 2%"
    assert [pair.measure for pair in near.pairs] == ["entity_f1"]


def test_a_record_is_found_by_its_file_in_its_archive_and_by_its_run_id(tmp_path):
    records = [
        make_record(**{**GOOD, "cell": cell, "metrics": {split: {"entity_f1": 0.5}}})
        for cell, split in ((FINAL, "test"), (TRIAL, "validation"), (SECOND, "validation"))
    ]
    home = Store(tmp_path / "home")
    paths = [tmp_path / "published" / "abacus" / committed_path(record) for record in records]
    for record, path in zip(records, paths, strict=True):
        add_records(path, {record.run_id: reduced(record)})
    assert paths[1] == paths[2] != paths[0]
    addresses = [str(paths[0]), *(f"{paths[1]}#{record.run_id}" for record in records[1:])]
    for address, record in zip(addresses, records, strict=True):
        assert read_original(address, home).cell == record.cell
        assert read_original(record.run_id, home, tmp_path).cell == record.cell
    home.prepare()
    home.write(mine := make_record(**GOOD))
    assert read_original(mine.run_id, home, tmp_path) == mine


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("nothing.json", "No such file"),
        ("nothing.jsonl.gz#20260102T030405000000Z-000000", "must have this run"),
        ("20260102T030405000000Z-000000", "must be in the home or in results/"),
    ],
)
def test_an_address_without_a_record_is_refused(tmp_path, address, reason):
    with pytest.raises(RequestError, match=reason):
        read_original(address, Store(tmp_path / "home"), tmp_path)


def test_the_new_run_keeps_the_entry_of_the_record(tmp_path):
    """Another name would make the record of one's own home another entry."""
    registry = load_registry(())
    task, version = registry.tasks.get("ner"), registry.architectures.get("vanilla").version
    choice = TuningChoice(learning_rate=3e-3, metric="validation entity_f1", setting={})
    cell = dataclasses.replace(
        CELL,
        architecture="vanilla",
        architecture_version=version,
        options={"learning_rate": 3e-3},
    )
    record = make_record(cell=cell, ranking=ranking_facts(cell, task, choice))
    seen = []

    def run(prepared):
        seen.extend(prepared.plan.cells)
        return [record]

    verify(record, Store(tmp_path / "home"), run, registry=REGISTRY)
    assert [planned.ranking for planned in seen] == [record.ranking]


def test_the_cell_of_a_probe_with_methods_is_found_again():
    registry = load_registry(())
    request = make_request(
        {"mode": "probe", "architectures": "vanilla", "lengths": [128], "methods": "lora int8"}
    )
    (cell, *_) = (planned.cell for planned in expand(request, registry))
    again = expand(request_of(cell, registry), registry)
    assert cell.id in {planned.cell.id for planned in again}


def test_a_cell_is_verified_with_the_parents_that_it_took(tmp_path):
    registry = load_registry(())
    asked = {"task": "ner", "architectures": "vanilla", "methods": "distillation", "lengths": [128]}
    *_, planned = expand(make_request({**asked, "benchmark": "smoke"}), registry)
    details = {"parents": {"teacher": "0123456789abcdef"}}
    record = make_record(cell=planned.cell, ranking=planned.ranking, details=details)
    with pytest.raises(RequestError, match="with the models that it took"):
        verify(
            record,
            Store(tmp_path / "home"),
            lambda prepared: pytest.fail("the cell must not run"),
            registry=registry,
        )
