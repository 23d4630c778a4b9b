"""The size of published records, their archives, and the limits of the published tree."""

from __future__ import annotations

import dataclasses
import json
import os

import pytest

from suite.api import Mode
from suite.publish import checks
from suite.publish.checks import check_tree
from suite.publish.publishing import strip
from suite.publish.reduction import CODE_DIGITS, RANKED, TooLargeError, reduced
from suite.records.environment import machine_name
from suite.records.measures import MEASURES as MEASURES_OF_PROBES
from suite.records.measures import phases_of
from suite.records.published import (
    MAX_ARCHIVED_BYTES,
    MAX_FINAL_BYTES,
    read_archive,
    read_published,
    write_archive,
)
from suite.records.schema import Curve, Measurement, RecordError, TuningChoice, parse_record
from suite.records.tuned_rates import KEPT
from tests.builders.publishing import GOOD, publish_here
from tests.builders.records import FINAL, PROBE, TRIAL, make_record
from tests.conftest import ROOT

TIMES = tuple(1 + (index * 37 % 101) / 303 for index in range(100))
PACKAGES = [f"package_{index}" for index in range(9)]
MEASURES = [f"measure_number_{index}_seconds" for index in range(8)]
LONG_CURVE = Curve(tokens=tuple(range(500)), values=tuple(1 / (1 + i) for i in range(500)))
FREE = {**GOOD["data"], "redistributable": True}


def measured():
    item = Measurement(
        value=TIMES[0], n=100, samples=TIMES, quartiles=(1.1, 1.2), method="a clock " * 10
    )
    return {phase: dict.fromkeys(MEASURES, item) for phase in ("training", "inference")}


def full_record(cell, seed=0, **fields):
    """Return a record with everything that takes space."""
    split = "test" if cell.scores_test else "validation"
    given = {
        **GOOD,
        "cell": dataclasses.replace(cell, seed=seed),
        "environment": {
            **GOOD["environment"],
            "packages": {f"package_{i}": "1.2" for i in range(9)},
        },
        "data": GOOD["data"] if cell.task else None,
        "metrics": {split: {"entity_f1": 0.5}},
        "curves": {"training_loss": LONG_CURVE},
        "measurements": measured(),
        "reports": {split: {"by_type": {"PER": {"f1": 0.5}}}},
        "details": {"noisy": ("training",) if cell.task else (), "recipe": {"steps": 9}},
    }
    return make_record(**{**given, **fields})


def test_a_final_run_is_thinned_and_keeps_its_figures():
    record = full_record(FINAL)
    content = reduced(record)
    assert len(content) <= MAX_FINAL_BYTES < len(record.to_json())
    kept = parse_record(content)
    curve, item = kept.curves["training_loss"], kept.measurements["training"][MEASURES[0]]
    assert len(curve.values) == 60 and (curve.tokens[0], curve.tokens[-1]) == (0, 499)
    assert curve.values[-1] == pytest.approx(1 / 500, rel=1e-6)
    assert len(item.samples) <= 20 and item.n == 100
    assert (item.value, item.quartiles) == (TIMES[0], (1.1, 1.2))
    assert min(item.samples) == pytest.approx(min(TIMES), rel=1e-6)
    assert max(item.samples) == pytest.approx(max(TIMES), rel=1e-6)
    assert (kept.metrics, kept.reports, kept.ranking) == (
        record.metrics, record.reports, record.ranking,
    )  # fmt: skip
    assert reduced(kept) == content


def test_a_final_run_that_is_too_large_loses_its_map_first_and_its_examples_next(store, tmp_path):
    def reports(occlusion, examples):
        kept = {"occlusion": {"map": "a" * occlusion}, "examples": ["b" * examples]}
        return {"test": {"by_type": {}, **kept}}

    for sizes, left in [
        ((10, 10), {"by_type", "occlusion", "examples"}),
        ((12_000, 10), {"by_type", "examples"}),
        ((10, 12_000), {"by_type"}),
    ]:
        record = full_record(FINAL, data=FREE, reports=reports(*sizes))
        assert set(parse_record(reduced(record)).reports["test"]) == left
    large = {"validation": {"by_type": "d" * 12_000}, "test": {"by_type": {}}}
    assert set(parse_record(reduced(full_record(FINAL, data=FREE, reports=large))).reports) == {
        "test"
    }
    store.write(full_record(FINAL, data=FREE, reports={"test": {"by_type": {"PER": "c" * 12_000}}}))
    outcome = publish_here(store, into=tmp_path)
    assert not outcome.written
    ((_, reason),) = outcome.refused
    assert "at most 12,288 bytes" in reason and "reports.test 12," in reason


def test_a_training_with_evaluation_lengths_keeps_the_report_of_the_split_that_it_scores():
    cell = dataclasses.replace(TRIAL, evaluation_lengths=(128, 256))
    scores = {"by_evaluation_length": {"256": {"entity_f1": 1 / 3}}}
    record = full_record(cell, data=FREE, reports={"validation": {**scores, "examples": ["a"]}})
    kept = parse_record(reduced(record))
    assert kept.reports["validation"].keys() == {"by_evaluation_length", "examples"}
    assert len(kept.curves["training_loss"].values) == 60
    large = {"validation": {**scores, "examples": ["a" * MAX_FINAL_BYTES]}}
    kept = parse_record(reduced(full_record(cell, data=FREE, reports=large)))
    assert kept.reports["validation"].keys() == {"by_evaluation_length"}


