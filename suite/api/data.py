"""Data sources and encoded examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MASKS = ("padding_mask", "target_mask")
"""The features that say which positions are real."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a task's data comes from, and on what terms."""

    summary: str
    licence: str
    citation: str
    redistributable: bool
    argument: str = ""
    """What may follow the colon in `KIND:ARGUMENT`: "" (nothing), "NAME" or "PATH"."""
    argument_required: bool = False
    drawn_for_length: bool = False
    """Whether each length has raw examples of its own, and so a fingerprint of its own."""


@dataclass(frozen=True, slots=True)
class SourceRequest:
    """A source as the user named it: `kind:argument`, and where prepared data sets are.

    `cache_dir` is set while loading: what takes long to work out of a source may be kept there.
    """

    kind: str
    argument: str = ""
    data_dir: str | None = None
    download: bool = False
    cache_dir: str | None = None

    @property
    def cell_name(self) -> str:
        """The name that enters a cell: a path is no part of it."""
        is_path = self.kind == "files"
        return f"{self.kind}:{self.argument}" if self.argument and not is_path else self.kind


@dataclass(frozen=True, slots=True)
class Examples:
    """One split at one sequence length, as arrays whose first axis counts examples.

    `features["padding_mask"]` (examples, length) is True at real positions; so is
    `features["target_mask"]` where an encoder-decoder has a second side. The other features and
    `targets` are the task's own. `num_tokens` counts the real positions of both sides.
    """

    features: Mapping[str, Any]
    targets: Mapping[str, Any]

    @property
    def num_examples(self) -> int:
        """How many examples there are."""
        return len(self.features["padding_mask"])

    @property
    def num_tokens(self) -> int:
        """How many real positions there are."""
        return count_real(self.features)


def count_real(features: Mapping[str, Any]) -> int:
    """Count the real positions of features, a source's and a target's."""
    return sum(int(features[name].sum()) for name in MASKS if name in features)


def count_positions(features: Mapping[str, Any]) -> int:
    """Count all positions of features, padding too."""
    return sum(int(features[name].size) for name in MASKS if name in features)


@dataclass(frozen=True, slots=True)
class TaskData:
    """What `Task.load` gives: the three splits, what the model must know of them, and the facts.

    `spec` sizes the task's embedding and head (vocabulary sizes, labels); `facts` go into the
    record as they are and must hold `fingerprint`, the hash of the raw examples in order.
    """

    train: Examples
    validation: Examples
    test: Examples
    spec: Mapping[str, Any]
    facts: Mapping[str, Any]
