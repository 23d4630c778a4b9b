"""Tests of the question answering task: encoding, spans, cuts and scores."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from suite.api import DataError, SourceRequest
from suite.worker.train.evaluation import scores_without_part
from tasks.common.tokenization import END, START
from tasks.question_answering.spans import MAX_ANSWER_TOKENS, best_spans
from tasks.question_answering.synthetic_articles import PROPERTIES, draw_questions
from tasks.question_answering.task import TASK
from tests.builders.squad import request_for, write_squad


def gold_spans(examples):
    none = examples.targets["start"] == 0
    return np.stack([examples.targets["start"], examples.targets["end"], none], axis=1)


def load(folder, length, version="1.1", **options):
    write_squad(folder, version)
    return TASK.load(request_for(folder), length, {"vocabulary": 300, **options})


@pytest.mark.parametrize("version", ["1.1", "2.0"])
def test_gold_spans_give_the_gold_answers(tmp_path, version):
    data = load(tmp_path, 128, version)
    test = data.test
    score = TASK.score(test, gold_spans(test), data.spec)
    assert score.metrics == {"f1": 1, "exact_match": 1}
    assert score.reports["answers_cut_share"] == 0
    shown = TASK.show(test, gold_spans(test), data.spec)
    assert shown[0].expected == shown[0].answer == "the Rhône" and shown[0].right
    assert (test.features["token_ids"][:, 0] == START).all()
    assert ((test.features["token_ids"] == END).sum(axis=1) == 1).all()


def test_no_answer_is_right_where_there_is_none(tmp_path):
    data = load(tmp_path, 128, "2.0")
    nothing = TASK.predict_trivial(data.train, data.test, data.spec)
    score = TASK.score(data.test, nothing, data.spec)
    assert score.metrics == {"f1": 0.25, "exact_match": 0.25}
    assert score.reports["by_answerability"] == {
        "answer": {"f1": 0, "exact_match": 0, "questions": 6},
        "no answer": {"f1": 1, "exact_match": 1, "questions": 2},
    }


def test_a_model_cannot_choose_no_answer_where_all_questions_have_one(tmp_path):
    data = load(tmp_path, 128)
    spans = gold_spans(data.test)
    spans[:, 2] = 1
    assert TASK.score(data.test, spans, data.spec).metrics["f1"] == 1
    nothing = TASK.predict_trivial(data.train, data.test, data.spec)
    assert TASK.score(data.test, nothing, data.spec).metrics["f1"] == 0


def test_cut_answers_are_left_out_of_training_and_wrong_in_evaluation(tmp_path):
    whole = load(tmp_path, 128)
    data = load(tmp_path, 17)
    assert 0 < data.facts["answers_cut"]["train"] < whole.train.num_examples
    cut = data.facts["answers_cut"]
    assert data.train.num_examples == whole.train.num_examples - cut["train"]
    assert data.test.num_examples == whole.test.num_examples
    score = TASK.score(data.test, gold_spans(data.test), data.spec)
    share = cut["test"] / data.test.num_examples
    assert score.reports["answers_cut_share"] == pytest.approx(share)
    assert score.metrics["exact_match"] == pytest.approx(1 - share)
    assert (data.test.targets["distance"] == whole.test.targets["distance"]).all()


def test_a_length_that_cuts_off_all_training_answers_is_an_error(tmp_path):
    write_squad(tmp_path)
    with pytest.raises(DataError, match=r"a length of 6, which cuts off all \d+ answers"):
        TASK.load(request_for(tmp_path), 6, {"vocabulary": 300})


def test_scores_without_a_part_are_those_of_the_other_questions(tmp_path):
    data = load(tmp_path, 128)
    spans = gold_spans(data.test)
    spans[0] = spans[1]  # one question is wrong
    parts = scores_without_part(TASK, data.test, spans, data.spec)["exact_match"]
    assert parts == pytest.approx([1.0, 0.8, 0.8, 0.8, 0.8, 0.8])


def test_the_best_span_is_in_the_context_and_not_too_long():
    generator = np.random.default_rng(0)
    length, first = 70, 6
    token_ids = np.full((5, length), 9, np.int32)
    token_ids[:, 0], token_ids[:, first - 1] = START, END
    token_ids[:, 20] = END  # the text may hold further end tokens
    mask = np.ones((5, length), bool)
    mask[2:, 50:] = False
    scores = generator.normal(size=(5, length, 2)).astype("float32")
    scores[0, 0] = 9  # no answer
    scores[1, 1:first] = 9  # the question
    scores[2, 60:] = 9  # padding
    scores[3, 8, 0] = scores[3, 45, 1] = 9  # too far apart
    scores[4, 40, 0] = scores[4, 30, 1] = 9  # the end is before the start
    features = {"token_ids": token_ids, "padding_mask": mask}
    found = np.asarray(best_spans(scores, features))
    for row in range(5):
        stop = length if mask[row].all() else 50
        spans = [
            (start, end)
            for start, end in itertools.product(range(first, stop), repeat=2)
            if start <= end < start + MAX_ANSWER_TOKENS
        ]
        expected = max(spans, key=lambda span: scores[row, span[0], 0] + scores[row, span[1], 1])
        assert tuple(found[row, :2]) == expected
    assert found[:, 2].tolist()[:2] == [1, 0]


@pytest.mark.parametrize("distance", [0, 64, 128])
def test_generated_answers_have_the_requested_distance_and_their_own_question(distance):
    for asked in draw_questions(384, 40, 2, distance)["train"]:
        ((answer, start),) = asked.answers
        assert asked.context[start:].startswith(f"{answer}.")
        words_before = len(asked.context[:start].replace(".", " .").split())
        if distance:
            assert distance <= words_before + 1 < 2 * distance
        (kind,) = (kind for kind in PROPERTIES if kind.question.split()[0] in asked.text.split())
        (name,) = (word for word in asked.text.split() if word.istitle() and len(word) == 4)
        assert asked.context.count(f"the {kind.name} of {name} is {answer}.") == 1
        assert asked.context.count(f"the {kind.name} of") == 2


def test_generated_sequences_are_full_and_scored_by_distance():
    data = TASK.load(SourceRequest("synthetic"), 256, {"train_examples": 100, "distance": 64})
    for name in ("questions_cut", "contexts_cut", "answers_cut"):
        assert data.facts[name] == {"train": 0, "validation": 0, "test": 0}
    assert data.test.features["padding_mask"].sum(axis=1).max() == 256
    score = TASK.score(data.test, gold_spans(data.test), data.spec)
    assert score.reports["by_distance"] == {
        "64-127": {"f1": 1, "exact_match": 1, "questions": data.test.num_examples}
    }
