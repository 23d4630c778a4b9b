"""Scores of directed relations, by the rules of the scorer of SemEval-2010 Task 8."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from suite.api import Score
from tasks.relation_extraction.labels import OTHER, relation_of

DISTANCES = (1, 5, 9, 17, 33)
"""The lowest distance of each range by which accuracy is reported."""


def score_relations(
    labels: np.ndarray, predicted: np.ndarray, distances: np.ndarray, classes: Sequence[str]
) -> Score:
    """Score predicted classes (examples,); `distances` are those between the entities, in tokens.

    Hendrickx et al. 2010, "SemEval-2010 Task 8", section 5: the (9+1)-way evaluation with
    directionality. A relation counts both directions, and an answer is right only if its direction
    is. A wrong direction is thus a false positive and a false negative of the relation. The mean
    over relations leaves out `OTHER`, and, as the scorer does, relations of which the split has no
    example. It is None without any example of a relation.
    """
    relations = sorted({relation_of(label) for label in classes} - {OTHER})
    relation_ids = np.array(
        [
            relations.index(name) if (name := relation_of(label)) != OTHER else -1
            for label in classes
        ]
    )
    gold, answers, right = relation_ids[labels], relation_ids[predicted], labels == predicted
    by_relation = {
        name: _rates((right & (gold == number)).sum(), (answers == number).sum(), support)
        for number, name in enumerate(relations)
        if (support := (gold == number).sum())
    }
    undirected = [
        _rates(((gold == number) & (answers == number)).sum(), (answers == number).sum(), support)
        for number in range(len(relations))
        if (support := (gold == number).sum())
    ]
    is_relation = gold >= 0
    total = _rates((right & is_relation).sum(), (answers >= 0).sum(), is_relation.sum())
    confusion = np.zeros((len(classes), len(classes)), int)
    np.add.at(confusion, (labels, predicted), 1)
    ranges = np.searchsorted(DISTANCES, distances, side="right") - 1
    return Score(
        {
            "relation_f1_macro": _mean(list(by_relation.values()), "f1"),
            "relation_precision_macro": _mean(list(by_relation.values()), "precision"),
            "relation_recall_macro": _mean(list(by_relation.values()), "recall"),
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
            "classes": list(classes),
            "confusion": confusion.tolist(),
        },
    )


def _rates(right: int, predicted: int, support: int) -> dict[str, float]:
    """Return precision, recall and F1; each is 0 where its denominator is."""
    return {
        "precision": float(right / predicted) if predicted else 0.0,
        "recall": float(right / support) if support else 0.0,
        "f1": float(2 * right / (predicted + support)) if predicted + support else 0.0,
        "support": int(support),
    }


def _mean(rates: Sequence[dict[str, Any]], name: str) -> float | None:
    return float(np.mean([one[name] for one in rates])) if rates else None


def _range_names() -> list[str]:
    lasts = [str(low - 1) for low in DISTANCES[1:]]
    return [f"{low}-{last}" for low, last in zip(DISTANCES, lasts, strict=False)] + [
        f"{DISTANCES[-1]}+"
    ]
