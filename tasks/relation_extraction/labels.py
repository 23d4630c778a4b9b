"""Labels of relations: a name with a direction, such as Cause-Effect(e1,e2), or that of none."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from suite.api import DataError

OTHER = "Other"
"""The label, in generated data, of two entities between which none of the relations holds."""
NEGATIVE = ("other", "no_relation", "na")
"""Such labels of SemEval-2010 Task 8, TACRED and NYT, in lower case."""
DIRECTIONS = ("(e1,e2)", "(e2,e1)")
_DIRECTED = re.compile(r"(.+)\((?:e1,e2|e2,e1)\)")


def is_label(text: str) -> bool:
    """Return whether a text is a label: one with a parenthesis must end in a direction."""
    return bool(_DIRECTED.fullmatch(text)) or not set("()") & set(text)


def relation_of(label: str) -> str:
    """Return the name of a label's relation, without the direction."""
    directed = _DIRECTED.fullmatch(label)
    return directed[1] if directed else label


def classes_of(labels: Iterable[str]) -> list[str]:
    """Return the classes, sorted: the labels, and the other direction of each directed one.

    A direction without a training example is a class too: another split may have it.
    """
    classes: set[str] = set()
    for label in set(labels):
        name = relation_of(label)
        classes |= {label} if name == label else {name + direction for direction in DIRECTIONS}
    return sorted(classes)


def negative_labels(classes: Collection[str], named: str = "") -> list[str]:
    """Return the classes that are no relation: the named one, or those with a usual name.

    Raises:
        DataError: no class has the name, or no class is a relation.
    """
    if named and named not in classes:
        raise DataError(
            "The option 'negative_label' must be a label of the training split",
            received=f"{named!r}; train has: {', '.join(list(classes)[:20])}",
        )
    found = [label for label in classes if (label == named if named else is_negative(label))]
    if len(found) == len(classes):
        raise DataError(
            "Training sentences must have at least one label of a relation",
            received=f"only {', '.join(found)}",
        )
    return found


def is_negative(label: str) -> bool:
    """Return whether a label has a usual name for no relation, in any case."""
    return re.sub("[ -]", "_", label.lower()) in NEGATIVE
