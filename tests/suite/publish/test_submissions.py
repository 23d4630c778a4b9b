"""Submissions: each hostile file is refused with one line; implausible scores are flagged."""

from __future__ import annotations

import gzip
import json
import math
from dataclasses import replace
from datetime import timedelta

import pytest

from suite.api import AppliedMethod, Status
from suite.matrix.registry import load_registry
from suite.publish.checklist import Item
from suite.publish.publishing import unpublishable_reason
from suite.publish.reduction import reduced
from suite.publish.submissions import check_submission
from suite.records.archives import MAX_ARCHIVE_BYTES, write_archive
from suite.records.published import MAX_FINAL_BYTES, StoredRecord, committed_path
from suite.records.schema import Curve, Measurement, utc_now
from tests.conftest import FAKES
from tests.suite.records.test_store import FINAL, FINGERPRINT, PROBE, TRIAL, make_record

REGISTRY = load_registry((str(FAKES),))


def report_of_parts(*parts):
    return {"test": {"without_part": {"entity_f1": parts}}}


def good(seed=0, f1=0.5, curve=(0.2, 0.4, 0.5), of=FINAL, **fields):
    version = REGISTRY.architectures.get("vanilla").version
    cell = replace(of, architecture="vanilla", architecture_version=version, options={}, seed=seed)
    given = {
        "metrics": {"test": {"entity_f1": f1}},
        "reports": report_of_parts(f1 - 0.1, f1, None, f1 + 0.001),
        "data": {"fingerprint": FINGERPRINT},
        "environment": {"processor": "abacus", "num_cores": 2, "commit": "c" * 40, "dirty": False},
        "worker_seconds": 8.0,
        "curves": {"validation_entity_f1": Curve(tokens=(1, 2, 3), values=curve)},
    }
    return make_record(Status.OK, seed, cell, **{**given, **fields})


def write(folder, record, name=None, **changes):
    content = {**json.loads(record.to_json()), **changes}
    path = folder / (name or committed_path(record))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, separators=(",", ":")))
    return path


def judge(path, entries=()):
    return check_submission(path, entries, REGISTRY)


def archive(folder, *records, place=None):
    """Write records, or lines that are none, to the archive of the first record."""
    path = folder / (place or committed_path(records[0]))
    lines = [one if isinstance(one, bytes) else reduced(one) for one in records]
    write_archive(path, {f"{number:02}": line for number, line in enumerate(lines)})
    return path


def trial(seed=0, **fields):
    given = {"metrics": {"validation": {"entity_f1": 0.5}}, "reports": {}}
    return good(seed, of=TRIAL, **{**given, **fields})


def test_records_as_published_are_accepted(tmp_path):
    write(tmp_path, good(0))
    path = write(tmp_path, good(1))
    archive(tmp_path, trial(0), trial(1))
    assert [verdict.refused for verdict in judge(tmp_path)] == [""] * 4
    assert [verdict.refused for verdict in judge(path)] == [""]


def test_lists_are_values_of_options_and_their_items_are_checked(tmp_path):
    cell = replace(FINAL, options={"window": [64]})
    record = good(of=TRIAL)
    for value, reason in (([64], ""), (["<b>"], "'<b>' is not a valid name")):
        changed = replace(cell, benchmark=None, scores_test=True, options={"window": value})
        made = make_record(cell=changed, **{name: getattr(record, name) for name in (
            "metrics", "data", "environment", "worker_seconds", "curves")})  # fmt: skip
        path = archive(tmp_path, made)
        assert [verdict.refused for verdict in judge(path)] == [reason]


def test_hostile_archives_are_refused_with_the_line(tmp_path):
    large = trial(1, reason="x" * 2_048).model_dump_json().encode()
    archive(tmp_path, trial(0), large, b"[" * 90, trial(2, environment={"commit": None}))
    archive(tmp_path, trial(3), place="trials/elsewhere.jsonl.gz")
    (tmp_path / "timing").mkdir()
    (tmp_path / "timing" / "x.jsonl.gz").write_bytes(b"not gzip")
    bomb = gzip.compress(b" " * (MAX_ARCHIVE_BYTES + 1))
    (tmp_path / "timing" / "y.jsonl.gz").write_bytes(bomb)
    (tmp_path / "timing" / "z.jsonl.gz").write_bytes(gzip.compress(b""))
    told = {verdict.name: verdict.refused for verdict in judge(tmp_path)}
    name = str(committed_path(trial()))
    assert told[f"{name}, line 1"] == ""
    assert "larger than 2,048 bytes" in told[f"{name}, line 2"]
    assert "nests deeper" in told[f"{name}, line 3"]
    assert "commit" in told[f"{name}, line 4"]
    assert "belongs in" in told["trials/elsewhere.jsonl.gz, line 1"]
    assert "gzip" in told["timing/x.jsonl.gz"] and "64 MiB" in told["timing/y.jsonl.gz"]
    assert "empty" in told["timing/z.jsonl.gz"]
    assert not any("\n" in refused for refused in told.values())