@pytest.mark.parametrize("cell", [TRIAL, PROBE], ids=["trial", "probe"])
def test_a_record_of_an_archive_is_small_and_a_record(cell):
    runs = [{"seed": seed, "status": "ok", "validation": 0.5} for seed in range(9)]
    trials = tuple({"learning_rate": 10.0**-i, "steps": 1, "runs": runs} for i in range(9))
    choice = TuningChoice(learning_rate=0.1, metric="f1", setting={}, trials=trials)
    record = full_record(cell)
    record = record.model_copy(
        update={"ranking": record.ranking.model_copy(update={"tuning": choice})}
    )
    content = reduced(record)
    assert len(content) <= MAX_ARCHIVED_BYTES and b"\n" not in content
    kept = parse_record(content)
    assert (kept.cell, kept.cell_id, kept.metrics) == (record.cell, record.cell_id, record.metrics)
    assert machine_name(kept.environment) == machine_name(record.environment)
    assert kept.environment["commit"] == "abc" and kept.quiet == record.quiet
    assert kept.ranking.tuning.learning_rate == 0.1 and not kept.ranking.tuning.trials
    assert kept.invocation.id == record.invocation.id
    assert (kept.invocation.command, kept.curves, kept.reports) == ("", {}, {})
    if cell is PROBE:
        item = kept.measurements["training"][MEASURES[0]]
        assert (item.value, item.n, item.samples, item.quartiles) == (TIMES[0], 100, (), None)


def test_a_trial_of_an_archive_keeps_its_training_speed_alone():
    speed, other = {"value": 20_000 / 3, "n": 9}, {"value": 1.0, "n": 9}
    measurements = {
        "training": {"tokens_per_second": speed, "step_seconds": other},
        "inference": {"tokens_per_second": other},
    }
    kept = parse_record(reduced(full_record(TRIAL, measurements=measurements, details={})))
    assert kept.cost("training.tokens_per_second") == pytest.approx(20_000 / 3)
    assert [*kept.measurements] == ["training"] and [*kept.measurements["training"]] == [
        "tokens_per_second"
    ]


@pytest.mark.parametrize("mode", [Mode.PROBE, Mode.DECODE])
def test_a_probe_with_every_measure_and_digest_of_a_real_one_fits(mode):
    """The record of a probe on an accelerator has about the longest fields that occur."""
    digest, commit = "d" * 64, "c" * 40
    item = Measurement(value=123456.78901, n=100, samples=TIMES, method="a clock")
    measurements: dict[str, dict] = {}
    for name in MEASURES_OF_PROBES:
        phase, _, measure = name.partition(".")
        if phase in phases_of(mode):
            measurements.setdefault(phase, {})[measure] = item
    code = {"commit": commit, "dirty": False, "task_digest": None}
    code |= {"architecture_digest": digest, "engine_digest": digest}
    environment = {
        "processor": "INTEL(R) XEON(R) PLATINUM 8558 (family 6, model 207)",
        "num_cores": 192,
        "memory_bytes": 137438953472,
        "accelerators": ["NVIDIA H200"],
        "packages": {**dict.fromkeys(("tensorflow", "jax", "keras"), "2.21.0"), "torch": None},
        "commit": commit,
        "dirty": False,
        "cost_digest": digest,
        "code": code,
        "devices": ["GPU: NVIDIA H200"],
    }
    cell = dataclasses.replace(
        PROBE, mode=mode, options={"window": 128, "num_landmarks": 64}, benchmark="accelerator-1",
        precision="mixed_bfloat16", sequence_length=131_072,
    )  # fmt: skip
    noisy = {"noisy": phases_of(mode)}
    record = full_record(
        cell, environment=environment, measurements=measurements, details=noisy, reports={}
    )
    content = reduced(record)
    assert len(content) <= MAX_ARCHIVED_BYTES
    kept = parse_record(content)
    assert kept.environment["cost_digest"] == digest
    assert kept.environment["code"] == dict.fromkeys(
        ("architecture_digest", "engine_digest"), "d" * CODE_DIGITS
    )
    for phase, items in measurements.items():
        assert set(kept.measurements[phase]) == set(items) & set(RANKED)


def test_a_probe_that_is_too_large_keeps_what_is_ranked():
    item = Measurement(value=1.0, n=1)
    names = (*RANKED, *(f"measure_number_{index}_seconds" for index in range(60)))
    record = full_record(PROBE, measurements={"training": dict.fromkeys(names, item)})
    content = reduced(record)
    assert len(content) <= MAX_ARCHIVED_BYTES
    assert set(parse_record(content).measurements["training"]) == set(RANKED)


