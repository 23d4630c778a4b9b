"""The contract of a task: its data, its embedding and head, its loss and its score."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from suite.api.data import (
    ExamplePrediction,
    Examples,
    Metric,
    Score,
    Source,
    SourceRequest,
    TaskData,
)
from suite.api.enums import Form, Inputs, Track
from suite.api.errors import PluginError, Unsupported
from suite.api.options import DATA_OPTIONS, OPEN_RECIPE_OPTIONS, Options, Recipe
from suite.api.raw_text import RawText

if TYPE_CHECKING:
    import numpy as np

IDENTITY, SPELLING = "identity", "spelling"
"""The parts of a token that `Task.hide_tokens` hides."""


@dataclass(frozen=True, slots=True)
class Generation:
    """The decoding settings of an encoder-decoder task.

    Decoding of an example stops after as many `end_id`s as its source has. Validation is decoded
    greedily. The test split is decoded greedily and by beam search with `num_beams`. Finished
    beams are ranked by log probability divided by ((5 + length) / 6) ** `length_penalty` (Wu et
    al. 2016, "Google's Neural Machine Translation System", section 7).
    """

    start_id: int
    end_id: int
    padding_id: int = 0
    num_beams: int = 5
    length_penalty: float = 1.0


class Task(RawText, ABC):
    """A learning problem and its score.

    A task is one file, or a folder with a `task.py`. The name of the file or folder is the task's
    key, and the module binds an instance to `TASK`. Top-level imports are limited to the standard
    library and `suite.api`; methods import frameworks and helpers where they use them.
    """

    version: int
    title: str
    summary: str
    form: Form
    inputs: Inputs
    position: str
    """The meaning of one position: "a word", "a subword token", "a patch"."""
    default_lengths: tuple[int, ...]
    primary_metric: Metric
    other_metrics: Sequence[Metric] = ()
    """The direction of further metrics; for an unlisted metric, higher is better."""
    default_source: str
    sources: Mapping[str, Source]
    options: Options = {}
    """The task's options with their defaults."""
    open_options: frozenset[str] = frozenset()
    """The options that put a cell on the open track if they differ from their default.

    They let something other than the backbone mix positions, or change the training of one entry:
    convolutions over neighbours, chains of tags, gold features, extra supervision, presets."""
    recipe: Recipe = Recipe()
    scored_unit: Literal["positions", "examples"] = "positions"
    """The unit that the task scores. At every length, an update has the same number of tokens if
    positions are scored, and the same number of examples if whole examples are scored."""
    contiguous: bool = False
    """Whether consecutive examples continue one stream, so that the state after one example helps
    with the next."""
    length_buckets: tuple[float, ...] = ()
    """Shares of the length to which a batch of shorter examples may be trimmed. Set this only if
    the shape of the outputs does not depend on the length."""
    generation: Generation | None = None
    """If set, `score` receives the generated ids instead of the output of `predict`."""
    max_global_tokens: int = 0
    """The highest number of global positions in an example, for architectures with global
    attention."""
    solved_at: float | None = None
    """The value of the primary metric, a share, from which on a seed solves the task.

    Set it for diagnostics; 0.99 is usual for exact answers. The site shows the share of seeds that
    solve a diagnostic, and the steps that they need."""
    hideable: tuple[str, ...] = ()
    """The parts that a token can lose in training: `IDENTITY`, and `SPELLING` if the task has
    features of it. `hide_tokens` hides them."""
    shiftable_images: bool = False
    """Whether an example is a square image, cut into patches row by row, whose targets stay the
    same if it moves by a few pixels. `spec` then has `patch_size` and `channels`."""
    evaluation_lengths_supported: bool = False
    """Whether a model trained at one length can be scored at longer ones: `load_evaluation`."""
    offers_all_classes: bool = True
    """Whether each example may have any class. If not, `class_logits` masks the others."""
    added_token_ids: int = 0
    """The number of token ids after the `spec["vocabulary_size"]` of the data, such as a mask."""

    def __init_subclass__(cls) -> None:
        """Check `options`, `open_options`, `evaluation_lengths_supported` and `solved_at`.

        Raises:
            PluginError: an option has the name of an option of every task, an open option is no
                option, a task that generates has evaluation lengths, or a task has `solved_at` and
                its primary metric is no share.
        """
        super().__init_subclass__()
        if cls.evaluation_lengths_supported and cls.generation:
            raise PluginError(
                "A task that generates answers is scored at its training length alone",
                received=f"evaluation_lengths_supported and generation in {cls.__name__}",
                remedy="Remove one of the two",
            )
        metric = getattr(cls, "primary_metric", None)
        if cls.solved_at is not None and metric and not metric.share:
            raise PluginError(
                "A task with `solved_at` has a primary metric that is a share",
                received=f"{metric.name} in {cls.__name__}",
                remedy="Remove `solved_at`, or set `share=True` if the metric is a share",
            )
        if taken := cls.options.keys() & DATA_OPTIONS.keys():
            raise PluginError(
                "A task's own options must not have the name of an option of every task",
                received=", ".join(sorted(taken)),
                remedy=f"Rename the option in `options` of {cls.__name__}",
            )
        if unknown := cls.open_options - cls.options.keys():
            raise PluginError(
                "Each of `open_options` must be one of the task's options",
                received=", ".join(sorted(unknown)),
                remedy=f"Add it to `options` of {cls.__name__}",
            )

    @abstractmethod
    def inspect(self, request: SourceRequest, options: Options) -> str | None:
        """Check the source without any framework and return a digest of its bytes.

        The parent process calls this method before anything runs, so all errors in the user's
        data and options are reported here. An equal digest means equal data: finished cells are
        not repeated. None means that the bytes are not downloaded yet.

        Raises:
            DataError: the source is missing, empty or malformed.
        """

    def remarks(self, request: SourceRequest, options: Options) -> Sequence[str]:
        """Return what the user should know of a source that `inspect` accepts, in sentences.

        For example, which files of a folder are left out. A plan and a run print them.
        """
        return ()

    @abstractmethod
    def load(self, request: SourceRequest, sequence_length: int, options: Options) -> TaskData:
        """Read the source and encode it at a length, as NumPy arrays.

        Only the cell's process calls this method.
        """

    def load_evaluation(
        self,
        request: SourceRequest,
        sequence_length: int,
        options: Options,
        spec: Mapping[str, Any],
    ) -> Mapping[str, Examples]:
        """Encode "validation" and "test" at an evaluation length above the training length.

        `spec` is that of `load` at the training length: the vocabulary and the labels are the same,
        and nothing is learned from the returned data. At the training length itself, the splits of
        `load` are scored. A task that declares `evaluation_lengths_supported` implements this
        method.

        Raises:
            Unsupported: the source has no data of this length; the model counts as not applicable.
        """
        raise Unsupported(f"{self.title} has no evaluation lengths.")

    def inputs_for(self, options: Options) -> Inputs:
        """Return the kind of input that the architecture gets with a cell's options.

        The default is `inputs`.
        """
        return self.inputs

    def build_embedding(self, spec: Mapping[str, Any], width: int) -> Any:
        """Build the layer that maps a batch's features to (batch, length, width) embeddings.

        Embeddings have about unit variance. The architecture adds positions and dropout. For
        architectures that take patches, the embeddings may have any width; the architecture
        projects them as it projects patches. None (the default) means that the architecture takes
        `features["token_ids"]` or `features["patches"]` directly. `spec["vocabulary_size"]` is
        then the number of token ids.
        """
        return None

    def token_ids_of(self, spec: Mapping[str, Any]) -> tuple[str, int]:
        """Return the name of the feature with the id of each token, (batch, n), and their number.

        Pretraining predicts these ids where `hide_tokens` hides `IDENTITY`. The default is that of
        a task whose architecture takes token ids.
        """
        return "token_ids", spec["vocabulary_size"]

    def hide_tokens(
        self, features: Mapping[str, Any], hidden: Mapping[str, Any], spec: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Return the features of a training batch in which some tokens are unknown, in NumPy.

        `hidden` holds, for each part of `hideable`, the positions whose tokens lose it: (batch, n).
        The default replaces their `token_ids` by `spec["unknown_id"]`.
        """
        import numpy as np

        ids = features["token_ids"]
        unknown = np.where(hidden[IDENTITY], spec["unknown_id"], ids).astype(ids.dtype)
        return {**features, "token_ids": unknown}

    @abstractmethod
    def build_head(self, spec: Mapping[str, Any]) -> Any:
        """Build the layer that gives the task's outputs, called `head(hidden_states, features)`.

        Hidden states have shape (batch, length, width). If the architecture has a class token, the
        head gets its state alone: length is 1, also of the mask in `features`, and
        `features["position_states"]` holds the states of the positions. If the head has a method
        `tie(table)`, it gets the backbone's token embedding layer (from `tie_embeddings()`), so
        that source, target and output share one table.
        """

    @abstractmethod
    def loss(self, outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """Return the scalar training loss of a batch, computed with `keras.ops`."""

    def class_logits(self, outputs: Any, features: Mapping[str, Any]) -> Any:
        """Return the logits that the loss compares with classes; the classes are the last axis.

        The shape is (examples, classes), or (batch, n, classes) at the positions of the batch.
        Methods smooth or distill these. The default returns the outputs.
        """
        return outputs

    def unclassed_reason(self, options: Options) -> str | None:
        """Return why the task has no `class_logits` with its own options, or None."""
        return None

    @abstractmethod
    def predict(self, outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """Reduce a batch's outputs with `keras.ops` to the predictions that `score` needs.

        A tagger returns the most likely tags; a language model returns the loss of each target.
        """

    @abstractmethod
    def score(self, examples: Examples, predictions: Any, spec: Mapping[str, Any]) -> Score:
        """Score the predictions of a split, or of consecutive examples of one, in NumPy."""

    def predict_trivial(self, train: Examples, examples: Examples, spec: Mapping[str, Any]) -> Any:
        """Return the predictions of a predictor that ignores its input, as `score` takes them.

        It may use the targets of `train`, and the targets of `examples` only where `predict` does.
        Its score is the 0 of the leaderboard. The default, None, means that there is none.
        """
        return None

    def guess(self, sequence_length: int, options: Options) -> float | None:
        """Return the primary metric of a guess among the answers that an example offers, or None.

        `options` are the task's own. Charts draw the guess beside the scores: recall of one of p
        pairs is no recall if it scores 1 / p.
        """
        return None

    def show(
        self, examples: Examples, predictions: Any, spec: Mapping[str, Any]
    ) -> list[ExamplePrediction]:
        """Return readable predictions of the first test examples; the default returns none."""
        return []

    def prompts(self, examples: Examples, spec: Mapping[str, Any]) -> list[Sequence[int]]:
        """Return beginnings of validation texts, as token ids, that a trained decoder continues.

        The samples become a report on validation. A task with prompts takes token ids and
        implements `text`. The default returns none.
        """
        return []

    def text(self, token_ids: Sequence[int], spec: Mapping[str, Any]) -> str:
        """Return the text of token ids, for prompts and samples."""
        raise PluginError(
            "A task with prompts must have a method `text`", received=type(self).__name__
        )

    def draw_updates(
        self, train: Examples, batch_size: int, generator: np.random.Generator
    ) -> Iterator[np.ndarray] | None:
        """Yield the rows of each training batch, without end, or return None.

        A task implements this if its batches are not random examples: if certain examples must be
        in one batch, or must not. `generator` has the seed of the cell. With None, the default,
        batches are shuffled, or continue each other if the task is `contiguous`.
        """
        return None

    def unsupported_batch_reason(
        self, batch_size: int, sequence_length: int, options: Options
    ) -> str | None:
        """Return why no batch has this many examples, or None; see `unsupported_reason`."""
        return None

    def unsupported_reason(self, sequence_length: int, options: Options) -> str | None:
        """Return why the task's data does not fit a length, or None if it does.

        The parent process calls this method when it plans, for the sequence length and for each
        evaluation length, so that no cell starts in vain. `options` are the task's own, as `load`
        gets them. The reason continues a sentence that begins with the title; it states the rule,
        and which option to change if one matters.
        """
        return None


def task_options(task: Task, options: Options) -> dict[str, Any]:
    """Return the task's own options: its defaults, overridden by those of a cell."""
    return {name: options.get(name, default) for name, default in task.options.items()}


def track_of(task: Task, options: Options) -> Track:
    """Return the track of a cell of a task with these options.

    It is open if an option of `task.open_options` differs from its default, or if a recipe option
    of `OPEN_RECIPE_OPTIONS` is neither 0 nor false.
    """
    own = task_options(task, options)
    changed = any(own[name] != task.options[name] for name in task.open_options)
    in_recipe = any(options.get(name, getattr(task.recipe, name)) for name in OPEN_RECIPE_OPTIONS)
    return Track.OPEN if changed or in_recipe else Track.STANDARD
