"""A train cell: data → model → inference measured → training measured → scored.

Validation chooses the weights; the test split is scored once, at the end.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from suite.api import (
    Architecture,
    BuildRequest,
    ExamplePrediction,
    Examples,
    Form,
    Inputs,
    Job,
    Score,
    Status,
    Task,
    TaskData,
    build_request,
    count_positions,
    count_real,
    task_options,
    uses_xla,
)
from suite.api.errors import PluginError
from suite.worker.checkpoint import Checkpoint
from suite.worker.data import encoded
from suite.worker.data.batches import (
    Batch,
    augmented,
    bucket_lengths,
    evaluation_batches,
    evaluation_rows,
    training_stream,
)
from suite.worker.generation import BeamSearch
from suite.worker.measure import warmup
from suite.worker.measure.interference import Watch
from suite.worker.measure.timing import (
    MAX_SAMPLES,
    MIN_BLOCKS,
    WARMUP_STEPS,
    PeakMemory,
    StepTimings,
    give_back_freed_memory,
    steps_per_block,
    time_repeats,
)
from suite.worker.occlusion import occlusion_map
from suite.worker.steps import (
    Model,
    allocator,
    devices,
    fix_randomness,
    has_accelerator,
    make_optimizer,
    make_prediction_step,
    make_training_step,
)

MIN_STEPS_BETWEEN_VALIDATIONS = 32
NUM_AVERAGED = 20
"""The weights of so many steps are averaged, where any are."""
MAX_SHOWN = 6
MAX_SHOWN_CHARACTERS = 400
MAX_PARTS = 20
"""Into so many parts the test split is cut, each scored by itself: how much they differ says how
much a figure hangs on the examples that happen to be in test."""


class Diverged(Exception):
    """The loss stopped being a number."""


@dataclass(frozen=True)
class _Best:
    """The best validation so far: its figure, the tokens seen then, the score, the weights."""

    value: float
    tokens: int
    score: Score
    weights: list[np.ndarray]
    averaged: bool = False


@dataclass
class Mean:
    """The running mean of the weights of several steps."""

    count: int = 0
    weights: list[np.ndarray] = field(default_factory=list)

    def add(self, weights: Sequence[np.ndarray]) -> None:
        """Take one more step's weights in."""
        self.count += 1
        if self.count == 1:
            self.weights = [np.array(value, np.float32) for value in weights]
        for mean, value in zip(self.weights, weights, strict=True):
            mean += (value.astype(np.float32) - mean) / self.count


@dataclass
class Trained:
    """How far training is: the curve of its loss, the best validation and its weights."""

    steps: int = 0
    tokens: int = 0
    losses: list[tuple[int, float]] = field(default_factory=list)
    validations: list[tuple[int, float]] = field(default_factory=list)
    best: _Best | None = None
    mean: Mean = field(default_factory=Mean)
    resumed_at: list[int] = field(default_factory=list)
    """The steps at which it went on from a checkpoint."""


