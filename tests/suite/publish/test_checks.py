"""The checks of published records: each bad record is refused with one line."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from suite.api import AppliedMethod, Status
from suite.api.errors import RequestError
from suite.matrix.registry import load_registry
from suite.publish.checks import check_files, check_tree, find_problem
from suite.publish.reduction import reduced
from suite.records.published import committed_path, write_archive
from suite.records.schema import Measurement, RecordError
from tests.builders.records import FINAL, FINGERPRINT, PROBE, TRIAL, make_record
from tests.conftest import FAKES

REGISTRY = load_registry((str(FAKES),))
CLEAN = {"processor": "abacus", "num_cores": 2, "commit": "c" * 40, "dirty": False}


def good(seed=0, of=FINAL, **fields):
    version = REGISTRY.architectures.get("vanilla").version
    cell = replace(of, architecture="vanilla", architecture_version=version, options={}, seed=seed)
    given = {
        "metrics": {"test": {"entity_f1": 0.5}},
        "reports": {"test": {"without_part": {"entity_f1": (0.4, 0.5, None, 0.501)}}},
        "data": {"fingerprint": FINGERPRINT},
        "environment": CLEAN,
    }
    return make_record(Status.OK, seed, cell, **{**given, **fields})


def trial(seed=0, **fields):
    given = {"metrics": {"validation": {"entity_f1": 0.5}}, "reports": {}}
    return good(seed, of=TRIAL, **{**given, **fields})


def write(results, record, name=None, **changes):
    content = {**json.loads(record.to_json()), **changes}
    path = results / "published" / "abacus" / (name or committed_path(record))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, separators=(",", ":")))
    return path


def archive(results, *lines):
    path = results / "published" / "abacus" / committed_path(trial())
    write_archive(path, {f"{number:02}": line for number, line in enumerate(lines)})
    return path


def reasons(results, *paths):
    return [reason or "" for _, reason in check_files(paths or [results], REGISTRY, results)]


def test_records_as_published_are_accepted(tmp_path):
    write(tmp_path, good(0))
    path = write(tmp_path, good(1))
    archive(tmp_path, reduced(trial(0)), reduced(trial(1)))
    assert reasons(tmp_path) == [""] * 4
    assert reasons(tmp_path, path) == [""]


def test_each_record_of_an_archive_is_checked(tmp_path):
    large = trial(1, reason="x" * 2_048).model_dump_json().encode()
    unknown = reduced(trial(2, environment={"commit": None}))
    archive(tmp_path, reduced(trial(0)), large, unknown)
    accepted, too_large, without_commit = reasons(tmp_path)
    assert accepted == "" and "at most 2,048 bytes" in too_large and "commit" in without_commit


def test_a_record_at_another_place_is_refused(tmp_path):
    write(tmp_path, good(), name="miniature-1/elsewhere.json")
    (reason,) = reasons(tmp_path)
    assert reason.startswith("it belongs in published/abacus/miniature-1/ner/vanilla-128-seed-0.")


def test_a_run_is_published_once(tmp_path):
    write(tmp_path, good(0))
    second = good(1).model_copy(update={"run_id": good(0).run_id})
    first = good(0).model_copy(update={"run_id": second.run_id})
    for record in (first, second):
        write(tmp_path, record)
    assert reasons(tmp_path).count("another published record has the id of its run") == 2
    with pytest.raises(RequestError, match="another record has the id of its run"):
        check_tree(tmp_path)


def test_paths_without_published_files_are_refused(tmp_path):
    write(tmp_path, good())
    with pytest.raises(RequestError, match="files in results/published"):
        check_files([tmp_path / "elsewhere"], REGISTRY, tmp_path)


def number(value):
    item = Measurement(value=value, n=2, samples=(), quartiles=None, method="")
    # JSON of pydantic has no infinity; that of Python, which `write` uses, has.
    return {"training": {"tokens_per_second": item.model_dump()}}


def ranking(benchmark_hash):
    facts = good().ranking.model_copy(update={"benchmark_hash": benchmark_hash})
    return json.loads(facts.model_dump_json())


def parts(*values):
    return {"test": {"without_part": {"entity_f1": values}}}


REFUSED = {
    "another protocol": ({"protocol": 1}, "protocol 1"),
    "failed": ({"status": "failed"}, "status failed"),
    "interrupted": ({"status": "interrupted"}, "status interrupted"),
    "host name": ({"environment": {**CLEAN, "host_name": "h"}}, "machine"),
    "log": ({"log_tail": "secret"}, "log"),
    "path": ({"details": {"where": "see /home/ann/data"}}, "path of a user"),
    "control characters": ({"reason": "\x1b[2J"}, "control characters"),
    "no commit": ({"environment": {**CLEAN, "commit": None}}, "commit of the code is unknown"),
    "dirty": ({"environment": {**CLEAN, "dirty": True}}, "uncommitted changes"),
    "unknown changes": ({"environment": {**CLEAN, "dirty": None}}, "unknown whether"),
    "perhaps dirty": ({"environment": {**CLEAN, "dirty": 0}}, "uncommitted changes"),
    "not scored": ({"metrics": {}}, "no score on the test split"),
    "an endless cost": ({"measurements": number(math.inf)}, "the number inf"),
    "a cost that is none": ({"measurements": number(math.nan)}, "the number nan"),
    "beside its parts": ({"reports": parts(0.6, 0.7)}, "outside the range of its parts"),
    "no fingerprint": ({"data": {}}, "no fingerprint"),
    "another benchmark": ({"ranking": ranking("0" * 16)}, "is frozen with the hash"),
    "unchecked code": ({"conformance": None}, "the conformance kit did not check vanilla"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_each_bad_record_is_refused_with_one_line(tmp_path, case):
    changes, said = REFUSED[case]
    write(tmp_path, good(), **changes)
    (reason,) = reasons(tmp_path)
    assert said in reason and "\n" not in reason


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema_version": 9}, "schema 9"),
        ({"surprise": 1}, "surprise"),
        ({"cell_id": "0" * 16}, "hash of its cell"),
        ({"started_at": "2026-01-01T00:00:00"}, "timezone"),
    ],
)
def test_a_file_that_is_no_record_is_named(tmp_path, changes, said):
    path = write(tmp_path, good(), **changes)
    with pytest.raises(RecordError, match=said) as raised:
        reasons(tmp_path)
    assert path.name in str(raised.value)


def test_a_trial_that_read_the_test_split_or_has_no_score_is_refused():
    scores = {"validation": {"entity_f1": 0.5}, "test": {"entity_f1": 0.5}}
    reason = find_problem(trial(metrics=scores), REGISTRY)
    assert "which only final runs and --test may read" in reason
    assert "no score on the validation split" in find_problem(trial(metrics={}), REGISTRY)


def test_a_noisy_probe_is_refused():
    noisy = make_record(cell=PROBE, environment=CLEAN, details={"noisy": ("training",)})
    assert "other processes used the machine" in find_problem(noisy, REGISTRY)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"task_version": 99}, "the task ner has version 99, but"),
        ({"architecture_version": 99}, "the architecture vanilla has version 99, but"),
        ({"methods": (AppliedMethod("int8", 99),)}, "the method int8 has version 99, but"),
    ],
)
def test_a_version_newer_than_here_is_refused(changes, reason):
    """It would supersede all records of the present version."""
    record = make_record(Status.OK, 0, replace(good().cell, **changes), environment=CLEAN)
    assert reason in find_problem(record, load_registry((str(FAKES),)))


def test_the_exit_code_follows_the_verdict(tmp_path, bench):
    path = write(tmp_path, good())
    asked = ("check-submission", str(path.parent), "--results", str(tmp_path))
    accepted = bench(*asked)
    assert accepted.returncode == 0 and accepted.stdout.endswith(": accepted\n")
    write(tmp_path, good(1), log_tail="secret")
    refused = bench(*asked, "--json")
    verdicts = json.loads(refused.stdout)
    assert refused.returncode == 1
    assert [bool(verdict["refused"]) for verdict in verdicts] == [False, True]
