"""Valid records: those that count."""

from __future__ import annotations

import dataclasses

import pytest

from suite.api import AppliedMethod, Stage, Status
from suite.matrix.plan import find_valid
from suite.records.published import without_trials
from suite.records.validity import latest_runs, newest_versions, select_valid
from tests.builders.records import CELL, FINAL, PROBE, TRIAL, make_record, stored


def run(minutes, seed, rate):
    options = {"learning_rate": rate} if rate != 1e-3 else {}
    cell = dataclasses.replace(CELL, architecture="vanilla", options=options, seed=seed)
    record = make_record(minutes=minutes, cell=cell)
    facts = record.ranking.model_copy(update={"entry": "vanilla"})
    return record.model_copy(update={"ranking": facts})


def judge(*records):
    newest = newest_versions(records, {})
    return select_valid(records, lambda record: record, newest)


def test_the_seeds_of_an_entry_share_the_learning_rate_of_the_newest_run():
    old, kept, newest = run(0, 0, 1e-3), run(1, 1, 3e-3), run(2, 2, 3e-3)
    found = judge(old, newest, kept)
    assert found.by_repeat == {1: kept, 2: newest}
    assert found.superseded == [(old, "learning rate 0.003")]
    again = run(3, 0, 3e-3)
    assert judge(old, newest, kept, again).by_repeat == {0: again, 1: kept, 2: newest}


def test_a_newer_version_of_a_method_supersedes_the_older_ones():
    def distilled(minutes, seed, version):
        method = AppliedMethod("distillation", version, {}, Stage.TRAIN)
        record = run(minutes, seed, 1e-3)
        cell = dataclasses.replace(record.cell, methods=(method,))
        return record.model_copy(update={"cell": cell})

    old, other, new = distilled(0, 0, 1), distilled(1, 1, 1), distilled(2, 0, 2)
    found = judge(old, new, other)
    assert found.by_repeat == {0: new}
    assert found.superseded == [(one, "distillation version 2") for one in (old, other)]


def test_the_runs_on_each_content_of_own_files_are_kept():
    def on(minutes, digest, source="files"):
        record = run(minutes, 0, 1e-3)
        cell = dataclasses.replace(record.cell, source=source)
        return record.model_copy(update={"cell": cell, "data": {"digest": digest}})

    first, second = on(0, "a"), on(1, "b")
    assert latest_runs([first, second]) == [first, second]
    assert latest_runs([first, second, on(2, "a")])[0].run_id != first.run_id
    for digest, valid in (("a", first), ("b", second), (None, second), ("c", second)):
        found = find_valid([first, second], any_machine=True, digests={"ner": digest})
        assert found == {first.cell_id: valid}
    assert len(latest_runs([on(0, "a", "synthetic"), on(1, "b", "synthetic")])) == 1


def with_lengths(record, lengths, **changes):
    cell = dataclasses.replace(record.cell, evaluation_lengths=lengths)
    return record.model_copy(update={"cell": cell, "data": {"fingerprint": "f"}, **changes})


def test_a_later_run_without_an_evaluation_length_supersedes_none_that_has_it():
    older = with_lengths(run(0, 0, 1e-3), (256, 512))
    fewer, more = (
        with_lengths(run(minutes, 0, 1e-3), lengths)
        for minutes, lengths in ((1, (512, 1_024)), (2, (256, 512, 1_024)))
    )
    assert judge(fewer, older).by_repeat == {0: older}
    assert judge(fewer, older).superseded == [(fewer, f"run {older.run_id}")]
    assert judge(more, fewer, older).by_repeat == {0: more}
    other_data = with_lengths(run(3, 0, 1e-3), (), data={"fingerprint": "g"})
    failed = with_lengths(run(3, 0, 1e-3), (), status=Status.FAILED, data=None)
    for newest, valid in ((other_data, other_data), (failed, more)):
        assert judge(older, more, newest).by_repeat == {0: valid}
        assert latest_runs([newest, older, fewer, more]) == [valid]
    without = with_lengths(run(4, 0, 1e-3), ())
    failed = with_lengths(run(0, 0, 1e-3), (256,), status=Status.FAILED, data=None)
    assert latest_runs([failed, without]) == [without]
    rate = with_lengths(run(5, 0, 3e-3), ())
    assert judge(more, rate).by_repeat == {0: rate}


@pytest.mark.parametrize("status", [Status.FAILED, Status.OUT_OF_MEMORY, Status.SKIPPED])
def test_a_good_run_outlives_a_later_run_that_does_not_end_well(status):
    good = with_lengths(run(0, 0, 1e-3), ())
    failed = with_lengths(run(1, 0, 1e-3), (), status=status, data=None)
    assert latest_runs([failed, good]) == [good]
    assert judge(failed, good).by_repeat == {0: good}
    assert judge(failed, good).superseded == [(failed, f"run {good.run_id}")]
    for other in (
        with_lengths(run(2, 0, 1e-3), (), status=status, data={"fingerprint": "g"}),
        with_lengths(run(2, 0, 3e-3), (), status=status, data=None),
        with_lengths(run(2, 0, 1e-3), (), status=Status.UNSUPPORTED, data=None),
    ):
        assert judge(other, good).by_repeat == {0: other}


def test_a_failed_probe_of_other_code_stands():
    def probe(minutes, status, code):
        environment = {"processor": "abacus", "cost_digest": code}
        return make_record(status, minutes, PROBE, environment=environment)

    good = probe(0, Status.OK, "a")
    for code, stands in (("a", False), (None, False), ("b", True)):
        failed = probe(1, Status.FAILED, code)
        assert latest_runs([good, failed]) == [failed if stands else good]


@pytest.mark.parametrize("status", [Status.FAILED, Status.UNSUPPORTED])
def test_lengths_outlive_a_failure_and_a_good_run_without_them(status):
    good = with_lengths(run(0, 0, 1e-3), (256, 512))
    failed = with_lengths(run(1, 0, 1e-3), (256, 512), status=status, data=None)
    without = with_lengths(run(2, 0, 1e-3), ())
    other = with_lengths(run(3, 0, 1e-3), (128,))
    both = with_lengths(run(4, 0, 1e-3), (128, 256, 512))
    for runs, valid in (
        ([good, failed], failed if status is Status.UNSUPPORTED else good),
        ([good, failed, without], good),
        ([good, failed, without, other], good),
        ([good, failed, without, other, both], both),
    ):
        assert latest_runs(reversed(runs)) == [valid]
        found = judge(*reversed(runs))
        assert found.by_repeat == {0: valid}
        reason = f"run {valid.run_id}"
        assert found.superseded == [(each, reason) for each in runs if each is not valid]


def test_trials_are_left_out_beside_final_runs():
    final, trial = stored(make_record(cell=FINAL)), stored(make_record(cell=TRIAL))
    probe = stored(make_record(cell=PROBE))
    draft = stored(make_record(cell=dataclasses.replace(TRIAL, evaluation_lengths=(128, 256))))
    assert without_trials([trial, draft, probe, final]) == [draft, probe, final]
    assert without_trials([trial, probe]) == [trial, probe]