def run(job: Job, task: Task, architecture: Architecture, tell: Any) -> dict[str, Any]:
    """Do a train cell's work and return its outcome."""
    cell, recipe = job.cell, job.recipe
    assert job.source is not None
    fix_randomness(cell.seed)
    tell("loading data", 0.0)
    options = task_options(task, cell.options)
    started = time.perf_counter()
    data = encoded.load(job, task, options)
    data_seconds = time.perf_counter() - started
    request = build_request(cell, job.model_size, recipe, task, architecture, data.spec)
    xla = uses_xla(cell, architecture, request)
    tell("warming up", 0.0)
    warmup.throwaway_step(xla)
    fix_randomness(cell.seed)  # what the warm-up drew changes nothing

    inference_memory = PeakMemory(allocator())
    inference_memory.start()
    model = Model(
        build_embedding(task, request, data.spec),
        architecture.build(request),
        task.build_head(data.spec),
        task.form,
        task.contiguous and recipe.carry_memory,
    )
    predict = make_prediction_step(model, task.predict, xla)
    tell("measuring inference", 0.0)
    session = _Session(job, task, data, model, predict, tell, xla)
    longest = next(session.evaluation_batches("validation"))
    inference = measure_inference(predict, longest, inference_memory)
    give_back_freed_memory()

    training_memory = replace(inference_memory, highest_bytes=None, compile_bytes=None)
    trained = session.train(training_memory)
    assert trained.best is not None
    tell("scoring", 0.0)
    scores = {"validation": trained.best.score, **session.final_scores()}
    counts = model.parameter_counts()
    return {
        "status": Status.OK,
        "metrics": {split: dict(score.metrics) for split, score in scores.items()},
        "reports": {split: dict(score.reports) for split, score in scores.items()},
        "curves": {
            "training_loss": _curve(trained.losses),
            f"validation_{task.primary_metric.name}": _curve(trained.validations),
        },
        "measurements": {
            "inference": {**inference.measured(), **inference_memory.measured()},
            "training": {**session.blocks.measured(), **training_memory.measured()},
        },
        "parameter_count": counts["total"],
        "parameter_counts": counts,
        "data": dict(data.facts),
        "environment": {"devices": devices()},
        "details": {
            "xla": xla,
            "options": {**options, **request.options},
            "recipe": {name: getattr(recipe, name) for name in recipe.__dataclass_fields__},
            "noisy": [] if session.blocks.quiet else ["training"],
            "data_seconds": data_seconds,
            "waiting_for_data_share": session.waiting_seconds / session.training_seconds,
            "training_steps": trained.steps,
            "training_tokens": trained.tokens,
            "best_weights_at_tokens": trained.best.tokens,
            "best_weights_are_averaged": trained.best.averaged,
            "resumed_at_steps": trained.resumed_at,
            "real_token_share": {
                split: _real_share(examples, task.length_buckets)
                for split, examples in _splits(data).items()
            },
        },
    }


def build_embedding(task: Task, request: BuildRequest, spec: Mapping[str, Any]) -> Any:
    """Build a task's own embedding, None where the architecture is to embed token ids or patches.

    Raises:
        PluginError: the task gives one where it says that it feeds token ids, or none where it
            says that it feeds embeddings.
    """
    embedding = task.build_embedding(spec, request.model_size.width)
    given = embedding is not None
    if {Inputs.TOKEN_IDS: False, Inputs.EMBEDDINGS: True}.get(request.inputs, given) != given:
        raise PluginError(
            "A task gives an embedding where it says Inputs.EMBEDDINGS, and none where it says "
            "Inputs.TOKEN_IDS",
            received=f"Inputs.{request.inputs.name} and {embedding} from build_embedding",
            remedy="Change the task's `inputs` (or `inputs_for`), or what build_embedding returns",
        )
    return embedding


def measure_inference(
    predict: Callable[[Batch], Any], batch: Batch, memory: PeakMemory
) -> StepTimings:
    """Time prediction on one full batch."""
    tokens, positions = count_real(batch.features), count_positions(batch.features)
    return time_repeats(lambda: predict(batch), tokens, positions, memory)


