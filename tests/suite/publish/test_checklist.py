"""The checklist of a submission: each item refuses records, and the template lists the items."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from suite.publish.checklist import Item
from suite.publish.submissions import check_submission, summarize
from suite.records.published import StoredRecord
from suite.records.schema import TuningChoice
from tests.conftest import ROOT
from tests.suite.publish.test_submissions import REGISTRY, archive, good, ranking, write
from tests.suite.records.test_store import PROBE, TRIAL, make_record

TEMPLATE = ROOT / ".github" / "PULL_REQUEST_TEMPLATE" / "submission.md"
CLEAN = {"commit": "c", "dirty": False}
CHANGES = {
    Item.SCHEMA: {"schema_version": 9},
    Item.NAMES: {"metrics": {"test": {"<script>": 1.0}}},
    Item.PROTOCOL: {"protocol": 1},
    Item.FINISHED: {"status": "interrupted"},
    Item.COMMIT: {"environment": {**CLEAN, "dirty": 0}},
    Item.SCORES: {"metrics": {}},
    Item.BENCHMARK: {"ranking": ranking("0" * 16)},
    Item.CONFORMANCE: {"conformance": None},
    Item.PRIVATE: {"log_tail": "secret"},
    Item.CONSISTENT: {"metrics": {"test": {"entity_f1": 1.5}}},
    Item.PLAUSIBLE: {},
}
"""The changes of a good record that fail an item. Without references, each score is flagged."""


def tuned_with_a_trial_that_is_not_there():
    cell = replace(TRIAL, evaluation_lengths=(256,))
    scores = {"validation": {"entity_f1": 0.5}}
    run = {"seed": 0, "run_id": "gone", "status": "ok", "validation": 0.5}
    trials = ({"learning_rate": 0.001, "steps": 1, "runs": [run]},)
    tuning = TuningChoice(learning_rate=0.001, metric="entity_f1", setting={}, trials=trials)
    record = good(of=cell, metrics=scores, reports={})
    return json.loads(
        record.ranking.model_copy(update={"tuning": tuning}).model_dump_json()
    ), record


@pytest.mark.parametrize("item", Item, ids=lambda item: item.name)
def test_a_record_that_fails_an_item_is_counted_there_and_not_later(tmp_path, item):
    known = []
    if item is Item.FILES:
        (tmp_path / "notes.txt").write_text("no record")
    elif item is Item.QUIET:
        noisy = {"noisy": ("training",)}
        archive(tmp_path, make_record(cell=PROBE, environment=CLEAN, details=noisy))
    elif item is Item.NEW:
        record = good()
        known = [StoredRecord(record, "here", write(tmp_path, record))]
    elif item is Item.TRIALS:
        facts, record = tuned_with_a_trial_that_is_not_there()
        write(tmp_path, record, ranking=facts)
    else:
        write(tmp_path, good(), **CHANGES[item])
    results = summarize(check_submission(tmp_path, known, REGISTRY))
    place = list(Item).index(item)
    later = len(Item) - place - 1
    counts = [(result.failed, result.unchecked) for result in results]
    assert counts == [(0, 0)] * place + [(1, 0)] + [(0, 1)] * later
    assert [result.item for result in results] == list(Item)


def test_the_template_of_a_submission_lists_the_items():
    checklist = TEMPLATE.read_text().split("## Checklist")[1]
    assert re.findall(r"^- \[ \] (.*)$", checklist, re.MULTILINE) == [str(item) for item in Item]
