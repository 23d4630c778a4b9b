"""The training loop: timed blocks of steps, checkpoints, and validation."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from suite.api import count_positions
from suite.worker.data.batches import Batch, bucket_lengths, training_stream
from suite.worker.failures import Diverged
from suite.worker.measure.interference import InterferenceMonitor
from suite.worker.measure.memory import PeakMemory
from suite.worker.measure.timing import MIN_BLOCKS, WARMUP_STEPS, Phase, steps_per_block
from suite.worker.steps import make_optimizer, make_training_step
from suite.worker.train.checkpoint import Checkpoint
from suite.worker.train.evaluation import Evaluator
from suite.worker.train.selection import BestWeights, Progress, is_better, validation_steps
from suite.worker.train.setup import Setup


class TrainingLoop:
    """The training of one model; `progress` and `phase` hold the results."""

    def __init__(self, setup: Setup, evaluator: Evaluator, memory: PeakMemory) -> None:
        self.setup = setup
        self.evaluator = evaluator
        self.progress = Progress()
        cell, recipe, task = setup.job.cell, setup.job.recipe, setup.task
        blocks, compiling = (
            InterferenceMonitor(cell.threads, memory.on_accelerator) for _ in range(2)
        )
        self.phase = Phase("training", memory, blocks, compiling)
        self.total_steps = cell.steps
        self._validation_steps = validation_steps(
            cell.steps, recipe.validations, recipe.validation_spacing
        )
        # Each length of batches compiles once, in the first steps.
        lengths = np.unique(bucket_lengths(setup.data.train, task.length_buckets))
        first_steps = max(WARMUP_STEPS, len(lengths))
        self._compiling_steps = min(first_steps, *self._validation_steps)

        self._most_positions, self._took_largest = 0, False

        optimizer = make_optimizer(recipe, cell.steps)
        self._optimizer = setup.methods.optimizer(optimizer, setup.model, cell.steps)
        self._step = make_training_step(
            setup.model,
            setup.methods.loss(task.loss),
            self._optimizer,
            setup.xla,
            setup.methods.update_loss(),
        )
        self._after_step = setup.methods.after_step(setup.model, cell.steps)
        self._stream = setup.methods.batches(
            training_stream(
                setup.data.train,
                cell.batch_size,
                cell.seed,
                task.contiguous,
                task.length_buckets,
                task.draw_updates,
            )
        )

    def run(self) -> None:
        """Take all steps, then set the weights that are best on validation.

        A checkpoint of an interrupted run is resumed. The first steps run in any case because they
        compile; then the checkpoint replaces all variables.
        """
        setup, model = self.setup, self.setup.model
        digests = [setup.job.source_digest, *setup.code_digests]
        checkpoint = Checkpoint(setup.job.checkpoint, digests)
        self._compile()
        variables = [*model.variables, *self._optimizer.variables]
        self._resume(checkpoint, variables)
        while True:
            if checkpoint.due():
                kept = {**self.progress.kept_weights(), **setup.methods.state()}
                state = {"progress": self.progress.to_json(), "phase": self.phase.state()}
                checkpoint.write(variables, kept, state)
            if self.progress.steps in self._validation_steps:
                self._validate()
            if self.progress.steps >= self.total_steps:
                break
            self.phase.add(*self._take_steps(self._num_block_steps(), self.phase.monitor))
            self.phase.memory.update()
            if self._took_largest:
                self.phase.memory.keep_freed()
        assert self.progress.best is not None
        model.set_weights(self.progress.best.weights)

    def _compile(self) -> None:
        """Take the first steps; they are timed apart, as the compilation."""
        self.setup.report_progress("compiling", 0.0)
        self.phase.memory.reset()
        seconds, *_ = self._take_steps(self._compiling_steps, self.phase.compile_monitor)
        self.phase.compile_seconds = seconds
        self.phase.memory.end_compilation()

    def _take_steps(self, count: int, monitor: InterferenceMonitor) -> tuple[float, int, int, int]:
        """Take `count` steps together and report the progress; return the block that they are."""
        progress = self.progress
        drawn = time.perf_counter()
        batches = [next(self._stream) for _ in range(count)]
        progress.waiting_seconds += time.perf_counter() - drawn
        with monitor:
            started = time.perf_counter()
            # Reading the losses waits for the device.
            losses = [float(loss) for loss in self._updates(batches)]
            seconds = time.perf_counter() - started
        progress.training_seconds += seconds
        for step, loss in enumerate(losses, progress.steps + 1):
            if not math.isfinite(loss):
                raise Diverged(f"the training loss was {loss} at step {step}")
        tokens = sum(batch.num_tokens for batch in batches)
        progress.steps += count
        progress.tokens += tokens
        mean_loss = float(np.mean(losses))
        progress.losses.append((progress.tokens, mean_loss))
        self.setup.report_progress("training", progress.steps / self.total_steps, mean_loss)
        positions = [count_positions(batch.features) for batch in batches]
        self._most_positions = max(self._most_positions, *positions)
        self._took_largest = max(positions) == self._most_positions
        return seconds, count, tokens, sum(positions)

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

        A block takes about `BLOCK_SECONDS`, less where a run would have fewer than `MIN_BLOCKS` of
        them, and ends at the next step of validation.
        """
        steps, phase = self.progress.steps, self.phase
        remaining = min(stop for stop in self._validation_steps if stop > steps) - steps
        if not phase.seconds:
            return 1
        step_seconds = phase.seconds[-1] / phase.steps[-1]
        most = max(1, (self.total_steps - self._compiling_steps) // MIN_BLOCKS)
        return min(steps_per_block(step_seconds), most, remaining)

    def _validate(self) -> None:
        """Score the model, or the weights that methods offer, and add the first figure."""
        progress, model = self.progress, self.setup.model
        candidates = self.setup.methods.candidates(
            model, self._optimizer, progress.steps, self.total_steps
        )
        if candidates:
            own, figures = model.get_weights(), []
            for weights in candidates:
                model.set_weights(weights)
                figures.append(self._keep_if_best())
            model.set_weights(own)
            model.reset_state()  # as every validation does
            figure = figures[0]
        else:
            figure = self._keep_if_best(keeps=candidates is None)
        progress.validations.append((progress.tokens, figure))
        progress.seconds.append((progress.tokens, progress.training_seconds))
        self.phase.memory.reset()

    def _keep_if_best(self, *, keeps: bool = True) -> float:
        """Score the validation split, keep the weights if they are the best, return the figure.

        With `keeps` false, the weights are scored alone.
        """
        score = self.evaluator.score("validation")
        metric = self.setup.task.primary_metric
        figure = score.metrics[metric.name]
        value = math.nan if figure is None else figure
        best = self.progress.best
        if keeps and (best is None or is_better(metric, value, best.value)):
            weights = self.setup.model.get_weights()
            self.progress.best = BestWeights(value, self.progress.tokens, score, weights)
        return value

    def _resume(self, checkpoint: Checkpoint, variables: list[Any]) -> None:
        """Restore variables and state from the checkpoint, if there is one.

        The batches before it are drawn again. The figures of the compilation stay those of this
        process.
        """
        content = checkpoint.read(variables)
        if content is None:
            return
        state, kept = content
        self.progress = Progress.from_json(state["progress"], kept)
        self.progress.resumed_at.append(self.progress.steps)
        self.setup.methods.restore(kept)
        self.phase.restore(state["phase"])
        for _ in range(self.progress.steps - self._compiling_steps):
            next(self._stream)
