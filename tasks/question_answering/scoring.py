"""Exact match and F1 of answers, as SQuAD's official scripts define them.

Rajpurkar et al. 2016, "SQuAD: 100,000+ Questions for Machine Comprehension of Text", section 6.1,
`evaluate-v1.1.py`; Rajpurkar et al. 2018, "Know What You Don't Know", `evaluate-v2.0.py`. In
scripts without spaces, a word is a character, and a text with such a script loses all punctuation
of Unicode, as MLQA's script has both for Chinese (Lewis et al. 2020, "MLQA: Evaluating
Cross-lingual Extractive Question Answering").
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from suite.api import ExamplePrediction, Examples, Score
from tasks.common.scripts import has_script_without_spaces, split_words

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalize_answer(text: str) -> str:
    """Return the text in lower case, without punctuation and articles, a space between words."""
    text = text.lower().translate(PUNCTUATION)
    if has_script_without_spaces(text):
        text = "".join(part for part in text if not unicodedata.category(part).startswith("P"))
    return " ".join(split_words(ARTICLES.sub(" ", text)))


@lru_cache(maxsize=2**16)  # a split is scored once more without each of its parts
def compare_answers(
    answer: str, gold_answers: tuple[str, ...], unanswerable: bool
) -> tuple[float, float]:
    """Return exact match and F1 of an answer: each the best over the gold answers.

    `unanswerable` says whether the data has unanswerable questions. If so, the rules are those of
    v2.0: the only gold answer of such a question is the empty text, and two empty texts have an F1
    of 1. Otherwise the rules are those of v1.1.
    """
    answer = normalize_answer(answer)
    golds = [normalize_answer(gold) for gold in gold_answers]
    if unanswerable:
        golds = [gold for gold in golds if gold] or [""]
    exact = max(float(answer == gold) for gold in golds)
    return exact, max(_f1(answer.split(), gold.split(), unanswerable) for gold in golds)


def _f1(answer: Sequence[str], gold: Sequence[str], unanswerable: bool) -> float:
    if unanswerable and not (answer and gold):
        return float(answer == gold)
    num_same = (Counter(answer) & Counter(gold)).total()
    if num_same == 0:
        return 0.0
    precision, recall = num_same / len(answer), num_same / len(gold)
    return 2 * precision * recall / (precision + recall)


def extract_answers(
    examples: Examples, predictions: np.ndarray, spec: Mapping[str, Any]
) -> list[str]:
    """Return the text of each predicted span; no answer is the empty text.

    `predictions` (examples, 3) holds the first and last position, and whether there is no answer.
    The last counts only if the data has unanswerable questions.
    """
    targets = {name: np.asarray(values) for name, values in examples.targets.items()}
    rows = np.arange(len(predictions))
    begin = targets["places"][rows, predictions[:, 0], 0].tolist()
    end = targets["places"][rows, predictions[:, 1], 1].tolist()
    no_answer = (predictions[:, 2] * spec["unanswerable"]).tolist()
    texts = spec["contexts"]
    return [
        "" if none else texts[context][first:stop].strip()
        for context, first, stop, none in zip(
            targets["context"].tolist(), begin, end, no_answer, strict=True
        )
    ]


def score_answers(examples: Examples, predictions: np.ndarray, spec: Mapping[str, Any]) -> Score:
    """Score predicted spans by exact match and F1, as shares.

    The reports give both by the distance of the first gold answer and, if the data has unanswerable
    questions, by answerability. `answers_cut_share` is the share of the answerable questions
    whose answers the sequence length cuts off.
    """
    from tasks.common.draws import power_of_two, power_of_two_names

    unanswerable = spec["unanswerable"]
    golds = [tuple(spec["gold_answers"][row]) for row in examples.targets["question"].tolist()]
    answers = extract_answers(examples, predictions, spec)
    found = np.array(
        [
            compare_answers(answer, gold, unanswerable)
            for answer, gold in zip(answers, golds, strict=True)
        ]
    )
    distance = np.asarray(examples.targets["distance"])
    answerable = distance > 0
    names = power_of_two_names()
    groups = power_of_two(distance.clip(min=1))
    reports: dict[str, Any] = {
        "questions": len(answers),
        "by_distance": {
            names[group]: _summarize(found[answerable & (groups == group)])
            for group in np.unique(groups[answerable]).tolist()
        },
    }
    if answerable.any():
        cut = np.asarray(examples.targets["answer_cut"])[answerable]
        reports["answers_cut_share"] = float(cut.mean())
    if unanswerable:
        reports["by_answerability"] = {
            name: _summarize(found[chosen])
            for name, chosen in (("answer", answerable), ("no answer", ~answerable))
            if chosen.any()
        }
    figures = _summarize(found)
    return Score({name: figures[name] for name in ("f1", "exact_match")}, reports)


def _summarize(found: np.ndarray) -> dict[str, float]:
    exact, f1 = found.mean(axis=0).tolist()
    return {"f1": f1, "exact_match": exact, "questions": len(found)}


def show_answers(
    examples: Examples, predictions: np.ndarray, spec: Mapping[str, Any]
) -> list[ExamplePrediction]:
    """Return the first questions with their first gold answers; exact matches are right."""
    shown = []
    answers = extract_answers(examples, predictions, spec)
    rows = examples.targets["question"].tolist()
    for question, row, answer in zip(spec["shown"], rows, answers, strict=False):
        golds = tuple(spec["gold_answers"][row])
        exact, _ = compare_answers(answer, golds, spec["unanswerable"])
        shown.append(ExamplePrediction(question, golds[0] if golds else "", answer, exact == 1))
    return shown
