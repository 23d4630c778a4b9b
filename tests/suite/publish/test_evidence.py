"""The trials behind a tuned learning rate are published as the final run states them."""

from __future__ import annotations

import dataclasses
import shutil

import pytest

from suite.api import RequestError, Status
from suite.matrix.planned_cells import ranking_facts
from suite.publish.checks import check_files, check_finals, check_tree
from suite.publish.publishing import publish
from suite.records.published import read_by_run, read_published, write_archive
from suite.search.tuning_evidence import unpublished_trial
from tests.builders.frozen import tuned
from tests.builders.publishing import CLEAN
from tests.builders.records import FINGERPRINT, TASK, make_record

__all__ = ["tuned"]  # a fixture
DATA = {"fingerprint": FINGERPRINT, "digest": "d"}
MACHINE = "abacus-r-9-2-cores"


@pytest.fixture
def runs(tuned):
    """Return the registry, the final run of a tuned rate, and the runs of its trials."""
    registry, final, choice = tuned
    trials, stated = [], []
    for number, trial in enumerate(choice.trials):
        (run,) = trial["runs"]
        rate = trial["learning_rate"]
        cell = dataclasses.replace(
            final,
            options={} if rate == TASK.recipe.learning_rate else {"learning_rate": rate},
            seed=run["seed"],
            steps=trial["steps"],
            benchmark=None,
            scores_test=False,
        )
        record = make_record(
            minutes=number,
            cell=cell,
            environment=CLEAN,
            data=DATA,
            metrics={"validation": {"entity_f1": run["validation"]}},
        )
        trials.append(record)
        stated.append({**trial, "runs": [{**run, "run_id": record.run_id}]})
    choice = choice.model_copy(update={"trials": tuple(stated)})
    record = make_record(
        minutes=99,
        cell=final,
        environment=CLEAN,
        data=DATA,
        metrics={"test": {"entity_f1": 0.5}},
        reports={"test": {"without_part": {"entity_f1": (0.4, 0.6)}}},
        ranking=ranking_facts(final, TASK, choice, registry.benchmarks.get("miniature")),
    )
    return registry, record, trials


def changed(record, **fields):
    """Return a run with another cell."""
    cell = dataclasses.replace(record.cell, **fields)
    return record.model_copy(update={"cell": cell, "cell_id": cell.id})


def publish_all(store, records, results, registry):
    for record in records:
        store.write(record)
    return publish(store, into=results / "published", registry=registry)


def test_a_final_run_is_published_with_its_trials_or_after_them(runs, store, tmp_path):
    registry, final, trials = runs
    results = tmp_path / "results"
    assert len(publish_all(store, trials, results, registry).written) == len(trials)
    outcome = publish_all(store, [final], results, registry)
    assert len(outcome.written) == 1 and not outcome.refused
    check_tree(results)
    shutil.rmtree(results)
    outcome = publish_all(store, [], results, registry)
    assert len(outcome.written) == len(trials) + 1 and not outcome.refused


def test_a_final_run_without_one_of_its_trials_is_not_published(runs, store, tmp_path):
    registry, final, (first, *others) = runs
    outcome = publish_all(store, [final, *others], tmp_path / "results", registry)
    ((refused, reason),) = outcome.refused
    assert refused.run_id == final.run_id and len(outcome.written) == len(others)
    assert f"run {first.run_id}, is not among the published records" in reason


def test_a_submission_has_the_trials_of_its_rates(runs, store, tmp_path):
    registry, final, trials = runs
    publish_all(store, [final, *trials], tmp_path / "results", registry)
    results = tmp_path / "results"
    folder = results / "published" / MACHINE
    assert [reason for _, reason in check_files([folder], registry, results)] == [None] * 10
    (archive,) = (folder / "trials").glob("*.gz")
    content = archive.read_bytes()
    archive.unlink()
    ((_, reason),) = check_files([folder], registry, results)
    assert "is not among the published records: publish the trials too" in reason
    with pytest.raises(RequestError, match="behind a tuned learning rate are committed too"):
        check_tree(tmp_path / "results")
    archive.write_bytes(content)
    lines = read_by_run(archive)
    (run_id, *_) = lines
    write_archive(archive, {**lines, run_id: lines[run_id].replace(b":0.5}", b":0.55}")})
    ((name, reason),) = [one for one in check_files([folder], registry, results) if one[1]]
    assert final.run_id in name
    assert f"is stated as ok, 0.5; the published run {run_id} is ok, 0.55" in reason


