"""Standing records: those that count."""

from __future__ import annotations

import dataclasses

from suite.records.published import without_trials
from suite.records.standing import judge_repeats, newest_architectures, newest_rules
from tests.suite.records.test_store import CELL, FINAL, PROBE, TRIAL, make_record, stored


def run(minutes, seed, rate):
    options = {"learning_rate": rate} if rate != 1e-3 else {}
    cell = dataclasses.replace(CELL, architecture="vanilla", options=options, seed=seed)
    record = make_record(minutes=minutes, cell=cell)
    facts = record.ranking.model_copy(update={"entry": "vanilla"})
    return record.model_copy(update={"ranking": facts})


def judge(*records):
    newest = newest_architectures(records, newest_rules(records, {}))
    return judge_repeats(records, lambda record: record, newest)


def test_the_seeds_of_an_entry_share_the_learning_rate_of_the_newest_run():
    old, kept, newest = run(0, 0, 1e-3), run(1, 1, 3e-3), run(2, 2, 3e-3)
    found = judge(old, newest, kept)
    assert found.by_repeat == {1: kept, 2: newest}
    assert found.superseded == [(old, "learning rate 0.003")]
    again = run(3, 0, 3e-3)
    assert judge(old, newest, kept, again).by_repeat == {0: again, 1: kept, 2: newest}


def test_trials_are_left_out_beside_final_runs():
    final, trial = stored(make_record(cell=FINAL)), stored(make_record(cell=TRIAL))
    probe = stored(make_record(cell=PROBE))
    assert without_trials([trial, probe, final]) == [probe, final]
    assert without_trials([trial, probe]) == [trial, probe]
