"""Entities in IOB2 tags and their precision, recall and F1, by the rules of conlleval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Entity = tuple[int, int, str]
"""The position of the first word in the stream, the position after the last, and the type."""


def extract_entities(tag_ids: np.ndarray, starts: np.ndarray, tags: Sequence[str]) -> list[Entity]:
    """Return the entities of a stream of tags; an entity ends where a sentence starts.

    As in conlleval, an I- tag that continues no entity of its type begins one.

    Args:
        tag_ids: The places of the stream's tags in `tags`.
        starts: Whether a sentence starts at each position.
        tags: The tags, such as "O" and "B-PER".
    """
    prefixes, _, types = zip(*(tag.partition("-") for tag in tags), strict=True)
    names = sorted(set(types))
    type_ids = np.array([names.index(name) for name in types])[tag_ids]
    continues = np.array([prefix == "I" for prefix in prefixes])[tag_ids] & ~starts
    continues[1:] &= type_ids[1:] == type_ids[:-1]
    continues[:1] = False
    in_entity = np.array([prefix != "O" for prefix in prefixes])[tag_ids]
    begins = (in_entity & ~continues).nonzero()[0]
    ends = (in_entity & ~np.append(continues[1:], False)).nonzero()[0] + 1
    entity_types = [names[type_id] for type_id in type_ids[begins].tolist()]
    return list(zip(begins.tolist(), ends.tolist(), entity_types, strict=True))


@dataclass(frozen=True, slots=True)
class Counts:
    """The numbers of gold entities, predicted entities and exact matches."""

    gold: int
    predicted: int
    correct: int

    @property
    def precision(self) -> float:
        """The share of predicted entities that match exactly; 0 without predictions."""
        return self.correct / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """The share of gold entities that were predicted exactly; 0 without gold entities."""
        return self.correct / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        total = self.gold + self.predicted
        return 2 * self.correct / total if total else 0.0

    def to_dict(self) -> dict[str, float]:
        """Return precision, recall, F1 and the number of gold entities."""
        return {
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "support": self.gold,
        }


def count_entities(gold: Sequence[Entity], predicted: Sequence[Entity]) -> Counts:
    """Count entities and matches over all types."""
    return Counts(len(gold), len(predicted), len(set(gold) & set(predicted)))


def count_by_type(gold: Sequence[Entity], predicted: Sequence[Entity]) -> dict[str, Counts]:
    """Count entities and matches of each gold or predicted type, sorted by name."""
    num_gold = Counter(type_ for _, _, type_ in gold)
    num_predicted = Counter(type_ for _, _, type_ in predicted)
    num_correct = Counter(type_ for _, _, type_ in set(gold) & set(predicted))
    return {
        type_: Counts(num_gold[type_], num_predicted[type_], num_correct[type_])
        for type_ in sorted(set(num_gold) | set(num_predicted))
    }


def average_over_types(by_type: Mapping[str, Counts], *, weighted: bool) -> dict[str, float]:
    """Average over types: unweighted (macro), or weighted by the number of gold entities."""
    weights = [counts.gold if weighted else 1 for counts in by_type.values()]
    total = sum(weights)
    return {
        name: sum(
            weight * getattr(counts, name)
            for weight, counts in zip(weights, by_type.values(), strict=True)
        )
        / total
        if total
        else 0.0
        for name in ("precision", "recall", "f1")
    }
