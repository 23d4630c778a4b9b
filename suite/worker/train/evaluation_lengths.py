"""Scores of a trained model at evaluation lengths, beside those at its training length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from suite.api import (
    Architecture,
    BuildRequest,
    Examples,
    Job,
    Options,
    Score,
    Status,
    Task,
    TaskData,
)
from suite.api.errors import Unsupported
from suite.api.evaluation_lengths import BY_EVALUATION_LENGTH, NOT_APPLICABLE, with_reason
from suite.worker.data.batches import Batch, evaluation_batches, evaluation_rows
from suite.worker.failures import classify
from suite.worker.steps import Model, make_prediction_step
from suite.worker.train.evaluation import splits_of

SPLITS = ("validation", "test")


@dataclass(frozen=True)
class LengthEvaluator:
    """Scores a trained model at the evaluation lengths of its cell.

    `request` is the one that the model was built from. `data` is that of the training: its splits
    are scored at the training length, and its `spec` encodes the others. The model starts each
    example with an empty state, even if it carried its state in training.
    """

    job: Job
    task: Task
    architecture: Architecture
    request: BuildRequest
    options: Options
    data: TaskData
    model: Model
    xla: bool

    def reports(
        self, reports: Mapping[str, Mapping[str, Any]], report_progress: Callable[..., None]
    ) -> Iterator[tuple[dict[str, dict[str, Any]], Sequence[int]]]:
        """Add the scores at each length to the reports of the splits that the cell scores.

        Yields the reports so far and the lengths that are left: before each length, the shortest
        first, and at the end. Without evaluation lengths, nothing is yielded.

        The report `BY_EVALUATION_LENGTH` has the metrics and the number of examples of each length.
        A report of the task with "by_" in its name appears once for each length, under a name that
        ends with "_at_" and the length. A length that takes more memory than there is has a reason,
        as have the longer ones, which are not tried.
        """
        lengths = self.job.cell.evaluation_lengths
        if not lengths:
            return
        found = {
            split: {**of_split, BY_EVALUATION_LENGTH: {}} if split in SPLITS else dict(of_split)
            for split, of_split in reports.items()
        }
        self.model.carries_state = False  # each row of a batch begins anew
        predict = make_prediction_step(self.model, self.task.predict, self.xla)
        for number, length in enumerate(lengths):
            report_progress("scoring lengths", number / len(lengths))
            yield found, lengths[number:]
            try:
                self._add(length, predict, found)
            except Exception as error:
                status, reason = classify(error)
                if status is not Status.OUT_OF_MEMORY:
                    raise
                found = with_reason(found, lengths[number:], status, reason)
                break
        yield found, ()

    def _add(
        self, length: int, predict: Callable[[Batch], Any], found: dict[str, dict[str, Any]]
    ) -> None:
        """Add the scores of each split at a length, or why the model is not applicable."""
        scored = {split: found[split] for split in SPLITS if split in found}
        try:
            examples = self._load(length)
        except Unsupported as error:
            for of_split in scored.values():
                of_split[BY_EVALUATION_LENGTH][str(length)] = f"{NOT_APPLICABLE}: {error}"
            return
        for split, of_split in scored.items():
            score = self._score(examples[split], length, predict)
            figures = {**score.metrics, "examples": examples[split].num_examples}
            of_split[BY_EVALUATION_LENGTH][str(length)] = figures
            for name, report in score.reports.items():
                if "by_" in name:
                    of_split[f"{name}_at_{length}"] = report

    def _load(self, length: int) -> Mapping[str, Examples]:
        """Return the splits at a length.

        Raises:
            Unsupported: the architecture or the source does not reach the length.
        """
        assert self.job.source is not None
        if length == self.request.sequence_length:
            return splits_of(self.data)
        reason = self.architecture.fixed_length_reason(self.request)
        if reason:
            raise Unsupported(f"{self.architecture.title} {reason}")
        source = replace(self.job.source, cache_dir=str(self.job.cache))
        return self.task.load_evaluation(source, length, self.options, self.data.spec)

    def _score(self, examples: Examples, length: int, predict: Callable[[Batch], Any]) -> Score:
        """Score a split in batches that have about as many positions as those of the training."""
        cell, buckets = self.job.cell, self.task.length_buckets
        batch_size = max(1, cell.batch_size * cell.sequence_length // length)
        batches = evaluation_batches(examples, batch_size, buckets=buckets)
        found = np.concatenate([predict(batch)[: batch.num_examples] for batch in batches])
        rows = evaluation_rows(examples, batch_size, buckets=buckets)
        predictions = np.empty_like(found)
        predictions[np.concatenate(rows)] = found
        return self.task.score(examples, predictions, self.data.spec)
