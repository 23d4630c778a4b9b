"""A home: writing, reading, locking, sweeping and pruning of records."""

from __future__ import annotations

import dataclasses
import json
import resource
from contextlib import contextmanager

import pytest

from suite.actions import doctor
from suite.actions.doctor import Check
from suite.actions.pruning import prunable
from suite.api import PROTOCOL, Mode, Status
from suite.api.errors import HomeError
from suite.records.schema import (
    RecordError,
    parse_record,
    parse_summary,
)
from suite.records.store import Store
from tests.builders.records import CELL, make_record


def test_a_record_is_read_as_it_was_written(store):
    metrics = {"test": {"entity_f1": 0.5, "nothing": None}}
    record = make_record(metrics=metrics, parameter_count=7)
    path = store.write(record)
    assert parse_record(path.read_bytes()) == record
    assert json.loads(path.read_text())["cell"]["options"] == {"window": [64]}


def test_a_summary_holds_the_fields_that_comparing_needs_and_no_samples(store):
    measurement = {"value": 2.0, "n": 2, "samples": (1.0, 3.0), "quartiles": None, "method": "m"}
    report = {"without_part": {"entity_f1": (0.4, None)}, "examples": ["wordy"]}
    record = make_record(
        metrics={"test": {"entity_f1": 0.5}},
        measurements={"training": {"step_seconds": measurement}},
        reports={"test": report},
        details={"noisy": ("training",), "lost": ("with its machine",)},
        data={"fingerprint": "f"},
        log_tail="word by word",
    )
    store.write(record)
    (summary,) = store.summaries()
    assert summary.metric("entity_f1") == 0.5 and summary.measured("training", "step_seconds") == 2
    assert summary.reports == {"test": {"without_part": report["without_part"]}}
    same = set(type(summary).model_fields) - {"reports", "measurements"}
    assert all(getattr(summary, name) == getattr(record, name) for name in same)
    kept = summary.model_dump_json()
    assert not any(word in kept for word in ("samples", "wordy", "word by word"))


def test_nan_is_written_as_null(store):
    path = store.write(make_record(metrics={"test": {"entity_f1": float("nan")}}))
    assert json.loads(path.read_text())["metrics"]["test"]["entity_f1"] is None


def test_the_latest_run_stands_and_an_interrupted_run_only_without_another(store):
    store.write(make_record(Status.FAILED, 0))
    store.write(make_record(Status.OK, 1))
    store.write(make_record(Status.INTERRUPTED, 2))
    assert [record.status for record in store.current()] == [Status.OK]
    other = dataclasses.replace(CELL, seed=1)
    store.write(make_record(Status.INTERRUPTED, 3, other))
    assert {record.cell_id: record.status for record in store.current()} == {
        CELL.id: Status.OK,
        other.id: Status.INTERRUPTED,
    }
    assert len(store.all()) == 4


@pytest.mark.parametrize(("mode", "stand"), [(Mode.PROBE, 2), (Mode.TRAIN, 1)])
def test_one_probe_stands_for_each_machine_and_one_training_for_all(store, mode, stand):
    cell = dataclasses.replace(CELL, mode=mode)
    for minutes, processor in enumerate(["old", "slow", "old"]):
        store.write(make_record(Status.OK, minutes, cell, environment={"processor": processor}))
    latest = store.all()[-stand:]
    for found in (store.current(), store.summaries()):
        assert {record.run_id for record in found} == {record.run_id for record in latest}
    assert len(prunable(store, superseded=True)) == 3 - stand


def read_everything(store) -> list[list[str]]:
    """Return the names of the files that each way of reading warns of."""
    reported = []
    for read in (Store.current, Store.summaries, Store.all, prunable):
        names: list[str] = []
        read(
            Store(
                store.home,
                lambda text, names=names: names.append(text.split()[0].rpartition("/")[2]),
            )
        )
        reported.append(names)
    return reported


def test_reading_reports_an_unreadable_file_and_leaves_it_where_it_is(store):
    path = store.write(make_record())
    whole = store.write(make_record(Status.FAILED, 1))
    path.write_bytes(path.read_bytes()[:200])
    folder = store.records / "0123456789abcdef.x.json"
    folder.mkdir()
    before = {each: each.read_bytes() for each in (path, whole)}
    assert read_everything(store) == [[folder.name, path.name]] * 4
    assert {each: each.read_bytes() for each in (path, whole)} == before
    assert sorted(store.records.iterdir()) == sorted((path, whole, folder))
    (of_folder, of_path) = store.unreadable()
    assert of_folder == (folder, "Is a directory.")
    assert of_path[0] == path and "A record is a JSON object" in of_path[1]


