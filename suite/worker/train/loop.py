"""The training loop: timed blocks of steps, checkpoints, and validation."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from suite.api import Job, Task, TaskData, count_positions
from suite.worker.data.batches import Batch, augmented, bucket_lengths, training_stream
from suite.worker.failures import Diverged
from suite.worker.measure.interference import InterferenceMonitor
from suite.worker.measure.memory import PeakMemory
from suite.worker.measure.timing import MIN_BLOCKS, WARMUP_STEPS, StepTimings, steps_per_block
from suite.worker.methods import Composition
from suite.worker.steps import Model, make_optimizer, make_training_step
from suite.worker.train.checkpoint import Checkpoint
from suite.worker.train.evaluation import Evaluator
from suite.worker.train.selection import (
    BestWeights,
    Progress,
    averaged_steps,
    is_better,
    validation_steps,
)


@dataclass(frozen=True, slots=True)
class _Block:
    """Consecutive steps that are timed together."""

    steps: int
    seconds: float
    tokens: int
    positions: int


@dataclass
class TrainingLoop:
    """The training of one model.

    `progress`, `timings`, `memory`, `waiting_seconds` (for data) and `training_seconds` hold the
    results.
    """

    job: Job
    task: Task
    data: TaskData
    model: Model
    evaluator: Evaluator
    memory: PeakMemory
    xla: bool
    code_digests: Sequence[str | None]
    report_progress: Callable[..., None]
    methods: Composition = field(default_factory=Composition)

    def __post_init__(self) -> None:
        cell, recipe, train = self.job.cell, self.job.recipe, self.data.train
        self.progress = Progress()
        blocks, compiling = (
            InterferenceMonitor(cell.threads, self.memory.on_accelerator) for _ in range(2)
        )
        self.timings = StepTimings(blocks, compiling)
        self.waiting_seconds = 0.0
        self.training_seconds = 0.0
        self.total_steps = cell.steps
        self._validation_steps = validation_steps(self.total_steps, recipe.validations)
        self._averaged_steps = averaged_steps(self.total_steps, recipe.averaged_share)
        # Each length of batches compiles once, in the first steps.
        lengths = np.unique(bucket_lengths(train, self.task.length_buckets))
        stops = self._validation_steps | self._averaged_steps
        self._compiling_steps = min(max(WARMUP_STEPS, len(lengths)), *stops)

    def run(self) -> None:
        """Take all steps, then set the weights that are best on validation.

        A checkpoint of an interrupted run is resumed. The first steps run in any case because they
        compile; then the checkpoint replaces all variables.
        """
        optimizer = make_optimizer(self.job.recipe, self.total_steps)
        optimizer = self.methods.optimizer(optimizer, self.total_steps)
        loss = self.methods.loss(self.task.loss)
        self._step = make_training_step(self.model, loss, optimizer, self.xla)
        self._after_step = self.methods.after_step(self.model, self.total_steps)
        self._stream = self._training_batches()
        digests = [self.job.source_digest, *self.code_digests]
        checkpoint = Checkpoint(self.job.checkpoint, digests)

        self._compile()
        variables = [*self.model.variables, *optimizer.variables]
        self._resume(checkpoint, variables)
        while True:
            if checkpoint.due():
                checkpoint.write(variables, self.progress.kept_weights(), self._state())
            self._select_weights()
            if self.progress.steps >= self.total_steps:
                break
            self._train_block()
        self._set_best_weights()

    def _training_batches(self) -> Iterator[Batch]:
        cell, task, recipe = self.job.cell, self.task, self.job.recipe
        stream = training_stream(
            self.data.train,
            cell.batch_size,
            cell.seed,
            task.contiguous,
            task.length_buckets,
            round(recipe.curriculum_share * self.total_steps),
        )
        stream = augmented(stream, partial(task.augment, spec=self.data.spec), cell.seed)
        return self.methods.batches(stream)

    def _compile(self) -> None:
        """Take the first steps; they are timed apart, as the compilation."""
        self.report_progress("compiling", 0.0)
        self.memory.reset()
        block = self._take_steps(self._compiling_steps, self.timings.compile_monitor)
        self.timings.compile_seconds = block.seconds
        self.memory.end_compilation()

    def _train_block(self) -> None:
        """Take the steps of one block and time them."""
        block = self._take_steps(self._num_block_steps(), self.timings.monitor)
        self.timings.add(block.seconds, block.steps, block.tokens, block.positions)
        self.memory.update()

    def _take_steps(self, count: int, monitor: InterferenceMonitor) -> _Block:
        """Take `count` steps together and report the progress.

        Raises:
            Diverged: the loss of a step is no finite number.
        """
        drawn = time.perf_counter()
        batches = [next(self._stream) for _ in range(count)]
        self.waiting_seconds += time.perf_counter() - drawn
        with monitor:
            started = time.perf_counter()
            # Reading the losses waits for the device.
            losses = [float(loss) for loss in self._updates(batches)]
            seconds = time.perf_counter() - started
        self.training_seconds += seconds
        progress = self.progress
        _check_finite(losses, progress.steps)
        tokens = sum(batch.num_tokens for batch in batches)
        progress.steps += count
        progress.tokens += tokens
        progress.losses.append((progress.tokens, float(np.mean(losses))))
        self.report_progress("training", progress.steps / self.total_steps, progress.losses[-1][1])
        positions = sum(count_positions(batch.features) for batch in batches)
        return _Block(count, seconds, tokens, positions)

    def _updates(self, batches: Sequence[Batch]) -> list[Any]:
        """Take one step with each batch, and return the losses, which may be on the device."""
        losses = []
        for step, batch in enumerate(batches, self.progress.steps + 1):
            losses.append(self._step(batch))
            if self._after_step is not None:
                self._after_step(step)
        return losses

    def _num_block_steps(self) -> int:
        """Return the number of steps of the next block.

        A block takes about `BLOCK_SECONDS`. It is shorter where a run would otherwise have fewer
        than `MIN_BLOCKS` blocks, and ends at the next step of validation or averaging.
        """
        steps, stops = self.progress.steps, self._validation_steps | self._averaged_steps
        remaining = min(stop for stop in stops if stop > steps) - steps
        if not self.timings.seconds:
            return 1
        step_seconds = self.timings.seconds[-1] / self.timings.steps[-1]
        most = max(1, (self.total_steps - self._compiling_steps) // MIN_BLOCKS)
        return min(steps_per_block(step_seconds), most, remaining)

    def _select_weights(self) -> None:
        """Add the weights to the mean, and validate, where the current step is one to do so."""
        progress = self.progress
        if progress.steps in self._averaged_steps:
            progress.mean.add(self.model.get_weights())
            self.memory.reset()
        if progress.steps in self._validation_steps:
            progress.validations.append((progress.tokens, self._keep_if_best()))
            self.memory.reset()

    def _keep_if_best(self, *, averaged: bool = False) -> float:
        """Score the validation split, keep the weights if they are the best, return the figure.

        A method may leave weights out of the selection.
        """
        score = self.evaluator.score("validation")
        metric = self.task.primary_metric
        figure = score.metrics[metric.name]
        value = math.nan if figure is None else figure
        best = self.progress.best
        selectable = self.methods.selectable(self.progress.steps, self.total_steps)
        if selectable and (best is None or is_better(metric, value, best.value)):
            weights = self.model.get_weights()
            self.progress.best = BestWeights(value, self.progress.tokens, score, weights, averaged)
        return value

    def _set_best_weights(self) -> None:
        """Validate the averaged weights, if there are any, and set the best weights."""
        mean = self.progress.mean
        if mean.count > 1:
            self.model.set_weights(mean.weights)
            self._keep_if_best(averaged=True)
        assert self.progress.best is not None
        self.model.set_weights(self.progress.best.weights)

    def _state(self) -> dict[str, Any]:
        """Return the state that a checkpoint keeps beside variables and weights."""
        return {
            "progress": self.progress.to_json(),
            "timings": self.timings.state(),
            "highest_bytes": self.memory.highest_bytes,
            "waiting_seconds": self.waiting_seconds,
            "training_seconds": self.training_seconds,
        }

    def _resume(self, checkpoint: Checkpoint, variables: list[Any]) -> None:
        """Restore variables and state from the checkpoint, if there is one.

        The batches of the steps before it are drawn again. The figures of the compilation stay
        those of this process.
        """
        found = checkpoint.read(variables)
        if found is None:
            return
        state, kept = found
        self.progress = Progress.from_json(state["progress"], kept)
        self.progress.resumed_at.append(self.progress.steps)
        self.timings.restore(state["timings"])
        self.memory.highest_bytes = state["highest_bytes"]
        self.waiting_seconds = state["waiting_seconds"]
        self.training_seconds = state["training_seconds"]
        for _ in range(self.progress.steps - self._compiling_steps):
            next(self._stream)


def _check_finite(losses: list[float], steps_before: int) -> None:
    for step, loss in enumerate(losses, steps_before + 1):
        if not math.isfinite(loss):
            raise Diverged(f"the training loss was {loss} at step {step}")
