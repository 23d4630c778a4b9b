"""Data sources and encoded examples of a task, and the scores that it returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MASKS = ("padding_mask", "target_mask")
"""The names of the features that mark real positions, as opposed to padding."""


@dataclass(frozen=True, slots=True)
class Source:
    """A place from which a task reads its data, with its licence and citation."""

    summary: str
    licence: str
    citation: str
    redistributable: bool
    argument: str = ""
    """The argument in `KIND:ARGUMENT`, as shown to users: "NAME", "PATH", or "" for none."""
    argument_required: bool = False
    drawn_for_length: bool = False
    """Whether raw examples, and with them the fingerprint, differ between lengths."""
    numpy_only: bool = False
    """Whether NumPy alone draws the data: every machine can, so that a pack does not hold it."""


@dataclass(frozen=True, slots=True)
class SourceRequest:
    """The source that the user asked for, as `kind:argument`.

    `data_dir` is the folder of prepared data sets. `download` allows fetching a missing one.
    `cache_dir` is set while loading: a task may keep intermediate results there.
    """

    kind: str
    argument: str = ""
    data_dir: str | None = None
    download: bool = False
    cache_dir: str | None = None

    @property
    def cell_name(self) -> str:
        """The source's name in a cell, without the path of a user's files."""
        is_path = self.kind == "files"
        return f"{self.kind}:{self.argument}" if self.argument and not is_path else self.kind


@dataclass(frozen=True, slots=True)
class Examples:
    """One split at one sequence length, as arrays whose first axis is the example.

    `features["padding_mask"]` (examples, length) is True at real positions. For an
    encoder-decoder, `features["target_mask"]` is the same for the target side. The task defines
    all other features and `targets`.
    """

    features: Mapping[str, Any]
    targets: Mapping[str, Any]

    @property
    def num_examples(self) -> int:
        """The number of examples."""
        return len(self.features["padding_mask"])

    @property
    def num_tokens(self) -> int:
        """The number of real positions, of both sides."""
        return count_real(self.features)


def count_real(features: Mapping[str, Any]) -> int:
    """Return the number of real positions, of source and target."""
    return sum(int(features[name].sum()) for name in MASKS if name in features)


def real_lengths(features: Mapping[str, Any]) -> Any:
    """Return the position at which the final padding of each example begins: (examples,)."""
    mask = features["padding_mask"]
    return mask.shape[1] - mask[:, ::-1].argmax(axis=1)


def count_positions(features: Mapping[str, Any]) -> int:
    """Return the number of positions, including padding."""
    return sum(int(features[name].size) for name in MASKS if name in features)


@dataclass(frozen=True, slots=True)
class TaskData:
    """The result of `Task.load`: three encoded splits and their description.

    `spec` holds what the task's embedding, head and score need, such as vocabulary size and
    labels. `sealed_spec` replaces the entries of `spec` that hold texts or answers of the test
    split, in runs that do not score it. `facts` are copied into the record; `facts["fingerprint"]`
    is required and is a hash of the raw examples in order, and of a tokenizer that is not learned
    from them. `facts["notes"]`, if there are any, are sentences about the data for the user; a run
    prints each once.
    """

    train: Examples
    validation: Examples
    test: Examples
    spec: Mapping[str, Any]
    facts: Mapping[str, Any]
    sealed_spec: Any = field(default_factory=dict)  # a Mapping; tasks pass splits as **splits


@dataclass(frozen=True, slots=True)
class Metric:
    """A measure of quality and its direction.

    `share` is true if the values are shares from 0 to 1, such as accuracies. Intervals of shares
    stay inside that range.
    """

    name: str
    higher_is_better: bool = True
    share: bool = False


@dataclass(frozen=True, slots=True)
class Score:
    """The scores of a split: `metrics` are numbers, `reports` are their breakdowns.

    A report with "by_" in its name maps groups of examples to a figure or to named figures, as
    `{"1-8": 0.9}` or `{"PER": {"f1": 0.9}}`. The site draws its means over seeds.
    """

    metrics: Mapping[str, float | None]
    reports: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExamplePrediction:
    """A readable test example: its input, the expected answer and the model's answer."""

    input: str
    expected: str
    answer: str
    right: bool
