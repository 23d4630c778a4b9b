"""The training loop: timed blocks of steps, checkpoints, and validation."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from suite.api import Job, Task, TaskData, count_positions
from suite.worker.data.batches import Batch, bucket_lengths, training_stream
from suite.worker.failures import Diverged
from suite.worker.measure.interference import InterferenceMonitor
from suite.worker.measure.memory import PeakMemory
from suite.worker.measure.timing import MIN_BLOCKS, WARMUP_STEPS, StepTimings, steps_per_block
from suite.worker.methods import Composition
from suite.worker.optimizers import make_optimizer
from suite.worker.steps import Model, make_training_step
from suite.worker.train.checkpoint import Checkpoint
from suite.worker.train.evaluation import Evaluator
from suite.worker.train.selection import BestWeights, Progress, is_better, validation_steps


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
        cell, train = self.job.cell, self.data.train
        self.progress = Progress()
        blocks, compiling = (
            InterferenceMonitor(cell.threads, self.memory.on_accelerator) for _ in range(2)
        )
        self.timings = StepTimings(blocks, compiling)
        self.waiting_seconds = 0.0
        self.training_seconds = 0.0
        self.total_steps = cell.steps
        recipe = self.job.recipe
        self._validation_steps = validation_steps(
            self.total_steps, recipe.validations, recipe.validation_spacing
        )
        # Each length of batches compiles once, in the first steps.
        lengths = np.unique(bucket_lengths(train, self.task.length_buckets))
        first_steps = max(WARMUP_STEPS, len(lengths))
        self._compiling_steps = min(first_steps, *self._validation_steps)

    def run(self) -> None:
        """Take all steps, then set the weights that are best on validation.

        A checkpoint of an interrupted run is resumed. The first steps run in any case because they
        compile; then the checkpoint replaces all variables.
        """
        optimizer = make_optimizer(self.job.recipe, self.total_steps)
        optimizer = self.methods.optimizer(optimizer, self.model, self.total_steps)
        self._optimizer = optimizer
        loss = self.methods.loss(self.task.loss)
        wrap = self.methods.update_loss()
        self._step = make_training_step(self.model, loss, optimizer, self.xla, wrap)
        self._after_step = self.methods.after_step(self.model, self.total_steps)
        self._stream = self._training_batches()
        digests = [self.job.source_digest, *self.code_digests]
        checkpoint = Checkpoint(self.job.checkpoint, digests)

        self._compile()
        variables = [*self.model.variables, *optimizer.variables]
        self._resume(checkpoint, variables)
        while True:
            if checkpoint.due():
                kept = {**self.progress.kept_weights(), **self.methods.state()}
                checkpoint.write(variables, kept, self._state())
            if self.progress.steps in self._validation_steps:
                tokens = self.progress.tokens
                self.progress.validations.append((tokens, self._validate()))
                self.progress.seconds.append((tokens, self.training_seconds))
                self.memory.reset()
            if self.progress.steps >= self.total_steps:
                break
            self._train_block()
        assert self.progress.best is not None
        self.model.set_weights(self.progress.best.weights)

    def _training_batches(self) -> Iterator[Batch]:
        cell, task = self.job.cell, self.task
        stream = training_stream(
            self.data.train,
            cell.batch_size,
            cell.seed,
            task.contiguous,
            task.length_buckets,
            task.draw_updates,
        )
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
        than `MIN_BLOCKS` blocks, and ends at the next step of validation.
        """
        steps = self.progress.steps
        remaining = min(stop for stop in self._validation_steps if stop > steps) - steps
        if not self.timings.seconds:
            return 1
        step_seconds = self.timings.seconds[-1] / self.timings.steps[-1]
        most = max(1, (self.total_steps - self._compiling_steps) // MIN_BLOCKS)
        return min(steps_per_block(step_seconds), most, remaining)

    def _validate(self) -> float:
        """Score the model, or the weights that methods offer, and return the first figure."""
        candidates = self.methods.candidates(
            self.model, self._optimizer, self.progress.steps, self.total_steps
        )
        if not candidates:
            return self._keep_if_best(keeps=candidates is None)
        own = self.model.get_weights()
        figures = []
        for weights in candidates:
            self.model.set_weights(weights)
            figures.append(self._keep_if_best())
        self.model.set_weights(own)
        self.model.reset_state()  # as every validation does
        return figures[0]

    def _keep_if_best(self, *, keeps: bool = True) -> float:
        """Score the validation split, keep the weights if they are the best, return the figure.

        With `keeps` false, the weights are scored alone.
        """
        score = self.evaluator.score("validation")
        metric = self.task.primary_metric
        figure = score.metrics[metric.name]
        value = math.nan if figure is None else figure
        best = self.progress.best
        if keeps and (best is None or is_better(metric, value, best.value)):
            weights = self.model.get_weights()
            self.progress.best = BestWeights(value, self.progress.tokens, score, weights)
        return value

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
        self.methods.restore(kept)
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
