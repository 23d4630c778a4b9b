"""Tests of entity extraction and scores against seqeval and hand-made examples."""

from __future__ import annotations

import random
import warnings

import numpy as np
import pytest
from seqeval.metrics import classification_report
from seqeval.metrics.sequence_labeling import get_entities

from tasks.ner.entities import (
    Entity,
    average_over_types,
    count_by_type,
    count_entities,
    extract_entities,
)

TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG")


def random_sentences(seed: int) -> list[list[str]]:
    generator = random.Random(seed)
    return [[generator.choice(TAGS) for _ in range(generator.randint(1, 12))] for _ in range(40)]


def entities_of(sentences: list[list[str]]) -> list[Entity]:
    tag_ids = [TAGS.index(tag) for sentence in sentences for tag in sentence]
    starts = [place == 0 for sentence in sentences for place in range(len(sentence))]
    return extract_entities(np.array(tag_ids), np.array(starts), TAGS)


def test_extraction_follows_conlleval():
    first = ["I-PER", "I-PER", "B-PER", "I-LOC", "O", "I-LOC"]
    assert entities_of([first, ["I-LOC"]]) == [
        (0, 2, "PER"),
        (2, 3, "PER"),
        (3, 4, "LOC"),
        (5, 6, "LOC"),
        (6, 7, "LOC"),
    ]


@pytest.mark.parametrize("seed", range(8))
def test_entities_and_scores_equal_those_of_seqeval(seed):
    gold_sentences, predicted_sentences = random_sentences(seed), random_sentences(seed)
    generator = random.Random(seed)
    for sentence in predicted_sentences:
        for place in range(len(sentence)):
            if generator.random() < 0.3:
                sentence[place] = generator.choice(TAGS)
    gold, predicted = entities_of(gold_sentences), entities_of(predicted_sentences)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = classification_report(gold_sentences, predicted_sentences, output_dict=True)
        num_reference_entities = sum(len(get_entities(sentence)) for sentence in gold_sentences)
    assert len(gold) == num_reference_entities
    by_type = count_by_type(gold, predicted)
    ours = {
        "micro avg": count_entities(gold, predicted).to_dict(),
        "macro avg": average_over_types(by_type, weighted=False),
        "weighted avg": average_over_types(by_type, weighted=True),
        **{kind: counts.to_dict() for kind, counts in by_type.items()},
    }
    for row, figures in ours.items():
        for ours_name, their_name in (
            ("precision", "precision"),
            ("recall", "recall"),
            ("f1", "f1-score"),
        ):
            assert figures[ours_name] == pytest.approx(reference[row][their_name]), (row, ours_name)


def test_scores_without_entities_are_zero():
    assert count_entities([], []).to_dict() == {
        "precision": 0.0,
        "recall": 0.0,
        "f1": 0.0,
        "support": 0,
    }
    assert average_over_types({}, weighted=True)["f1"] == 0.0
