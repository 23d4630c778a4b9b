"""Records go the whole way: published, ranked, checked, verified and shown."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from suite.api import Mode
from suite.execution.conformance_checks import code_of
from suite.matrix.expansion import expand
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.records.conformance_reports import ConformanceReport, write_report
from suite.records.published import MAX_ARCHIVED_BYTES, MAX_FINAL_BYTES, read_archive
from suite.records.schema import Measurement, Record, parse_record
from suite.records.store import Store
from tests.builders.publishing import CLEAN
from tests.builders.records import FINGERPRINT, MOMENT, TRIAL, make_record
from tests.conftest import FAKES

SCORES = {"vanilla": 0.8, "bert": 0.7, "hasty": 0.6}
SPEEDS = {"vanilla": 100.0, "bert": 200.0}
PROCESSOR = "abacus-r-9-2-cores"


def fake_records() -> list[Record]:
    """Return final runs of three entries at three seeds, a trial, and rounds of two probes."""
    registry = load_registry((str(FAKES),))
    finals = expand(
        Request(
            benchmark="miniature",
            tasks=("ner",),
            architectures=tuple(SCORES),
            lengths=(128,),
            seeds=(0, 1, 2),
        ),
        registry,
    )
    probes = expand(
        Request(mode=Mode.PROBE, benchmark="smoke", architectures=tuple(SPEEDS), rounds=3),
        registry,
    )
    records = []
    for minutes, planned in enumerate([*finals, *probes]):
        cell = planned.cell
        fields = {"ranking": planned.ranking, "environment": CLEAN, "worker_seconds": 5.0}
        if cell.task:
            score = SCORES[cell.architecture] + 0.001 * cell.seed
            fields |= {
                "metrics": {"test": {"entity_f1": score}},
                "reports": {"test": {"without_part": {"entity_f1": (score - 0.01, score + 0.01)}}},
                "data": {"fingerprint": FINGERPRINT},
            }
        else:
            speed = SPEEDS[cell.architecture] + cell.round
            item = Measurement(value=speed, n=2, samples=(speed, speed))
            measured = {"tokens_per_second": item, "peak_memory_bytes": item}
            fields |= {"measurements": {"training": measured, "inference": measured}}
        records.append(make_record(minutes=minutes, cell=cell, **fields))
    trial = dataclasses.replace(
        TRIAL,
        architecture="vanilla",
        architecture_version=registry.architectures.get("vanilla").version,
        options={},
    )
    scores = {"validation": {"entity_f1": 0.5}}
    data = {"fingerprint": FINGERPRINT}
    return [*records, make_record(cell=trial, environment=CLEAN, metrics=scores, data=data)]


@pytest.fixture
def results(tmp_path, store, bench) -> Path:
    """Publish the fake records to a folder of results, with its leaderboard."""
    for record in fake_records():
        store.write(record)
    folder = tmp_path / "results"
    said = bench("publish", "--results", str(folder))
    assert said.returncode == 0, said.stderr
    assert "16 records published in results/published/" + PROCESSOR in said.stdout
    assert "0 refused" in said.stdout
    ranked = bench("leaderboard", "--results", str(folder))
    assert ranked.returncode == 0, ranked.stderr
    return folder


def test_published_records_keep_to_the_layout_and_the_limits(results, bench):
    there = results / "published" / PROCESSOR
    files = sorted(path.relative_to(there) for path in there.rglob("*") if path.is_file())
    finals = [path for path in files if path.suffix == ".json"]
    assert len(finals) == 9
    assert {path.parent for path in finals} == {Path("miniature-1", "ner")}
    assert all((there / path).stat().st_size <= MAX_FINAL_BYTES for path in finals)
    archives = [path for path in files if path.suffix == ".gz"]
    assert {path.parent.name for path in archives} == {"trials", "timing"}
    lines = [line for path in archives for line in read_archive(there / path)]
    assert len(lines) == 7 and len(archives) == 2
    assert all(len(line) <= MAX_ARCHIVED_BYTES for line in lines)
    checked = bench("leaderboard", "--check", "--results", str(results))
    assert checked.returncode == 0, checked.stderr
    again = bench("publish", "--results", str(results))
    assert "16 records already published, 0 refused" in again.stdout
    said = bench("check-submission", str(there), "--results", str(results), "--json")
    assert said.returncode == 0 and len(json.loads(said.stdout)) == 16


def test_a_published_record_is_verified_by_its_run_id(results, bench, tmp_path):
    """The fake score cannot come out again."""
    home = ("--home", str(tmp_path / "other"))
    place = results / "published" / PROCESSOR / "miniature-1" / "ner"
    (path,) = place.glob("hasty-128-seed-0.*.json")
    record = parse_record(path.read_bytes())
    code = code_of("hasty", record.cell.architecture_version, "tensorflow", (str(FAKES),))
    report = ConformanceReport(code=code, checked_at=MOMENT, results=())
    write_report(Store(tmp_path / "other"), report)
    said = bench("verify", record.run_id, "--results", str(results), *home)
    assert said.returncode == 1 and "NOT reproduced: entity_f1" in said.stdout, said
    (new,) = (tmp_path / "other" / "records").glob("*.json")
    again = parse_record(new.read_bytes())
    assert (again.cell, again.ranking) == (record.cell, record.ranking)
    assert again.conformance == report.conformance, "the code was checked before"
    forged = record.ranking.model_copy(update={"benchmark_hash": "0" * 16})
    path.write_text(record.model_copy(update={"ranking": forged}).to_json())
    said = bench("verify", str(path), *home)
    assert said.returncode == 2 and "is frozen with the hash" in said.stderr
    assert len(list((tmp_path / "other" / "records").glob("*.json"))) == 1, "no cell ran again"