@dataclass
class _Session:
    """The training of one model, and what it is made of."""

    job: Job
    task: Task
    data: TaskData
    model: Model
    predict: Callable[[Batch], Any]
    tell: Any
    xla: bool

    def __post_init__(self) -> None:
        self.blocks = StepTimings(Watch(has_accelerator()))
        self._writers: dict[int, BeamSearch] = {}
        self.waiting_seconds = 0.0
        self.training_seconds = 0.0
        train, per_step = self.data.train, float(self.job.cell.batch_size)
        if self.task.budget_unit == "tokens":
            per_step *= train.num_tokens / train.num_examples
        self.total_steps = math.ceil(self.job.cell.budget / per_step)

    def train(self, memory: PeakMemory) -> Trained:
        """Spend the budget, then put back the weights that were best on validation.

        A checkpoint of a run that was cut off is gone on from: the first steps are taken all the
        same, because they compile, and then everything is as it was.
        """
        cell, recipe = self.job.cell, self.job.recipe
        optimizer = make_optimizer(recipe, self.total_steps)
        step = make_training_step(self.model, self.task.loss, optimizer, self.xla)
        stream = augmented(
            training_stream(
                self.data.train,
                cell.batch_size,
                cell.seed,
                self.task.contiguous,
                self.task.length_buckets,
                round(recipe.curriculum_share * self.total_steps),
            ),
            partial(self.task.augment, spec=self.data.spec),
            cell.seed,
        )
        due = _validation_steps(self.total_steps, recipe.validations)
        averaged = _averaged_steps(self.total_steps, recipe.averaged_share)
        laid = bucket_lengths(self.data.train, self.task.length_buckets)
        first = min(max(WARMUP_STEPS, len(np.unique(laid))), *due, *averaged)
        checkpoint = Checkpoint(self.job.checkpoint, [self.job.source_digest, self.job.code_digest])

        trained = Trained()
        memory.reset()
        self._block(step, stream, first, trained, compiling=True)
        memory.compiled()
        variables = [*self.model.variables, *optimizer.variables]
        if kept := checkpoint.read(variables):
            trained = self._restore(*kept, memory)
            for _ in range(trained.steps - first):
                next(stream)
        while True:
            if checkpoint.due():
                best = trained.best.weights if trained.best else []
                kept_weights = {"best": best, "mean": trained.mean.weights}
                checkpoint.write(variables, kept_weights, self._state(trained, memory))
            if trained.steps in averaged:
                trained.mean.add(self.model.get_weights())
                memory.reset()
            if trained.steps in due:
                self._validate(trained)
                memory.reset()
            if trained.steps >= self.total_steps:
                break
            next_due = min(stop for stop in due | averaged if stop > trained.steps)
            count = min(self._steps_per_block(first), next_due - trained.steps)
            self._block(step, stream, count, trained)
            memory.watch()
        if trained.mean.count > 1:
            self.model.set_weights(trained.mean.weights)
            self._keep_if_best(trained, averaged=True)
        assert trained.best is not None
        self.model.set_weights(trained.best.weights)
        return trained

    def _block(
        self,
        step: Callable[[Batch], Any],
        stream: Iterator[Batch],
        count: int,
        trained: Trained,
        *,
        compiling: bool = False,
    ) -> None:
        """Take `count` steps together and time them; reading the losses waits for the device."""
        drawn = time.perf_counter()
        batches = [next(stream) for _ in range(count)]
        self.waiting_seconds += time.perf_counter() - drawn
        with nullcontext() if compiling else self.blocks.watch:  # compiling is nobody's energy
            started = time.perf_counter()
            values = [float(value) for value in [step(batch) for batch in batches]]
            seconds = time.perf_counter() - started
        self.training_seconds += seconds
        if compiling:
            self.blocks.compile_seconds = seconds
        else:
            self.blocks.add(seconds, count, _tokens(batches), _positions(batches))
        _check_finite(values, trained.steps)
        trained.steps += count
        trained.tokens += _tokens(batches)
        trained.losses.append((trained.tokens, float(np.mean(values))))
        self.tell("training", trained.steps / self.total_steps, trained.losses[-1][1])

    def _steps_per_block(self, first: int) -> int:
        """Return how many steps the next block has.

        About `BLOCK_SECONDS` of them, and no run has fewer blocks than `MIN_BLOCKS` where its steps
        allow it.
        """
        if not self.blocks.seconds:
            return 1
        measured = self.blocks.seconds[-1] / self.blocks.steps[-1]
        most = max(1, (self.total_steps - first) // MIN_BLOCKS)
        return min(steps_per_block(measured), most)

    def _validate(self, trained: Trained) -> None:
        """Add a point to the curve of validation."""
        trained.validations.append((trained.tokens, self._keep_if_best(trained)))

    def _keep_if_best(self, trained: Trained, *, averaged: bool = False) -> float:
        """Score the validation split and keep the weights where they are the best so far."""
        score = self.score("validation")
        figure = score.metrics[self.task.primary_metric.name]
        value = math.nan if figure is None else figure
        if trained.best is None or self._better(value, trained.best.value):
            weights = self.model.get_weights()
            trained.best = _Best(value, trained.tokens, score, weights, averaged)
        return value

    def final_scores(self) -> dict[str, Score]:
        """Score the test split, and what the memory or the beams are worth on it."""
        found = {}
        num_beams = 1
        if self.task.generation:
            found["test_greedy"] = self.score("test")
            num_beams = self.task.generation.num_beams
        answers = self.answers("test", num_beams=num_beams)
        score = self.task.score(self.data.test, answers, self.data.spec)
        by_part = score_parts(self.task, self.data.test, answers, self.data.spec)
        shown = choose_shown(self.task.show(self.data.test, answers, self.data.spec))
        reports = {**score.reports, "by_part": by_part, "examples": shown}
        if self.task.form is not Form.ENCODER_DECODER:
            reports["occlusion"] = occlusion_map(self.model, self.data.test)
        found["test"] = replace(score, reports=reports)
        if self.model.carries_memory:
            found["test_without_memory"] = self.score("test", forgets=True)
        return found

    def score(self, split: str, *, forgets: bool = False) -> Score:
        """Answer a whole split, greedily where answers are written, and let the task score it."""
        answers = self.answers(split, forgets=forgets)
        return self.task.score(_splits(self.data)[split], answers, self.data.spec)

    def answers(self, split: str, *, forgets: bool = False, num_beams: int = 1) -> np.ndarray:
        """Answer a whole split, in the order of its examples.

        What an architecture remembers goes from batch to batch unless it `forgets`.
        """
        answer = self.predict
        if self.task.generation:
            length = self.job.cell.sequence_length
            answer = self._writers.setdefault(
                num_beams, BeamSearch(self.model, self.task.generation, num_beams, length)
            ).write
        found = np.concatenate(
            [
                answer(replace(batch, fresh=batch.fresh or forgets))[: batch.num_examples]
                for batch in self.evaluation_batches(split)
            ]
        )
        self.model.forget()  # training goes on elsewhere
        predictions = np.empty_like(found)
        predictions[np.concatenate(evaluation_rows(*self._evaluated(split)))] = found
        return predictions

    def evaluation_batches(self, split: str) -> Iterator[Batch]:
        """Yield a split's batches, the longest first."""
        return evaluation_batches(*self._evaluated(split))

    def _evaluated(self, split: str) -> tuple[Examples, int, bool, Sequence[float]]:
        task = self.task
        examples = _splits(self.data)[split]
        return examples, self.job.cell.batch_size, task.contiguous, task.length_buckets

    def _state(self, trained: Trained, memory: PeakMemory) -> dict[str, Any]:
        """Return what a checkpoint holds beside variables and weights; `_restore` takes it back."""
        best = trained.best
        return {
            "trained": {
                name: getattr(trained, name)
                for name in ("steps", "tokens", "losses", "validations", "resumed_at")
            },
            "best": best
            and {name: getattr(best, name) for name in ("value", "tokens", "averaged")}
            | {"score": asdict(best.score)},
            "averaged": trained.mean.count,
            "blocks": self.blocks.state(),
            "highest_bytes": memory.highest_bytes,
            "waiting_seconds": self.waiting_seconds,
            "training_seconds": self.training_seconds,
        }

    def _restore(
        self, state: dict[str, Any], kept: dict[str, list[np.ndarray]], memory: PeakMemory
    ) -> Trained:
        """Take up what `_state` gave; what compiling took is this process's own."""
        best = state["best"]
        self.blocks.restore(state["blocks"])
        memory.highest_bytes = state["highest_bytes"]
        self.waiting_seconds = state["waiting_seconds"]
        self.training_seconds = state["training_seconds"]
        trained = Trained(**state["trained"])
        trained.resumed_at.append(trained.steps)
        if best:
            score = Score(**best.pop("score"))
            trained.best = _Best(score=score, weights=kept["best"], **best)
        if state["averaged"]:
            trained.mean = Mean(state["averaged"], kept["mean"])
        return trained

    def _better(self, value: float, best: float) -> bool:
        if math.isnan(value) or math.isnan(best):
            return not math.isnan(value)
        higher = self.task.primary_metric.higher_is_better
        return value > best if higher else value < best


def score_parts(
    task: Task, examples: Examples, predictions: np.ndarray, spec: Mapping[str, Any]
) -> dict[str, list[float | None]]:
    """Score equal parts of consecutive examples: by metric, the figure of each part.

    Neighbours, which may be of one document, so stay together.
    """
    rows = np.array_split(np.arange(examples.num_examples), min(MAX_PARTS, examples.num_examples))
    scores = [
        task.score(
            Examples(
                {name: array[part] for name, array in examples.features.items()},
                {name: array[part] for name, array in examples.targets.items()},
            ),
            predictions[part],
            spec,
        ).metrics
        for part in rows
    ]
    return {name: [score[name] for score in scores] for name in scores[0]}


def choose_shown(examples: Sequence[ExamplePrediction]) -> list[dict[str, Any]]:
    """Take the first few that are wrong and the first few that are right, and cut long texts."""
    chosen = [
        example
        for right in (False, True)
        for example in [item for item in examples if item.right is right][:MAX_SHOWN]
    ]
    return [
        {
            "input": shorten(example.input),
            "expected": shorten(example.expected),
            "answer": shorten(example.answer),
            "right": example.right,
        }
        for example in chosen
    ]


def shorten(text: str) -> str:
    """Cut a text where it is longer than anybody reads."""
    return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[:MAX_SHOWN_CHARACTERS]} …"


