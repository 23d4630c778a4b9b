"""Labels of relations: a name with a direction, such as Cause-Effect(e1,e2), or `OTHER`."""

from __future__ import annotations

import re
from collections.abc import Iterable

OTHER = "Other"
"""The label of two entities between which none of the relations holds."""
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