@pytest.mark.parametrize("cell_id", ["../../victim/x", "/victim/x", "0" * 16, CELL.id])
def test_a_record_of_another_name_is_reported_and_deletes_no_other_file(bench, store, cell_id):
    """A record of an old protocol may state any cell."""
    old = make_record().model_copy(update={"protocol": PROTOCOL - 1, "cell_id": cell_id})
    (victim := store.home.parent / "victim").mkdir()
    files = [victim / f"x.{old.run_id}.json", store.records / f"{CELL.id}.copy.json"]
    for path in files:
        path.write_text(old.to_json())
    good = store.write(make_record(Status.OK, 1))
    result = bench("prune", "--old-protocols")
    assert (result.returncode, result.stdout[:9]) == (0, "0 records"), result
    assert f"Received: the record of cell {cell_id}, run {old.run_id}" in result.stderr
    assert all(path.exists() for path in [*files, good])


def test_a_warning_about_a_file_with_a_line_break_in_its_name_is_one_line(bench, store):
    store.write(make_record())
    (store.records / "0123456789abcdef.\n\u202e.json").write_text("{}")
    result = bench("report", "--json")
    assert result.returncode == 0 and len(result.stderr.splitlines()) == 1
    assert "\u202e" not in result.stderr


def test_a_file_that_is_set_aside_does_not_replace_an_earlier_one(store):
    path = store.write(make_record())
    for content in (b"first", b"second", b"third"):
        path.write_bytes(content)
        store.set_aside(path)
    kept = sorted(each.read_bytes() for each in (store.home / "set_aside").iterdir())
    assert kept == [b"first", b"second", b"third"]
    assert not path.exists()


def test_commands_warn_once_about_an_unreadable_file(bench, store):
    store.write(make_record())
    path = store.records / "0123456789abcdef.x.json"
    path.write_text("{}")
    for command in (
        ("report",),
        ("prune", "--superseded", "--dry-run"),
        ("publish", "--dry-run"),
        ("dashboard",),
    ):
        result = bench(*command)
        assert result.returncode == 0, result.stderr
        warnings = [line for line in result.stderr.splitlines() if str(path) in line]
        assert len(warnings) == 1 and "was left alone" in warnings[0], command
    assert path.read_text() == "{}"


def test_doctor_lists_unreadable_files_and_sets_them_aside_on_request(bench, store, monkeypatch):
    """The checks that import a framework run in `tests/suite/cli/test_cli.py`."""
    monkeypatch.setattr(doctor, "_in_process", lambda name, *given: Check(name, True, ""))
    record = store.write(make_record())
    path = store.records / "0123456789abcdef.x.json"
    path.write_text("{}")

    def records_checks(set_aside=False):
        checks = doctor.examine(home=store.home, set_aside=set_aside)
        return [check for check in checks if check.name == "records"]

    (listed,) = records_checks()
    assert not listed.ok and str(path) in listed.found and "--set-aside" in listed.remedy
    assert "A record is a JSON object" in listed.found and path.exists()
    checks = json.loads(bench("doctor", "--json", "--set-aside").stdout)
    (moved,) = [check for check in checks if check["name"] == "records"]
    assert moved["ok"] and not path.exists()
    assert (store.home / "set_aside" / path.name).read_text() == "{}"
    (whole,) = records_checks()
    assert whole.ok and whole.found == "1 readable record" and record.exists()
    newer = store.records / "0123456789abcdef.y.json"
    newer.write_text('{"schema_version": 99}')
    (left,) = records_checks(set_aside=True)
    assert not left.ok and newer.exists()  # a newer version may have written it


TUNED = {"learning_rate": 1e-3, "metric": "f1", "setting": {}}
TRIED = {"learning_rate": 1e-3, "steps": 1, "validation": None, "runs": []}


