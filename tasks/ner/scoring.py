"""Scores and readable predictions of tagged windows."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from suite.api import ExamplePrediction, Examples, Score
from tasks.ner.entities import (
    Counts,
    Entity,
    average_over_types,
    count_by_type,
    count_entities,
    extract_entities,
)

OUTSIDE = "O"
CUE_DISTANCES = (1, 32, 64, 128, 256, 512, 1_024)
"""The bounds of the ranges by which cue distance is reported."""


def score_tags(examples: Examples, predictions: Any, spec: Mapping[str, Any]) -> Score:
    """Score the predicted tag ids (windows, length) over the stream that the windows form."""
    real = examples.features["padding_mask"]
    gold_ids, predicted_ids = examples.targets["tags"][real], predictions[real]
    starts = examples.targets["sentence_starts"][real]
    tags = spec["tags"]
    gold, predicted = (extract_entities(ids, starts, tags) for ids in (gold_ids, predicted_ids))
    total = count_entities(gold, predicted)
    by_type = count_by_type(gold, predicted)
    macro, weighted = (average_over_types(by_type, weighted=weighted) for weighted in (False, True))
    reports: dict[str, Any] = {
        "by_type": {type_: counts.to_dict() for type_, counts in by_type.items()},
        "micro": total.to_dict(),
        "macro": macro,
        "weighted": weighted,
        "scored_words": len(gold_ids),
    }
    if "cue_distance" in examples.targets:
        distances = examples.targets["cue_distance"][real]
        reports["by_cue_distance"] = {
            name: counts.to_dict()
            for name, counts in _count_by_cue_distance(gold, predicted, distances).items()
        }
    correct = gold_ids == predicted_ids
    is_entity = gold_ids != tags.index(OUTSIDE)
    return Score(
        metrics={
            "entity_f1": total.f1,
            "entity_precision": total.precision,
            "entity_recall": total.recall,
            "entity_f1_macro": macro["f1"],
            "entity_f1_weighted": weighted["f1"],
            "token_accuracy": float(correct.mean()),
            "token_accuracy_without_o": (
                float(correct[is_entity].mean()) if is_entity.any() else None
            ),
        },
        reports=reports,
    )


def _count_by_cue_distance(
    gold: Sequence[Entity], predicted: Sequence[Entity], distances: np.ndarray
) -> dict[str, Counts]:
    """Count cued names by the distance of their cue.

    A predicted entity counts for a range if it overlaps a cued name of that range. Predictions
    elsewhere do not depend on cues and are ignored.
    """
    counts = {}
    bounds = np.array([entity[:2] for entity in predicted], int).reshape(-1, 2)
    for low, high in itertools.pairwise(CUE_DISTANCES):
        in_range = (distances >= low) & (distances < high)
        cued = [entity for entity in gold if in_range[entity[0]]]
        if cued:
            num_before = np.concatenate([[0], np.cumsum(in_range)])
            overlaps = num_before[bounds[:, 1]] > num_before[bounds[:, 0]]
            guesses = list(itertools.compress(predicted, overlaps.tolist()))
            counts[f"{low}-{high - 1}"] = count_entities(cued, guesses)
    return counts


def show_sentences(
    examples: Examples, predictions: Any, spec: Mapping[str, Any]
) -> list[ExamplePrediction]:
    """Return the sentences of the words in `spec["shown"]`, with each tagged word as "word/TAG"."""
    real = examples.features["padding_mask"]
    words, names = spec["shown"], spec["tags"]
    gold, predicted = (
        [names[tag] for tag in tags[real][: len(words)].tolist()]
        for tags in (examples.targets["tags"], predictions)
    )
    starts = examples.targets["sentence_starts"][real][: len(words)].nonzero()[0].tolist()
    bounds = [0, *starts[1:], len(gold)]
    return [
        ExamplePrediction(
            " ".join(words[first:end]),
            _format_tagged(words[first:end], gold[first:end]),
            _format_tagged(words[first:end], predicted[first:end]),
            gold[first:end] == predicted[first:end],
        )
        for first, end in itertools.pairwise(bounds)
    ]


def _format_tagged(words: Sequence[str], tags: Sequence[str]) -> str:
    return " ".join(
        f"{word}/{tag}" for word, tag in zip(words, tags, strict=True) if tag != OUTSIDE
    )
