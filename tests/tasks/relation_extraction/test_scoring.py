"""The official score of SemEval-2010 Task 8, on cases that are counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from suite.api import DataError
from tasks.relation_extraction.labels import classes_of, is_label, negative_labels, relation_of
from tasks.relation_extraction.scoring import score_relations

CAUSE, EFFECT = "Cause-Effect(e1,e2)", "Cause-Effect(e2,e1)"
WHOLE, PART = "Component-Whole(e1,e2)", "Component-Whole(e2,e1)"
OTHER = "Other"
CLASSES = classes_of([CAUSE, WHOLE, OTHER])


def score(pairs, distances=None, classes=CLASSES, negative=(OTHER,)):
    """Score pairs of (expected, answer)."""
    labels, predicted = (
        np.array([classes.index(label) for label in part]) for part in zip(*pairs, strict=True)
    )
    distances = np.ones(len(labels), int) if distances is None else np.array(distances)
    return score_relations(labels, predicted, distances, classes, negative)


def test_both_directions_of_a_relation_are_counted_together():
    # Cause-Effect: 2 right of 3 predicted and 3 expected. Component-Whole: 1 of 1 and 2.
    found = score([(CAUSE, CAUSE), (EFFECT, EFFECT), (CAUSE, OTHER), (OTHER, EFFECT),
                   (WHOLE, WHOLE), (PART, OTHER)])  # fmt: skip
    cause = found.reports["by_relation"]["Cause-Effect"]
    assert cause == pytest.approx({"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "support": 3})
    whole = found.reports["by_relation"]["Component-Whole"]
    assert whole == pytest.approx({"precision": 1, "recall": 0.5, "f1": 2 / 3, "support": 2})
    assert found.metrics["relation_f1_macro"] == pytest.approx(2 / 3)
    assert found.metrics["relation_precision_macro"] == pytest.approx((2 / 3 + 1) / 2)
    assert found.metrics["relation_recall_macro"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert found.metrics["relation_f1_micro"] == pytest.approx(2 * 3 / (4 + 5))
    assert found.metrics["accuracy"] == pytest.approx(3 / 6)


def test_a_wrong_direction_is_a_false_positive_and_a_false_negative_of_the_relation():
    found = score([(CAUSE, CAUSE), (CAUSE, EFFECT)])
    # 1 right of 2 predicted and of 2 expected.
    assert found.reports["by_relation"]["Cause-Effect"] == pytest.approx(
        {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2}
    )
    assert found.metrics["relation_f1_macro_undirected"] == 1.0


def test_other_has_no_score_of_its_own():
    right = [(CAUSE, CAUSE), (WHOLE, WHOLE)]
    assert score(right).metrics["relation_f1_macro"] == 1.0
    assert score([*right, (OTHER, OTHER)]).metrics["relation_f1_macro"] == 1.0
    assert set(score([*right, (OTHER, OTHER)]).reports["by_relation"]) == {
        "Cause-Effect", "Component-Whole"
    }  # fmt: skip
    # Other that is called Cause-Effect costs precision: 1 of 2, recall 1, F1 2/3.
    assert score([*right, (OTHER, CAUSE)]).metrics["relation_f1_macro"] == pytest.approx(
        (2 / 3 + 1) / 2
    )
    # Cause-Effect that is called Other costs recall, and no relation's precision.
    missed = score([*right, (CAUSE, OTHER)])
    assert missed.metrics["relation_precision_macro"] == 1.0
    assert missed.metrics["relation_recall_macro"] == pytest.approx((1 / 2 + 1) / 2)


def test_a_relation_without_an_example_is_left_out_of_the_mean_as_the_scorer_does():
    found = score([(CAUSE, CAUSE), (OTHER, WHOLE)])
    assert list(found.reports["by_relation"]) == ["Cause-Effect"]
    assert found.metrics["relation_f1_macro"] == 1.0
    # Its name as an answer counts as Other.
    assert found.metrics["relation_f1_micro"] == 1.0
    assert found.metrics["accuracy"] == 0.5


def test_a_relation_without_an_answer_counts_as_0():
    assert score([(CAUSE, CAUSE), (WHOLE, OTHER)]).metrics["relation_f1_macro"] == 0.5


def test_a_split_of_other_alone_has_no_score():
    found = score([(OTHER, OTHER), (OTHER, CAUSE)])
    assert found.metrics["relation_f1_macro"] is None
    assert found.metrics["accuracy"] == 0.5


def test_accuracy_is_reported_by_the_distance_between_the_entities():
    found = score([(CAUSE, CAUSE), (CAUSE, OTHER), (WHOLE, WHOLE)], distances=[1, 4, 70])
    assert found.reports["by_entity_distance"] == {
        "1-4": {"accuracy": 0.5, "support": 2},
        "33+": {"accuracy": 1.0, "support": 1},
    }


def test_rows_of_the_confusion_matrix_are_the_expected_classes():
    found = score([(CAUSE, OTHER), (CAUSE, OTHER), (OTHER, OTHER)])
    row = found.reports["confusion"][CLASSES.index(CAUSE)]
    assert row[CLASSES.index(OTHER)] == 2 and sum(row) == 2


def test_labels_are_relations_with_directions():
    assert relation_of(CAUSE) == relation_of(EFFECT) == "Cause-Effect"
    assert relation_of("sibling") == "sibling"
    assert classes_of([CAUSE, "sibling", OTHER, CAUSE]) == [CAUSE, EFFECT, OTHER, "sibling"]
    assert is_label(CAUSE) and is_label("sibling")
    assert not is_label("Cause-Effect(e1, e2)") and not is_label("Cause-Effect(e1,e1)")


@pytest.mark.parametrize("negative", ["Other", "other", "NO_RELATION", "no relation", "NA", "na"])
def test_the_usual_labels_of_no_relation_are_recognized(negative):
    classes = sorted(["sibling", "spouse", negative])
    assert negative_labels(classes) == [negative]
    pairs = [("sibling", "sibling"), (negative, negative), (negative, "spouse")]
    found = score(pairs, classes=classes, negative=negative_labels(classes))
    assert set(found.reports["by_relation"]) == {"sibling"}
    assert found.metrics["relation_f1_macro"] == 1.0
    assert found.reports["negative_labels"] == [negative]


def test_an_option_names_another_label_of_no_relation():
    classes = ["Other", "sibling", "unrelated"]
    assert negative_labels(classes, "unrelated") == ["unrelated"]
    with pytest.raises(DataError, match="'none'; train has: Other, sibling, unrelated"):
        negative_labels(classes, "none")
    with pytest.raises(DataError, match=r"at least one label of a relation.*only NA, Other"):
        negative_labels(["NA", "Other"])
