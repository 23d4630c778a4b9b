"""Tests of word dropout."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from suite.api import IDENTITY, SPELLING
from suite.methods.word_dropout import METHOD, draw_hidden
from suite.worker.data.batches import Batch
from tests.builders.methods import REGISTRY, context_of

SHARE, UNKNOWN = 0.15, 1
TASKS = REGISTRY.tasks.plugins


@pytest.mark.parametrize("span", [1, 8])
def test_whole_spans_are_hidden_and_the_share_does_not_depend_on_the_span(span):
    mask = np.ones((400, 61), bool)
    mask[:, 50:] = False
    hidden = draw_hidden(mask, SHARE, np.random.default_rng(0), span)
    assert not hidden[:, 50:].any()
    for start in range(0, 48, span):
        part = hidden[:, start : start + span]
        assert (part == part[:, :1]).all()
    assert hidden[:, :50].mean() == pytest.approx(SHARE, abs=0.02)


def batch_of(shape=(200, 64)):
    mask = np.ones(shape, bool)
    mask[:, 50:] = False
    ids = np.full(shape, 9, np.int32)
    words = {"word_ids": ids, "affix_ids": ids[:, :, None], "character_ids": ids[:, :, None]}
    features = {"token_ids": ids, **words, "padding_mask": mask}
    return Batch(features, {"labels": ids[:, 0]}, int(mask.sum()), len(ids))


def test_each_batch_has_other_hidden_tokens_and_two_runs_have_the_same():
    context = context_of("word_dropout", {"share": SHARE}, spec={"unknown_id": UNKNOWN})
    given = batch_of()
    first, second = METHOD.batches(iter([given, given]), context)
    (again,) = METHOD.batches(iter([given]), context)
    hidden = first.features["token_ids"] == UNKNOWN
    assert hidden[:, :50].mean() == pytest.approx(SHARE, abs=0.02) and not hidden[:, 50:].any()
    assert (first.features["token_ids"] == again.features["token_ids"]).all()
    assert (first.features["token_ids"] != second.features["token_ids"]).any()
    assert replace(first, features=given.features) == given, "only the features change"


def test_the_shares_of_identity_and_spelling_are_drawn_apart():
    options = {"share": 0.3, "spelling_share": 0.4}
    context = context_of("word_dropout", options, task="ner")
    (found,) = METHOD.batches(iter([batch_of()]), context)
    spelling = found.features["character_ids"][:, :50, 0] == UNKNOWN
    identity = found.features["word_ids"][:, :50] == UNKNOWN
    assert spelling.mean() == pytest.approx(0.4, abs=0.02)
    assert identity.mean() == pytest.approx(1 - 0.7 * 0.6, abs=0.02)
    assert identity[spelling].all()


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.hideable])
def test_a_task_hides_the_tokens_at_the_given_positions_alone(name):
    task, given = TASKS[name], batch_of().features
    hidden = {part: np.zeros((200, 64), bool) for part in task.hideable}
    hidden[IDENTITY][3, 7] = True
    found = task.hide_tokens(given, hidden, {"unknown_id": UNKNOWN, "first_marker_id": 10**6})
    changed = {feature for feature in given if (found[feature] != given[feature]).any()}
    assert len(changed) == 1
    (feature,) = changed
    assert np.argwhere(found[feature] != given[feature]).tolist() == [[3, 7]]
    assert found[feature][3, 7] == UNKNOWN


def test_every_part_has_a_share():
    assert {part for task in TASKS.values() for part in task.hideable} == {IDENTITY, SPELLING}
