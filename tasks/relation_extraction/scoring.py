"""Scores of directed relations, by the rules of the scorer of SemEval-2010 Task 8."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from suite.api import Score
from tasks.relation_extraction.labels import relation_of

DISTANCES = (1, 5, 9, 17, 33)
"""The lowest distance of each range by which accuracy is reported."""


def score_relations(
    labels: np.ndarray,
    predicted: np.ndarray,
    distances: np.ndarray,
    classes: Sequence[str],
    negative: Collection[str],
) -> Score:
    """Score predicted classes (examples,); `distances` are those between the entities, in tokens.

    The classes `negative` say that no relation holds.

    Hendrickx et al. 2010, "SemEval-2010 Task 8", section 5: the (9+1)-way evaluation with
    directionality. A relation counts both directions, and an answer is right only if its direction
    is. A wrong direction is thus a false positive and a false negative of the relation. The means
    over relations leave out `negative`. As in the task's scorer, they leave out a relation of which
    the split has no example, and its name as an answer counts as negative. Without any example of a
    relation they are None.
    """
    relations = sorted({relation_of(label) for label in classes if label not in negative})
    numbers = {name: number for number, name in enumerate(relations)}
    relation_ids = np.array(
        [-1 if label in negative else numbers[relation_of(label)] for label in classes]
    )
    gold, answers, right = relation_ids[labels], relation_ids[predicted], labels == predicted
    present = np.unique(gold[gold >= 0]).tolist()

    def rates(is_right: np.ndarray) -> dict[str, dict[str, float]]:
        return {
            relations[number]: _rates(is_right, gold == number, answers == number)
            for number in present
        }

    by_relation, undirected = rates(right), rates(gold == answers)
    total = _rates(right, gold >= 0, np.isin(answers, present))
    confusion = np.zeros((len(classes), len(classes)), int)
    np.add.at(confusion, (labels, predicted), 1)
    ranges = np.searchsorted(DISTANCES, distances, side="right") - 1
    return Score(
        {
            "relation_f1_macro": _mean(by_relation, "f1"),
            "relation_precision_macro": _mean(by_relation, "precision"),
            "relation_recall_macro": _mean(by_relation, "recall"),
            "relation_f1_micro": total["f1"],
            "relation_f1_macro_undirected": _mean(undirected, "f1"),
            "accuracy": float(right.mean()),
        },
        {
            "by_relation": by_relation,
            "by_entity_distance": {
                name: {"accuracy": float(right[inside].mean()), "support": int(inside.sum())}
                for number, name in enumerate(_range_names())
                if (inside := ranges == number).any()
            },
            "negative_labels": list(negative),
            "classes": list(classes),
            "confusion": confusion.tolist(),
        },
    )


def _rates(right: np.ndarray, gold: np.ndarray, answered: np.ndarray) -> dict[str, float]:
    """Return precision, recall and F1 of a relation that has an example.

    The masks say where the answer is right, where the relation is expected, and where it is the
    answer. Precision is 0 without answers.
    """
    num_right = int((right & gold).sum())
    num_answered, support = int(answered.sum()), int(gold.sum())
    return {
        "precision": num_right / num_answered if num_answered else 0.0,
        "recall": num_right / support if support else 0.0,
        "f1": 2 * num_right / (num_answered + support) if support else 0.0,
        "support": support,
    }


def _mean(rates: Mapping[str, Mapping[str, float]], name: str) -> float | None:
    return float(np.mean([one[name] for one in rates.values()])) if rates else None


def _range_names() -> list[str]:
    lasts = [str(low - 1) for low in DISTANCES[1:]]
    return [f"{low}-{last}" for low, last in zip(DISTANCES, lasts, strict=False)] + [
        f"{DISTANCES[-1]}+"
    ]
