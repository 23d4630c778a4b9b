"""What the parts promise each other: tasks, architectures, sizes, cells.

Standard library only: these definitions are imported by every listing and by every child process.
The types of tensors and layers are those of Keras, named here as `Any` so that nothing heavy loads.
"""

from __future__ import annotations

import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from suite.errors import RequestError, Unsupported

PROTOCOL = 2
"""The rules of training and measuring. A change that moves numbers raises it."""

PROBE_VOCABULARY_SIZE = 8_000
"""How many different token ids a probe draws from."""

BACKENDS = ("tensorflow", "jax", "torch")
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
"""What runs a cell and how it computes where nobody says: the first of each."""

MASKS = ("padding_mask", "target_mask")
"""The features that say which positions are real."""

Options = Mapping[str, Any]

RUN_OPTIONS: Options = {"devices": 1, "compile": "auto"}
"""Options of every cell, whatever its task and architecture, and their defaults: over how many
devices of the machine its batches are split (data parallelism), and how TensorFlow compiles it (one
of `COMPILE_MODES`)."""

COMPILE_MODES = ("auto", "graph", "xla")
"""As the architecture prefers it, TensorFlow's own operations, or XLA's."""


class Form(StrEnum):
    """What a task needs of an architecture."""

    ENCODER = "encoder"
    DECODER = "decoder"
    ENCODER_DECODER = "encoder_decoder"


class Inputs(StrEnum):
    """What an architecture is fed."""

    TOKEN_IDS = "token_ids"
    PATCHES = "patches"
    EMBEDDINGS = "embeddings"


class Mode(StrEnum):
    """`train` learns and scores, measuring on the way; `probe` only measures, on random input."""

    TRAIN = "train"
    PROBE = "probe"


class Status(StrEnum):
    """What became of a cell. The last two were not run, and say why."""

    OK = "ok"
    FAILED = "failed"
    OUT_OF_MEMORY = "out_of_memory"
    TIMED_OUT = "timed_out"
    DIVERGED = "diverged"
    INTERRUPTED = "interrupted"
    UNSUPPORTED = "unsupported"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class ModelSize:
    """A model's shape, the same for every architecture of a comparison."""

    name: str
    num_layers: int
    width: int
    num_heads: int
    feedforward_width: int


@dataclass(frozen=True, slots=True)
class Cell:
    """One point of the matrix. Its id is a hash of these fields and the protocol.

    `options` holds only what was asked for beyond the defaults, so that a new option with a
    neutral default leaves earlier cells what they were; a default that changes raises `*_version`.
    `budget` counts training tokens (examples for images) and is 0 in probes. `task`,
    `task_version` and `source` are None in probes.
    """

    mode: Mode
    task: str | None
    form: Form
    source: str | None
    options: Options
    architecture: str
    task_version: int | None
    architecture_version: int
    sequence_length: int
    batch_size: int
    model_size: str
    budget: int
    precision: str
    backend: str
    threads: int
    seed: int
    round: int = 0

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits that depend on nothing but the fields and the protocol."""
        # Not asdict, which copies deeply: every record that is read is checked by its id.
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        fields["protocol"] = PROTOCOL
        canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    @property
    def source_kind(self) -> str:
        """The key of its source among the task's, what follows the colon left out; "" of probes."""
        return (self.source or "").partition(":")[0]

    @property
    def label(self) -> str:
        """A short name for people: enough to tell the cells of one matrix apart."""
        parts = [self.task or "probe", self.architecture, str(self.sequence_length)]
        parts += [self.backend] if self.backend != BACKENDS[0] else []
        parts += [self.precision] if self.precision != PRECISIONS[0] else []
        parts += [f"seed {self.seed}"] if self.mode is Mode.TRAIN else [f"round {self.round}"]
        return " · ".join(parts)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Cell:
        """Rebuild a cell from its plain fields, as a record or a job file holds them."""
        cell = cls(**fields)
        return replace(cell, mode=Mode(cell.mode), form=Form(cell.form), options=dict(cell.options))


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
class Effort:
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


@dataclass(frozen=True, slots=True)
class Score:
    """A split's figures: `metrics` are numbers, `reports` the detail behind them."""

    metrics: Mapping[str, float | None]
    reports: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shown:
    """One example of test in words: what went in, what should come out, what did."""

    input: str
    expected: str
    answer: str
    right: bool


class Task(ABC):
    """What is learned and how it is scored.

    A task is one file whose name is its key and which binds an instance to `TASK`. At its top it
    imports the standard library and `suite.contracts` only; its methods import what they need.
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
    efforts: Mapping[str, Effort] = {}
    """By preset, what this task wants otherwise."""
    contiguous: bool = False
    """Whether examples follow one another in one stream, so that what an architecture remembers of
    one is of use in the next."""
    trims_padding_to: tuple[float, ...] = ()
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

    def show(self, examples: Examples, predictions: Any, spec: Mapping[str, Any]) -> list[Shown]:
        """Put the first of the test split's examples into words, for people. By default none."""
        return []

    def unsupported_reason(self, sequence_length: int) -> str | None:
        """Say why this task cannot be had at a length, or None."""
        return None


def task_options(task: Task, options: Options) -> dict[str, Any]:
    """Return a task's options: its defaults with those of a cell's overrides that are its own."""
    return {name: options.get(name, default) for name, default in task.options.items()}


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """What an architecture is asked to build.

    `options` hold the architecture's own defaults with the cell's overrides applied.
    `vocabulary_size` is set where `inputs` are token ids; `max_global_tokens` bounds how many
    positions of an example may be global.
    """

    form: Form
    inputs: Inputs
    model_size: ModelSize
    sequence_length: int
    options: Options
    dropout: float = 0.0
    vocabulary_size: int | None = None
    max_global_tokens: int = 0


