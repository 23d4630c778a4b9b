"""Length cards as an action: the effective lengths of trained models."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest

from suite.actions import cards
from suite.actions.card_models import CardModels
from suite.analysis.length_card import EndedLength, Profile
from suite.api import Form, Mode, RequestError, Status
from suite.api.conformance import CheckResult, Verdict
from suite.execution.conformance_checks import RUNS_TO_THE_END
from suite.execution.given_models import KERAS, GivenPlugin
from suite.matrix.request import Request
from suite.records.store import Store
from suite.search.frontier import LONGEST
from suite.search.length_card import MOST_PAIRED_ROUNDS, Subject
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


def test_an_architecture_has_the_size_and_the_form_of_the_model_that_it_is_compared_with(tmp_path):
    facts = {"form": "encoder", "longest": None, "mixing": 50_000, "precision": "float32"}
    settings = {"mode": "probe", "backend": "tensorflow", "precision": "float32"}
    models = CardModels(Store(tmp_path), settings, None, LONGEST, describe=None)
    models.given["mine.keras"] = GivenPlugin("mine", tmp_path, facts)
    own = models.find("mine.keras", KERAS, {})
    other = models.find_other("llama", None, own)
    assert (other.request.model_size, other.request.form) == (own.request.model_size, "encoder")
    assert other.first_round == MOST_PAIRED_ROUNDS
    assert models.find_other("gpt", None, own).request.form == "decoder"
    sized = models.find("llama", None, {}, "tiny")
    assert sized.request.model_size == "tiny"
    assert models.find_other("mine.keras", KERAS, sized).request.model_size != "tiny"
    with pytest.raises(RequestError, match="its own size"):
        models.find("mine.keras", KERAS, {}, "tiny")


def test_what_the_other_model_alone_does_is_lost():
    request = Request(form="encoder")
    subject = Subject("new", request, [Mode.PROBE], first_ended={Mode.PROBE: 512})
    other = Subject("old", request, [Mode.PROBE, Mode.DECODE])
    failed = EndedLength(Mode.PROBE, 512, Status.FAILED, "no")
    profile = Profile("new", {}, None, [failed, dataclasses.replace(failed, length=5_120)])
    no_tokens = "encoder generates no tokens"
    assert cards._lost_lengths(subject, other, profile) == [no_tokens]
    other.records = {(Mode.PROBE, 512, 0): make_record(cell=CELL)}
    lost = cards._lost_lengths(subject, other, profile)
    assert lost == ["probe at 512: failed (no)", no_tokens]
    unknown = dataclasses.replace(profile, ended=[])
    lost = cards._lost_lengths(subject, other, unknown)
    assert lost[0] == "probe at 512: needs more than the memory of the card"
    assert cards._lost_lengths(other, subject, profile) == []


def test_checks_that_did_not_end_are_on_the_card():
    killed = CheckResult(RUNS_TO_THE_END, "", Verdict.FAILED, reason="out of memory")
    other = CheckResult("order matters", "decoder", Verdict.PASSED)
    (shown,) = cards._checks(SimpleNamespace(results=[killed, other]))
    assert (shown["check"], shown["reason"]) == (RUNS_TO_THE_END, "out of memory")