def test_a_committed_final_run_agrees_with_its_benchmark_and_its_parts(runs, store, tmp_path):
    registry, final, trials = runs
    results = tmp_path / "results"
    publish_all(store, [final, *trials], results, registry)
    check_finals(read_published(results), registry)
    (path,) = (results / "published" / MACHINE / "miniature-1").rglob("*.json")
    content = path.read_bytes()
    other_id = changed(final, batch_size=1).cell_id.encode()
    batch = f'"batch_size":{final.cell.batch_size}'.encode()
    for edited, reason in (
        (content.replace(b'"entity_f1":0.5', b'"entity_f1":0.8'), "outside the range of its parts"),
        (content.replace(batch, b'"batch_size":1').replace(final.cell_id.encode(), other_id),
         "batch_size"),
    ):  # fmt: skip
        assert edited != content
        path.write_bytes(edited)
        with pytest.raises(RequestError, match=reason):
            check_finals(read_published(results), registry)


def test_a_published_run_of_a_former_version_is_not_refused(runs, store, tmp_path):
    registry, final, trials = runs
    publish_all(store, [final, *trials], tmp_path / "results", registry)
    benchmarks = registry.benchmarks
    newer = benchmarks.get("miniature").model_copy(update={"version": 2})
    plugins = {**benchmarks.plugins, "miniature": newer}
    registry = dataclasses.replace(
        registry, benchmarks=dataclasses.replace(benchmarks, plugins=plugins)
    )
    outcome = publish_all(store, [], tmp_path / "results", registry)
    assert outcome.already_published == len(trials) + 1 and not outcome.refused
    check_finals(read_published(tmp_path / "results"), registry)


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda run: run.model_copy(update={"run_id": "other"}), "not among the published"),
        (lambda run: changed(run, steps=run.cell.steps + 1), "is not its trial at"),
        (lambda run: changed(run, seed=7), "is not its trial at"),
        (lambda run: changed(run, architecture="bert"), "is not its trial at"),
        (lambda run: changed(run, options={"dropout": 0.2}), "is not its trial at"),
        (lambda run: changed(run, scores_test=True), "is not its trial at"),
        (lambda run: run.model_copy(update={"data": {"fingerprint": "g"}}), "is not its trial at"),
        (lambda run: run.model_copy(update={"status": Status.DIVERGED}), "is diverged, 0.5"),
        (lambda run: run.model_copy(update={"metrics": {}}), "is ok, None"),
    ],
)
def test_each_trial_is_the_run_that_the_evidence_names(runs, edit, reason):
    _, final, (first, *others) = runs
    published = {run.run_id: run for run in [edit(first), *others]}
    assert reason in unpublished_trial(final, published)


def test_trials_may_have_another_name_of_the_data_and_other_threads(runs):
    _, final, (first, *others) = runs
    published = {run.run_id: run for run in [changed(first, source="files", threads=9), *others]}
    assert unpublished_trial(final, published) is None
    untuned = final.model_copy(
        update={"ranking": final.ranking.model_copy(update={"tuning": None})}
    )
    assert unpublished_trial(untuned, {}) is None


def test_evaluation_lengths_make_no_other_trial(runs):
    _, final, trials = runs
    published = {run.run_id: run for run in trials}
    assert unpublished_trial(changed(final, evaluation_lengths=(512,)), published) is None
    others = {run.run_id: changed(run, evaluation_lengths=(512,)) for run in trials}
    assert unpublished_trial(final, others) is None