class Architecture(ABC):
    """A published model: how it mixes a sequence, its positions, its norms.

    An architecture is one file whose name is its key and which binds an instance to
    `ARCHITECTURE`. At its top it imports the standard library and `suite.contracts` only.
    """

    version: int
    title: str
    paper: str
    forms: frozenset[Form]
    inputs: frozenset[Inputs]
    claimed_time: str
    """Its cost per sequence in its length n, as it claims it: "n", "n log n", "n^2"."""
    claimed_memory: str
    options: Options = {}
    """The options it takes and their defaults."""
    control: bool = False
    """A measuring control joins probes, and trains only when it is named."""
    sorts_by_content: bool = False
    """Whether what a position sees hangs on all others' content and the length, as where a sequence
    is sorted and cut in chunks: then adding padding moves what real positions see, and in causal
    forms later tokens move which earlier ones are seen."""

    def build(self, request: BuildRequest) -> Any:
        """Build the backbone, after asking whether the architecture can.

        Raises:
            Unsupported: it cannot do what was asked; the message says why, and what was received.
        """
        if reason := supports(self, request):
            raise Unsupported(f"{self.title} {reason}.")
        return self.assemble(request)

    @abstractmethod
    def assemble(self, request: BuildRequest) -> Any:
        """Put the backbone together: a `keras.layers.Layer` with the method

        `encode(inputs, padding_mask, state=None, global_mask=None, training=None)`
        → `(hidden_states, state)`, hidden states of shape (batch, length, width). Inputs are
        (batch, length) token ids or (batch, length, width) embeddings, as the request says.
        """

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Say, before anything runs and without any framework, why a cell cannot be, or None."""
        return None

    def mixing_operations(self, request: BuildRequest) -> float | None:
        """Count the floating-point operations that mix positions, by the published formulas.

        Of all layers, for one sequence of the request's length, forward, beyond the products with
        weights, which are counted from the weights themselves; a multiplication and an addition
        are two. No framework is needed. None (the default) where nobody has worked it out.
        """
        return None

    def compile_with_xla(self, request: BuildRequest) -> bool:
        """Whether XLA makes this model faster on TensorFlow's CPU backend, as measured."""
        return False


def build_request(
    cell: Cell,
    model_size: ModelSize,
    recipe: Recipe,
    task: Task | None,
    architecture: Architecture,
    spec: Mapping[str, Any] | None = None,
) -> BuildRequest:
    """Return what a cell asks of its architecture; without a task, what a probe does.

    `spec` is what the data says of the vocabulary, once it is read.
    """
    own = {name: cell.options.get(name, value) for name, value in architecture.options.items()}
    return BuildRequest(
        form=cell.form,
        inputs=task.inputs_for(cell.options) if task else Inputs.TOKEN_IDS,
        model_size=model_size,
        sequence_length=cell.sequence_length,
        options=own,
        dropout=recipe.dropout if task else 0.0,
        vocabulary_size=(spec or {}).get("vocabulary_size") if task else PROBE_VOCABULARY_SIZE,
        max_global_tokens=task.max_global_tokens if task else 0,
    )


def uses_xla(cell: Cell, architecture: Architecture, request: BuildRequest) -> bool:
    """Whether XLA compiles a cell on TensorFlow: as asked, or as the architecture prefers."""
    mode = cell.options.get("compile", "auto")
    return architecture.compile_with_xla(request) if mode == "auto" else mode == "xla"


def supports(architecture: Architecture, request: BuildRequest) -> str | None:
    """Say why an architecture cannot build what is requested, or None where it can."""
    if request.form not in architecture.forms:
        have = ", ".join(sorted(architecture.forms))
        return f"has no {request.form} form; it has: {have}"
    if request.inputs not in architecture.inputs:
        have = ", ".join(sorted(architecture.inputs))
        return f"does not take {request.inputs}; it takes: {have}"
    size = request.model_size
    if size.width % size.num_heads:
        return (
            "needs a width that is a multiple of its heads; "
            f"received: width={size.width}, num_heads={size.num_heads}"
        )
    return architecture.unsupported_reason(request)


@dataclass(frozen=True, slots=True)
class Job:
    """What a child process is told: the cell, where its data is, where to write, its limits.

    `source_digest` says which bytes the source has (None: unknown yet); encoded data is kept in
    `cache`. A training leaves its state at `checkpoint` now and then, and goes on from there where
    `code_digest` is the same.
    """

    cell: Cell
    model_size: ModelSize
    recipe: Recipe
    source: SourceRequest | None
    search_path: tuple[str, ...]
    folder: Path
    cache: Path
    checkpoint: Path
    source_digest: str | None = None
    code_digest: str | None = None

    def to_json(self) -> str:
        """Write the job as one JSON object."""
        paths = {name: str(getattr(self, name)) for name in ("folder", "cache", "checkpoint")}
        return json.dumps({**asdict(self), **paths})

    @classmethod
    def from_json(cls, text: str) -> Job:
        """Read what `to_json` wrote."""
        fields = json.loads(text)
        source = fields["source"]
        return cls(
            cell=Cell.from_dict(fields["cell"]),
            model_size=ModelSize(**fields["model_size"]),
            recipe=Recipe(**fields["recipe"]),
            source=SourceRequest(**source) if source else None,
            search_path=tuple(fields["search_path"]),
            folder=Path(fields["folder"]),
            cache=Path(fields["cache"]),
            checkpoint=Path(fields["checkpoint"]),
            source_digest=fields["source_digest"],
            code_digest=fields["code_digest"],
        )
