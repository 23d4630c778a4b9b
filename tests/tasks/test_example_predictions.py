"""Tests of the readable predictions that tasks return."""

from __future__ import annotations

import numpy as np
import pytest

from suite.matrix.registry import load_registry
from suite.worker.train.setup import seal_test
from tests.builders.task_data import load_little

TASKS = load_registry(()).tasks


@pytest.mark.parametrize(("name", "length"), [("sentiment", 64), ("listops", 64)])
def test_classifiers_show_the_first_texts_in_order(name, length):
    task = TASKS.get(name)
    options = {"train_examples": 100} if name == "listops" else {}
    data = load_little(task, length, options)
    labels = data.test.targets["labels"]
    answers = np.eye(len(data.spec["classes"]))[labels]
    answers[1] = np.roll(answers[1], 1)
    shown = task.show(data.test, answers, data.spec)
    assert [item.right for item in shown[:3]] == [True, False, True]
    assert shown[0].expected == data.spec["classes"][labels[0]] and shown[1].answer != "?"
    if name == "listops":
        assert shown[0].input.startswith("[") and shown[0].input.endswith("]")


def test_named_entities_are_shown_by_sentence():
    task = TASKS.get("ner")
    data = load_little(task, 128)
    tags = data.test.targets["tags"]
    shown = task.show(data.test, tags, data.spec)
    assert len(shown) > 10 and all(item.right and item.expected == item.answer for item in shown)
    words = data.spec["shown"]
    assert " ".join(item.input for item in shown).split() == list(words)
    tagged = next(item for item in shown if item.expected)
    word, _, tag = tagged.expected.split()[0].rpartition("/")
    assert word in tagged.input.split() and tag in data.spec["tags"]
    wrong = task.show(data.test, np.zeros_like(tags), data.spec)
    assert {item.answer for item in wrong} == {""} and not all(item.right for item in wrong)


def test_translations_are_shown_with_their_references():
    task = TASKS.get("translation")
    data = load_little(task, 32)
    shown = task.show(data.test, data.test.targets["next_ids"], data.spec)
    assert shown[0].expected == data.spec["references"][2][0]
    assert np.mean([item.right for item in shown]) > 0.9  # except cut sentences


@pytest.mark.parametrize(
    ("name", "length"),
    [
        ("ner", 32),
        ("listops", 64),
        ("sentiment", 32),
        ("translation", 32),
        ("question_answering", 64),
    ],
)
def test_a_sealed_spec_has_no_text_or_answer_of_the_test_split(name, length):
    task = TASKS.get(name)
    options = {"train_examples": 100} if "train_examples" in task.options else {}
    data = load_little(task, length, options)
    sealed = seal_test(data).spec
    assert sealed.keys() == data.spec.keys()
    assert data.spec["shown"] and not sealed["shown"]
    if name == "translation":
        assert sealed["references"] == [[], data.spec["references"][1], []]
    if name == "question_answering":
        num_questions = data.validation.num_examples
        assert sealed["gold_answers"] == data.spec["gold_answers"][:num_questions]
        assert data.validation.targets["context"].max() == len(sealed["contexts"]) - 1
        assert len(data.spec["contexts"]) > len(sealed["contexts"])
