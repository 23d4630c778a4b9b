"""Conditions of evaluation: scores of disturbed examples of one trained model."""

from __future__ import annotations

import pytest

from suite.api import PluginError, RequestError
from suite.matrix.expansion import expand
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.worker.conformance.gradients import without_compiling
from suite.worker.train.phases import checked_condition
from tests.suite.methods.evaluated import train_with
from tests.suite.worker.train.test_checkpoint import score_few

REQUEST = {"lengths": (32,), "seeds": (0,), "architectures": ("vanilla",), "steps": 4}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """One model, and its scores under all kinds of conditions."""
    with pytest.MonkeyPatch.context() as patch, without_compiling():
        score_few(patch, 48)
        return train_with(
            tmp_path_factory.mktemp("conditions"),
            "typos:strengths=0.0,0.5 word_swap:strengths=0.0,0.5 adversarial:strengths=0.0,0.05",
        )


@pytest.mark.parametrize(
    ("method", "strength"), [("typos", 0.5), ("word_swap", 0.5), ("adversarial", 0.05)]
)
def test_a_strength_of_zero_gives_the_scores_of_the_trained_model(outcomes, method, strength):
    plain, outcome = outcomes.values()
    disturbed = f"{method}={strength:g}"
    assert {name for name in outcome["conditions"] if name.startswith(f"{method}=")} == {
        f"{method}=0",
        disturbed,
    }
    for split in ("validation", "test"):
        assert outcome["conditions"][f"{method}=0"][split] == outcome["metrics"][split]
        assert outcome["metrics"][split] == plain["metrics"][split]
        assert outcome["conditions"][disturbed][split] != plain["metrics"][split]


def test_adversarial_examples_lower_the_score(outcomes):
    _, outcome = outcomes.values()
    found = outcome["conditions"]
    clean, moved = (found[f"adversarial={e}"]["test"]["roc_auc"] for e in ("0", "0.05"))
    assert moved < clean


@pytest.mark.parametrize("method", ["typos", "word_swap"])
def test_a_task_without_words_has_a_reason_at_plan_time(method):
    request = Request(tasks=("listops",), methods=((method,),), **REQUEST)
    planned = expand(request, load_registry(()))[-1]
    assert planned.unsupported == (
        f"the method '{method}' disturbs words, but the task does not restore words from its "
        "encoded examples"
    )


def test_a_generated_answer_has_no_adversarial_score():
    request = Request(tasks=("translation",), methods=(("adversarial",),), **REQUEST)
    assert "token by token" in expand(request, load_registry(()))[-1].unsupported


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("typos:strengths=1.5", "numbers from 0 to 1"),
        ("word_swap:strengths=0.1,0.1", "names each number once"),
        ("adversarial:strengths=-0.1", "from 0 to 10"),
        ("adversarial_training:epsilon=-1.0", "at least 0"),
        ("adversarial_training:share=2.0", "from 0 to 1"),
    ],
)
def test_bad_strengths_are_refused(method, said):
    with pytest.raises(RequestError, match=said):
        expand(Request(tasks=("ner",), methods=((method,),), **REQUEST), load_registry(()))


def test_a_disturbance_without_a_strength_is_refused():
    assert checked_condition("typos=0.05") == "typos=0.05"
    assert checked_condition("adversarial=1e-05") == "adversarial=1e-05"
    for name in ("upper_case", "typos=", "typos=much"):
        with pytest.raises(PluginError, match=f"Received: '{name}'"):
            checked_condition(name)