def test_trials_without_a_score_are_read():
    ranking = {"entry": "x", "tuning": {**TUNED, "trials": [TRIED]}}
    content = {**json.loads(make_record().to_json()), "ranking": ranking}
    assert parse_record(json.dumps(content)).ranking.tuning.trials[0]["steps"] == 1


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": 99},
        {"cell_id": "0" * 16},
        {"status": "fine"},
        {"unknown": 1},
        {"started_at": "yesterday"},
        {"cell": {}},
        {"run_id": "a" * 101},
        {"cell": {**json.loads(make_record().to_json())["cell"], "sequence_length": 10**400}},
        {"parameter_count": 10**400},
        {"environment": {"packages": 3}},
        {"environment": {"code": {"task_digest": True}}},
        {"environment": {"accelerators": True}},
        {"environment": {"processor": ["a"]}},
        {"environment": {"cost_digest": 3.5}},
        {"data": {"examples": 1e308}},
        {"data": {"redistributable": ["no"]}},
        {"details": {"weights": "all"}},
        {"details": {"parent": {"cell_id": 3}}},
        {"reports": {"test": {"by_evaluation_length": {"64": {"f1": 10**400}}}}},
        *(
            {"ranking": {"entry": "x", "tuning": {**TUNED, "trials": [trial]}}}
            for trial in (True, {}, {**TRIED, "runs": [True]}, {**TRIED, "learning_rate": "x"})
        ),
    ],
)
def test_a_malformed_record_is_refused(change):
    fields = json.loads(make_record().to_json())
    with pytest.raises(RecordError):
        parse_record(json.dumps({**fields, **change}))
    if "unknown" not in change:
        with pytest.raises(RecordError):
            parse_summary(json.dumps({**fields, **change}))


def test_a_lease_is_held_once_until_closed(store):
    lease = store.acquire("a")
    assert lease is not None
    assert store.acquire("a") is None
    assert store.acquire("b") is not None
    lease.close()
    assert store.acquire("a") is not None


def test_the_sweep_removes_scratch_folders_without_a_running_worker(store):
    dead, living = store.new_scratch("dead"), store.new_scratch("living")
    (dead / "cell_id").write_text("d")
    (living / "cell_id").write_text("l")
    lease = store.acquire("l")
    store.prepare()
    assert living.exists() and not dead.exists()
    assert lease


@contextmanager
def small_files():
    """Limit the size of files, so that a larger write fails as on a full disk.

    The limit ends before pytest reports: its own output may go to a larger file.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_failed_write_is_one_clear_error_and_leaves_no_file(store):
    record = make_record()
    with pytest.raises(HomeError, match="could not be written"), small_files():
        store.write(record)
    assert list(store.records.iterdir()) == []


def test_prunable_records_meet_every_condition(store):
    old = make_record(Status.FAILED, 0, dataclasses.replace(CELL, seed=1))
    superseded = make_record(Status.FAILED, 1)
    valid = make_record(Status.OK, 2)
    former = make_record(Status.OK, 3, dataclasses.replace(CELL, seed=2)).model_copy(
        update={"protocol": PROTOCOL - 1}
    )
    for record in (old, superseded, valid, former):
        store.write(record)

    def pruned(**conditions):
        return [record.run_id for record in prunable(store, **conditions)]

    assert pruned(statuses=[Status.FAILED]) == [old.run_id, superseded.run_id]
    assert pruned(superseded=True) == [superseded.run_id]
    assert pruned(old_protocols=True) == [former.run_id]
    assert pruned(before=valid.ended_at) == [old.run_id, superseded.run_id]
    assert pruned(before=valid.ended_at, superseded=True) == [superseded.run_id]
    assert pruned(before=old.ended_at) == []


def test_prune_keeps_a_good_record_before_one_that_is_not(bench, store):
    unsupported = dataclasses.replace(CELL, seed=1)
    good = [make_record(), make_record(cell=unsupported)]
    later = [make_record(Status.FAILED, 1), make_record(Status.UNSUPPORTED, 1, unsupported)]
    paths = [store.write(record) for record in (*good, *later)]
    result = bench("prune", "--superseded")
    assert result.returncode == 0, result.stderr
    assert [path.exists() for path in paths] == [True, True, False, True]
    again = [make_record(minutes=2), make_record(minutes=2, cell=unsupported)]
    paths += [store.write(record) for record in again]
    bench("prune", "--superseded")
    assert [path.exists() for path in paths] == [False, False, False, False, True, True]


def test_prune_lists_records_with_dry_run_and_deletes_them_without(bench, store):
    gone, kept = make_record(Status.FAILED, 0), make_record(Status.OK, 1)
    paths = [store.write(record) for record in (gone, kept)]
    checkpoint = store.checkpoint(CELL.id)
    checkpoint.parent.mkdir()
    checkpoint.write_bytes(b"state")
    dry = bench("prune", "--status", "failed", "--older-than", "0", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "1 records and 1 checkpoints would be deleted" in dry.stdout
    assert "ner · longformer (window=[64]) · 128 · seed 0" in dry.stdout
    assert all(path.exists() for path in [*paths, checkpoint])
    assert "deleted" in bench("prune", "--status", "failed", "--older-than", "0").stdout
    assert [path.exists() for path in [*paths, checkpoint]] == [False, True, False]
    refused = bench("prune")
    assert refused.returncode == 2 and "--superseded" in refused.stderr
