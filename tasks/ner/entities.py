"""Entities in IOB2 tags, scored as conlleval does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Entity = tuple[int, int, str]
"""The first word's place in the stream, the place after the last, and the type."""


def extract(tags: Iterable[str], starts: Iterable[bool]) -> list[Entity]:
    """Return the entities of a stream of tags; none goes beyond a sentence's start.

    As in conlleval, an I- tag that continues no entity of its type begins one.
    """
    entities: list[Entity] = []
    begin, kind = 0, ""
    place = 0
    for place, (tag, starts_sentence) in enumerate(zip(tags, starts, strict=True)):
        prefix, _, type_ = tag.partition("-")
        if kind and (starts_sentence or prefix != "I" or type_ != kind):
            entities.append((begin, place, kind))
            kind = ""
        if prefix != "O" and not kind:
            begin, kind = place, type_
    if kind:
        entities.append((begin, place + 1, kind))
    return entities


@dataclass(frozen=True, slots=True)
class Counts:
    """How many entities there are, were predicted, and were predicted exactly."""

    gold: int
    predicted: int
    correct: int

    @property
    def precision(self) -> float:
        """The share of predicted entities that are exactly right; 0 where there are none."""
        return self.correct / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """The share of entities that were found exactly; 0 where there are none."""
        return self.correct / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of the two."""
        total = self.gold + self.predicted
        return 2 * self.correct / total if total else 0.0

    def describe(self) -> dict[str, float]:
        """Return the three figures and the number of entities."""
        return {
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "support": self.gold,
        }


def count(gold: Sequence[Entity], predicted: Sequence[Entity]) -> Counts:
    """Count over all types."""
    return Counts(len(gold), len(predicted), len(set(gold) & set(predicted)))


def count_by_type(gold: Sequence[Entity], predicted: Sequence[Entity]) -> dict[str, Counts]:
    """Count each type that is there or was predicted, sorted by name."""
    golds = Counter(kind for _, _, kind in gold)
    predictions = Counter(kind for _, _, kind in predicted)
    correct = Counter(kind for _, _, kind in set(gold) & set(predicted))
    kinds = sorted(set(golds) | set(predictions))
    return {kind: Counts(golds[kind], predictions[kind], correct[kind]) for kind in kinds}


def average(by_type: Mapping[str, Counts], *, weighted: bool) -> dict[str, float]:
    """Average the types' figures: each alike (macro), or by its number of entities (weighted)."""
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
