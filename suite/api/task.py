"""The contract of a task: what is learned and how it is scored."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from suite.api.data import Examples, Source, SourceRequest, TaskData
from suite.api.enums import Form, Inputs
from suite.api.errors import RequestError
from suite.api.options import Options


@dataclass(frozen=True, slots=True)
class Metric:
    """A measure of quality, and which way is better."""

    name: str
    higher_is_better: bool = True


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a task is trained, the same for every architecture of a comparison.

    `warmup_share` is the part of the budget in which the learning rate rises linearly; after it
    the rate falls linearly to zero. `averaged_share` is the part of the budget, at its end, over
    which the weights are averaged (Izmailov et al. 2018, "Averaging Weights Leads to Wider Optima
    and Better Generalization"): their mean is taken where it is better on validation than any
    weights by themselves. `carry_memory` lets an architecture with a memory use it from
    batch to batch of a contiguous task. `validations` is how often, evenly spread over the budget,
    the validation split is scored to keep the best weights. `curriculum_share` is the part of the
    budget, at its beginning, in which examples come shortest first: the longest that is drawn grows
    evenly, by rank, from the shortest tenth to all (Platanios et al. 2019, "Competence-based
    Curriculum Learning for Neural Machine Translation", section 3). What they lack in positions is
    not made up for: the number of steps stays.
    """

    learning_rate: float = 1e-3
    warmup_share: float = 0.1
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    dropout: float = 0.1
    carry_memory: bool = True
    validations: int = 5
    averaged_share: float = 0.0
    curriculum_share: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what no training can be.

        Raises:
            RequestError: a value lies outside of its range.
        """
        for name, fits, wanted in (
            ("learning_rate", 0 < self.learning_rate < math.inf, "above 0"),
            ("warmup_share", 0 <= self.warmup_share <= 1, "from 0 to 1"),
            ("weight_decay", 0 <= self.weight_decay < math.inf, "at least 0"),
            ("clip_norm", self.clip_norm > 0, "above 0"),
            ("dropout", 0 <= self.dropout < 1, "from 0 to below 1"),
            ("validations", self.validations >= 1, "at least 1"),
            ("averaged_share", 0 <= self.averaged_share <= 1, "from 0 to 1"),
            ("curriculum_share", 0 <= self.curriculum_share <= 1, "from 0 to 1"),
        ):
            if not fits:
                raise RequestError(f"The option '{name}' is {wanted}", received=getattr(self, name))


@dataclass(frozen=True, slots=True)
class Generation:
    """How the answers of an encoder-decoder are written, token after token.

    A source is done with after as many `end_id`s as it has itself. Validation is greedy; the test
    split is answered greedily and with `num_beams`, whose finished answers compete by log
    probability divided by ((5 + length) / 6) ** `length_penalty` (Wu et al. 2016, "Google's Neural
    Machine Translation System", section 7).
    """

    start_id: int
    end_id: int
    padding_id: int = 0
    num_beams: int = 5
    length_penalty: float = 1.0


@dataclass(frozen=True, slots=True)
class PresetOverride:
    """What a task wants of a preset otherwise than the preset says; None leaves it as it is.

    `budget` is in the task's unit of budget, `tokens_per_batch` counts positions. A task whose
    budget is in examples says `examples_per_batch` instead: so it is updated equally often at every
    length. `options` override the task's and its recipe's, as a user's `--option` does, which goes
    before.
    """

    budget: int | None = None
    lengths: tuple[int, ...] | None = None
    tokens_per_batch: int | None = None
    examples_per_batch: int | None = None
    model_size: str | None = None
    options: Options = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Score:
    """A split's figures: `metrics` are numbers, `reports` the detail behind them."""

    metrics: Mapping[str, float | None]
    reports: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExamplePrediction:
    """One example of test in words: what went in, what should come out, what did."""

    input: str
    expected: str
    answer: str
    right: bool


class Task(ABC):
    """What is learned and how it is scored.

    A task is one file whose name is its key and which binds an instance to `TASK`. At its top it
    imports the standard library and `suite.api` only; its methods import what they need.
    """

    version: int
    title: str
    summary: str
    form: Form
    inputs: Inputs
    position: str
    """What one position is: "a word", "a subword token", "a patch"."""
    default_lengths: tuple[int, ...]
    primary_metric: Metric
    other_metrics: Sequence[Metric] = ()
    """What else it scores; one that is not named is taken for one of which more is better."""
    default_source: str
    sources: Mapping[str, Source]
    options: Options = {}
    """The options it takes and their defaults."""
    recipe: Recipe = Recipe()
    budget_unit: str = "tokens"
    """What a budget counts: "tokens" or "examples"."""
    preset_overrides: Mapping[str, PresetOverride] = {}
    """By preset, what this task wants otherwise."""
    contiguous: bool = False
    """Whether examples follow one another in one stream, so that what an architecture remembers of
    one is of use in the next."""
    length_buckets: tuple[float, ...] = ()
    """Shares of the length to which a batch may be cut that holds no longer example: the shape of
    the outputs must not depend on the length."""
    generation: Generation | None = None
    """Where set, `score` gets the ids that the model wrote instead of what `predict` gives."""
    max_global_tokens: int = 0
    """How many positions of an example may be global in architectures that have such."""

    @abstractmethod
    def inspect(self, request: SourceRequest, options: Options) -> str | None:
        """Look the source over without any framework and return a digest of its bytes.

        Called in the parent before anything runs: whatever is wrong with the user's data is said
        here. An equal digest means equal data, so finished cells need not run again; None where the
        bytes are yet to be downloaded.

        Raises:
            DataError: the source is missing, empty or malformed.
        """

    @abstractmethod
    def load(self, request: SourceRequest, sequence_length: int, options: Options) -> TaskData:
        """Read the source and encode it at a length, as NumPy arrays. Runs in the child."""

    def inputs_for(self, options: Options) -> Inputs:
        """Say what an architecture is fed under a cell's options; by default `inputs`."""
        return self.inputs

    def build_embedding(self, spec: Mapping[str, Any], width: int) -> Any:
        """Build the layer from a batch's features to (batch, length, width) embeddings.

        They have about unit variance; the architecture adds positions and dropout. Where it takes
        patches they may have any width, and it projects them as it does patches. None (the
        default) where the architecture takes `features["token_ids"]` or `features["patches"]`
        itself; `spec["vocabulary_size"]` then says how many token ids there are.
        """
        return None

    def augment(
        self, features: Mapping[str, Any], spec: Mapping[str, Any], generator: Any
    ) -> Mapping[str, Any]:
        """Vary a training batch's features, in NumPy, by draws from a `numpy.random.Generator`.

        The default leaves them as they are. Not called in validation and test.
        """
        return features

    @abstractmethod
    def build_head(self, spec: Mapping[str, Any]) -> Any:
        """Build the layer that gives the task's outputs, called `head(hidden_states, features)`.

        Hidden states are (batch, length, width). Of an architecture that speaks through a class
        token, length is 1, and so is the mask in `features`; the states of the positions are then
        `features["position_states"]`. A head with a method `tie(table)` gets
        the layer that embeds token ids, from the backbone's `tie_embeddings()`: one table then
        serves source, target and output.
        """

    @abstractmethod
    def loss(self, outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """Give the scalar training loss of one batch, in `keras.ops`."""

    @abstractmethod
    def predict(self, outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """Reduce a batch's outputs, in `keras.ops`, to what `score` needs.

        A classifier takes the likeliest class; a language model says how likely the targets are.
        """

    @abstractmethod
    def score(self, examples: Examples, predictions: Any, spec: Mapping[str, Any]) -> Score:
        """Score the stacked predictions of a split, or of consecutive examples of one, in NumPy."""

    def show(
        self, examples: Examples, predictions: Any, spec: Mapping[str, Any]
    ) -> list[ExamplePrediction]:
        """Put the first of the test split's examples into words, for people. By default none."""
        return []

    def unsupported_reason(self, sequence_length: int) -> str | None:
        """Say why this task cannot be had at a length, or None."""
        return None


def task_options(task: Task, options: Options) -> dict[str, Any]:
    """Return a task's options: its defaults with those of a cell's overrides that are its own."""
    return {name: options.get(name, default) for name, default in task.options.items()}
