"""Pruning: which records `bench prune` deletes."""

from __future__ import annotations

import dataclasses

from suite.actions.pruning import prunable
from suite.api import PROTOCOL, Status
from tests.builders.records import CELL, make_record


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