def test_a_trial_that_read_the_test_split_is_refused(tmp_path):
    scores = {"validation": {"entity_f1": 0.5}, "test": {"entity_f1": 0.5}}
    archive(tmp_path, trial(metrics=scores))
    (verdict,) = judge(tmp_path)
    assert "which only final runs and --test may read" in verdict.refused


def nested(depth):
    return json.loads("[" * depth + "]" * depth)


def measured(value, samples=()):
    item = Measurement(value=value, n=2, samples=samples, quartiles=None, method="")
    # JSON of pydantic has no infinity; that of Python, which `write` uses, has.
    return {"training": {"tokens_per_second": item.model_dump()}}


def ranking(benchmark_hash):
    facts = good().ranking.model_copy(update={"benchmark_hash": benchmark_hash})
    return json.loads(facts.model_dump_json())


LATER = (utc_now() + timedelta(days=9)).isoformat()
HOSTILE = {
    "another schema": ({"schema_version": 9}, "schema 9"),
    "another protocol": ({"protocol": 1}, "protocol 1"),
    "unknown field": ({"surprise": 1}, "surprise"),
    "wrong type": ({"cell": 3}, "cell"),
    "edited cell": ({"cell_id": "0" * 16}, "hash of its cell"),
    "path in the run's id": ({"run_id": "../../evil"}, "belongs in"),
    "deep": ({"details": {"x": nested(60)}}, "nests deeper"),
    "host name": ({"environment": {"commit": "c", "dirty": False, "host_name": "h"}}, "machine"),
    "log": ({"log_tail": "secret"}, "log"),
    "path": ({"details": {"where": "see /home/ann/data"}}, "path of a user"),
    "control characters": ({"reason": "\x1b[2J"}, "control characters"),
    "script in a metric": ({"metrics": {"test": {"<script>": 1.0}}}, "is not a valid name"),
    "dirty": ({"environment": {"commit": "c", "dirty": True}}, "uncommitted changes"),
    "impossible": ({"metrics": {"test": {"entity_f1": 1.5}}}, "cannot be 1.5"),
    "not scored": ({"metrics": {}}, "no score on the test split"),
    "from the future": ({"ended_at": LATER}, "future"),
    "too much work": ({"worker_seconds": 1e6}, "its worker took"),
    "an error and ok": ({"error": {"type": "E", "message": "m"}}, "contradicts"),
    "beside its samples": (
        {"measurements": measured(9.0, (1.0, 2.0))},
        "outside the range of its samples",
    ),
    "a cost below 0": ({"measurements": measured(-3.0)}, "cannot be -3"),
    "an endless cost": ({"measurements": measured(math.inf)}, "cannot be inf"),
    "a cost that is none": ({"measurements": measured(math.nan)}, "cannot be nan"),
    "an absurd cost": ({"measurements": measured(1e300)}, "cannot be 1e+300"),
    "a time of no zone": ({"started_at": "2026-01-01T00:00:00"}, "timezone"),
    "parts that are text": (
        {"reports": {"test": {"without_part": {"entity_f1": ["high"]}}}},
        "without_part",
    ),
    "a part of its own": (
        {"reports": {"test": {"without_part": {"entity_f1": [2.0]}}}},
        "cannot be 2",
    ),
    "no parts": ({"reports": {}}, "lacks scores without parts"),
    "one part": (
        {"reports": {"test": {"without_part": {"entity_f1": [0.5]}}}},
        "lacks scores without parts",
    ),
    "a report that is none": ({"reports": {"test": -1}}, "reports"),
    "larger than all": ({"metrics": {"test": {"entity_f1": 0.5, "loss": 1e300}}}, "1e+300"),
    "noise that is none": ({"details": {"noisy": True}}, "noisy"),
    "no fingerprint": ({"data": {}}, "no fingerprint"),
    "another benchmark": ({"ranking": ranking("0" * 16)}, "is frozen with the hash"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_each_hostile_record_is_refused_with_one_line(tmp_path, case):
    changes, said = HOSTILE[case]
    record = good()
    write(tmp_path, record, **changes)
    (verdict,) = judge(tmp_path)
    assert said in verdict.refused and "\n" not in verdict.refused


@pytest.mark.parametrize("kind", ["task", "architecture"])
def test_a_version_newer_than_here_is_refused(tmp_path, kind):
    """It would supersede all records of the present version."""
    present = good()
    fields = {name: getattr(present, name) for name in ("data", "environment", "metrics")}
    cell = replace(present.cell, **{f"{kind}_version": 99})
    write(tmp_path, make_record(Status.OK, 0, cell, reports=present.reports, **fields))
    (verdict,) = judge(tmp_path)
    assert verdict.refusal.item is Item.PROTOCOL
    assert f"has version 99, but {getattr(present.cell, f'{kind}_version')} here" in verdict.refused


def test_a_method_newer_than_here_is_refused():
    cell = replace(good().cell, methods=(AppliedMethod("int8", 99),))
    refusal = unpublishable_reason(good(of=cell), load_registry())
    assert refusal.item is Item.PROTOCOL
    assert "the method int8 has version 99, but" in refusal.reason


@pytest.mark.parametrize(("step_seconds", "said"), [(2.048, ""), (0.2048, "2048 tokens a step")])
def test_the_speeds_of_a_probe_must_agree(tmp_path, step_seconds, said):
    speeds = {"tokens_per_second": 1000.0, "step_seconds": step_seconds}
    items = {
        name: Measurement(value=value, n=2, samples=(), quartiles=None, method="")
        for name, value in speeds.items()
    }
    version = good().cell.architecture_version
    record = make_record(
        cell=replace(PROBE, architecture="vanilla", architecture_version=version),
        measurements={"training": items},
        environment=dict(good().environment),
    )
    archive(tmp_path, record)
    (verdict,) = judge(tmp_path)
    assert said in verdict.refused and bool(said) == bool(verdict.refused)


def test_files_that_cannot_be_records_are_refused_unread(tmp_path):
    name = committed_path(good()).name
    folder = tmp_path / "miniature-1" / "ner"
    folder.mkdir(parents=True)
    (tmp_path / "notes.txt").write_text("x")
    (folder / "deeper").mkdir()
    (folder / f"a{name}").symlink_to("/etc/passwd")
    (folder / f"b{name}").write_bytes(b" " * (MAX_FINAL_BYTES + 1))
    (folder / f"c{name}").write_bytes(b"\xff\x00{")
    refused = [verdict.refused for verdict in judge(tmp_path)]
    assert len(refused) == 5 and all(refused)
    assert judge(tmp_path / "nothing")[0].refused
    told = " ".join(refused)
    assert "as `bench publish` writes it" in told and "plain file" in told and "12 KiB" in told


def test_duplicates_are_refused(tmp_path):
    one, again = good(), good()
    path = write(tmp_path, one)
    write(tmp_path, again)
    assert sum(bool(verdict.refused) for verdict in judge(tmp_path)) == 1
    known = [StoredRecord(one, "here", path)]
    first = next(v for v in judge(tmp_path, known) if v.name.endswith(f"{one.run_id}.json"))
    assert "results/ has this run already" in first.refused


@pytest.fixture(scope="module")
def references(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    records = [good(seed, f1) for seed, f1 in enumerate([0.48, 0.5, 0.52, 0.5])]
    return [StoredRecord(record, "here", write(folder, record)) for record in records]


@pytest.mark.parametrize(
    ("record", "flagged"),
    [
        (good(2, 0.53), None),
        (good(2, 0.99), "standard deviations of a seed beyond the best reference of vanilla, 0.52"),
        (good(2, 0.53, curve=(0.52, 0.53, 0.53)), "better than every reference at its end"),
        (good(2, 0.53, curves={}), "no validation curve"),
        (
            good(2, 0.5, reports=report_of_parts(0.6, 0.7, 0.8, 0.9)),
            "outside the range of its parts",
        ),
        (good(2, 0.5, reports=report_of_parts(0.4, 0.6)), "2 parts, that of the references 4"),
        (good(2, 0.5, details={"earlier_runs": {"ok": 2}}), "2 earlier runs of the cell"),
    ],
)
def test_implausibly_good_records_are_flagged(tmp_path, references, record, flagged):
    write(tmp_path, record)
    (verdict,) = judge(tmp_path, references)
    assert not verdict.refused
    assert (flagged is None and not verdict.flags) or flagged in " ".join(verdict.flags)


def test_the_exit_code_follows_the_verdict(tmp_path, bench):
    folder, empty = tmp_path / "them", tmp_path / "results"
    folder.mkdir()
    path = write(folder, good())
    accepted = bench("check-submission", str(folder), "--results", str(empty))
    assert accepted.returncode == 0 and "accepted" in accepted.stdout
    *passed, last = accepted.stdout.split("Checklist\n")[1].splitlines()
    assert passed == [f"- [x] {item}" for item in Item if item is not Item.PLAUSIBLE]
    assert last == f"- [ ] {Item.PLAUSIBLE} (1 flagged)", "there are no references"
    path.write_text("{}")
    refused = bench("check-submission", str(folder), "--results", str(empty), "--json")
    (verdict,) = json.loads(refused.stdout)
    assert refused.returncode == 1 and verdict["refused"] and verdict["item"] == "schema"
