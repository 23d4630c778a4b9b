"""Length cards as an action: the effective lengths of trained models."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

from suite.actions import cards
from suite.api import Form, Status
from suite.records.store import Store
from tests.builders.records import CELL, REGISTRY, make_record


def test_a_task_without_a_final_score_is_on_the_card_with_the_reason(tmp_path, monkeypatch):
    version = REGISTRY.tasks.get("state_tracking").version
    cell = dataclasses.replace(
        CELL, task="state_tracking", task_version=version, form=Form.DECODER,
        architecture="vanilla", options={}, sequence_length=40,
    )  # fmt: skip
    records = [make_record(Status.DIVERGED, cell=cell, reason="the loss is not a number")]
    unchosen = SimpleNamespace(
        task="associative_recall",
        learning_rate=None,
        sequence_length=64,
        reason="every rate diverged",
    )
    monkeypatch.setattr(cards, "measure_reach", lambda *given, **named: ([unchosen], records))
    tracked = SimpleNamespace(run=None, file=None)
    models = SimpleNamespace(search_path=(), registry=REGISTRY)
    trained, untrained = cards._quality(None, "tiny", "tiny", tracked, Store(tmp_path), models)
    assert trained.task.startswith("State tracking") and trained.score is None
    assert "the loss is not a number" in str(trained)
    assert untrained.task == "Associative recall"
    assert str(untrained) == "no learning rate chosen: every rate diverged"