def test_a_trial_that_is_too_large_keeps_its_primary_metric():
    scores = {"entity_f1": 0.5, **{f"metric_{index}": index / 7 for index in range(60)}}
    record = full_record(TRIAL, metrics={"validation": scores})
    content = reduced(record)
    assert len(content) <= MAX_ARCHIVED_BYTES
    assert parse_record(content).metrics == {"validation": {"entity_f1": 0.5}}
    with pytest.raises(TooLargeError, match=r"at most 2,064 bytes.*cell\.options"):
        reduced(full_record(dataclasses.replace(TRIAL, options={"a": "x" * 2_000})))


def test_an_archive_grows_in_order_and_stays_the_same_when_nothing_is_new(store, tmp_path):
    for seed in (1, 0):
        store.write(full_record(TRIAL, seed, minutes=seed))
    (path, again) = publish_here(store, into=tmp_path).written
    version = TRIAL.task_version
    name = f"ner-v{version}-synthetic-128-tiny.jsonl.gz"
    assert path == again == tmp_path / "abacus-r-9-2-cores" / "trials" / name
    before = path.read_bytes()
    os.utime(path, (1, 1))
    assert publish_here(store, into=tmp_path).already_published == 2
    assert path.stat().st_mtime == 1
    path.unlink()
    publish_here(store, into=tmp_path)
    assert path.read_bytes() == before, "equal records give equal bytes"
    store.write(full_record(TRIAL, 2, minutes=-5))
    assert publish_here(store, into=tmp_path, dry_run=True).written == [path]
    assert path.read_bytes() == before
    outcome = publish_here(store, into=tmp_path)
    assert (outcome.written, outcome.already_published) == ([path], 2)
    run_ids = [parse_record(line).run_id for line in read_archive(path)]
    assert len(run_ids) == 3 and run_ids == sorted(run_ids)


def test_the_check_of_the_leaderboard_holds_the_limits_of_the_tree(
    store, tmp_path, bench, monkeypatch
):
    results = tmp_path / "results"
    store.write(full_record(FINAL))
    (path,) = publish_here(store, into=results / "published").written
    check = ("leaderboard", "--results", str(results))
    assert bench(*check).returncode == 0 and bench(*check, "--check").returncode == 0
    fitting = path.read_text()
    path.write_text(fitting + " " * MAX_FINAL_BYTES)
    said = bench(*check, "--check")
    assert said.returncode == 2 and "at most 12,288 bytes" in said.stderr
    assert f"results/{path.relative_to(results)}, run" in said.stderr
    assert f"{len(fitting) + MAX_FINAL_BYTES:,} bytes" in said.stderr
    assert "publish it again with `bench publish`" in said.stderr
    path.write_text(fitting)
    elsewhere = path.with_name("elsewhere.json")
    path.rename(elsewhere)
    said = bench(*check, "--check")
    assert said.returncode == 2 and f"miniature-1/ner/{path.name}" in said.stderr
    elsewhere.rename(path)
    stray = path.with_name("notes.txt")
    stray.write_text("no record")
    said = bench(*check, "--check")
    assert said.returncode == 2 and "miniature-1/ner/notes.txt" in said.stderr
    stray.unlink()
    monkeypatch.setattr(checks, "MAX_TREE_BYTES", len(fitting) - 1)
    said = bench(*check, "--check")
    assert said.returncode == 2 and "All committed records together" in said.stderr
    assert f"{len(fitting):,} of them in results/{path.relative_to(results)}" in said.stderr
    assert "Remove records of earlier protocols" in said.stderr


def test_a_record_of_an_archive_above_the_limit_is_named_with_its_size(store, tmp_path, bench):
    results = tmp_path / "results"
    store.write(full_record(PROBE))
    (path,) = publish_here(store, into=results / "published").written
    check_tree(results)
    (line,) = read_archive(path)
    record = parse_record(line)
    large = record.model_copy(update={"reason": "x" * MAX_ARCHIVED_BYTES}).model_dump_json()
    write_archive(path, {record.run_id: large.encode()})
    said = bench("leaderboard", "--results", str(results), "--check")
    assert said.returncode == 2 and "at most 2,048 bytes" in said.stderr
    assert f"{path.name}, run {record.run_id}: it has {len(large):,} bytes" in said.stderr


def test_what_is_no_archive_is_named(tmp_path):
    path = tmp_path / "published" / "here" / "trials" / "x.jsonl.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no gzip")
    with pytest.raises(RecordError, match=r"published/here/trials/x\.jsonl\.gz.*gzip"):
        read_published(tmp_path)


def test_every_committed_choice_of_a_rate_fits_into_a_final_run():
    """A real final run with the evidence of its learning rate stays below the limit."""
    frozen = ROOT / "tests" / "suite" / "records" / "frozen" / "schema-3-train.json"
    record = parse_record(frozen.read_bytes())
    choices = sorted((ROOT / "results" / "tuning").glob("*/*/*.json"))
    assert choices
    for path in choices:
        content = json.loads(path.read_text())
        choice = TuningChoice(**{name: content[name] for name in KEPT})
        ranking = record.ranking.model_copy(update={"tuning": choice})
        tuned = record.model_copy(update={"ranking": ranking})
        kept = parse_record(reduced(strip(tuned)))
        assert kept.ranking.tuning == choice and kept.measured("training", "step_seconds")