def _check_finite(values: list[float], steps_before: int) -> None:
    for index, value in enumerate(values):
        if not math.isfinite(value):
            raise Diverged(f"the training loss was {value} at step {steps_before + index + 1}")


def _validation_steps(total_steps: int, validations: int) -> set[int]:
    """Return the steps after which to validate: evenly spread, and never a few steps apart."""
    validations = max(1, min(validations, total_steps // MIN_STEPS_BETWEEN_VALIDATIONS))
    return {max(1, round(total_steps * (i + 1) / validations)) for i in range(validations)}


def _averaged_steps(total_steps: int, share: float) -> set[int]:
    """Return the steps whose weights are averaged: the last, and others evenly before it."""
    apart = max(1.0, share * total_steps / NUM_AVERAGED)
    count = min(NUM_AVERAGED, int(share * total_steps))
    return {total_steps - round(i * apart) for i in range(count)}


def _real_share(examples: Examples, buckets: Sequence[float]) -> float:
    """Return the share of laid positions that are real."""
    laid = bucket_lengths(examples, buckets)
    full = examples.features["padding_mask"].shape[1]
    positions = count_positions(examples.features) * laid.mean() / full
    return float(examples.num_tokens / positions)


def _tokens(batches: list[Batch]) -> int:
    return sum(batch.num_tokens for batch in batches)


def _positions(batches: list[Batch]) -> int:
    return sum(count_positions(batch.features) for batch in batches)


def _curve(points: list[tuple[int, float]]) -> dict[str, list[float]]:
    """Return a curve of at most `MAX_SAMPLES` points, each the mean of neighbours."""
    together = math.ceil(len(points) / MAX_SAMPLES) or 1
    groups = [points[start : start + together] for start in range(0, len(points), together)]
    return {
        "tokens": [group[-1][0] for group in groups],
        "values": [float(np.mean([value for _, value in group])) for group in groups],
    }


def _splits(data: TaskData) -> Mapping[str, Examples]:
    return {"train": data.train, "validation": data.validation, "test": data.test}
