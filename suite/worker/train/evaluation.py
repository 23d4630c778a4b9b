"""Predictions and scores of a trained model on whole splits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from suite.api import ExamplePrediction, Examples, Form, Job, Score, Task, TaskData
from suite.worker.data.batches import Batch, evaluation_batches, evaluation_rows
from suite.worker.generation import BeamSearch
from suite.worker.occlusion import occlusion_map
from suite.worker.steps import Model

MAX_EXAMPLES = 6
MAX_EXAMPLE_CHARACTERS = 400
MAX_PARTS = 20
"""The most parts into which the test split is cut. The split is scored without each part: the
variation shows how much a figure depends on the examples that happen to be in the split."""


@dataclass
class Evaluator:
    """Scores a model on the splits of a task's data."""

    job: Job
    task: Task
    data: TaskData
    model: Model
    predict: Callable[[Batch], Any]
    _beam_searches: dict[int, BeamSearch] = field(default_factory=dict)

    def score(self, split: str, *, reset_state: bool = False) -> Score:
        """Score a whole split; answers are generated greedily where the task generates."""
        predictions = self.predictions(split, reset_state=reset_state)
        return self.task.score(splits_of(self.data)[split], predictions, self.data.spec)

    def final_scores(self) -> dict[str, Score]:
        """Score the test split, with reports on its parts and examples.

        The test split is scored greedily too where the task generates, and without memory too where
        the model carries its memory from batch to batch.
        """
        scores = {}
        num_beams = 1
        if self.task.generation:
            scores["test_greedy"] = self.score("test")
            num_beams = self.task.generation.num_beams
        test, spec = self.data.test, self.data.spec
        predictions = self.predictions("test", num_beams=num_beams)
        score = self.task.score(test, predictions, spec)
        examples = choose_examples(self.task.show(test, predictions, spec))
        without_part = scores_without_part(self.task, test, predictions, spec)
        reports = {**score.reports, "without_part": without_part, "examples": examples}
        if self.task.form is not Form.ENCODER_DECODER:
            reports["occlusion"] = occlusion_map(self.model, test)
        scores["test"] = replace(score, reports=reports)
        if self.model.carries_state:
            scores["test_without_carried_state"] = self.score("test", reset_state=True)
        return scores

    def predictions(
        self, split: str, *, reset_state: bool = False, num_beams: int = 1
    ) -> np.ndarray:
        """Return the predictions of a whole split, in the order of its examples.

        The model carries its state from batch to batch unless `reset_state`.
        """
        predict = self._beam_search(num_beams) if self.task.generation else self.predict
        found = np.concatenate(
            [
                predict(replace(batch, fresh=batch.fresh or reset_state))[: batch.num_examples]
                for batch in self.batches(split)
            ]
        )
        self.model.reset_state()  # training continues with another part of the data
        predictions = np.empty_like(found)
        predictions[np.concatenate(evaluation_rows(*self._batch_arguments(split)))] = found
        return predictions

    def batches(self, split: str) -> Iterator[Batch]:
        """Yield the batches of a split, the longest first."""
        return evaluation_batches(*self._batch_arguments(split))

    def _beam_search(self, num_beams: int) -> Callable[[Batch], np.ndarray]:
        """Return the compiled search with `num_beams` beams."""
        if num_beams not in self._beam_searches:
            assert self.task.generation is not None
            length = self.job.cell.sequence_length
            search = BeamSearch(self.model, self.task.generation, num_beams, length)
            self._beam_searches[num_beams] = search
        return self._beam_searches[num_beams].search

    def _batch_arguments(self, split: str) -> tuple[Examples, int, bool, Sequence[float]]:
        task = self.task
        examples = splits_of(self.data)[split]
        return examples, self.job.cell.batch_size, task.contiguous, task.length_buckets


def splits_of(data: TaskData) -> Mapping[str, Examples]:
    """Return the splits by name; the test split may be sealed."""
    return {"train": data.train, "validation": data.validation, "test": data.test}


def scores_without_part(
    task: Task, examples: Examples, predictions: np.ndarray, spec: Mapping[str, Any]
) -> dict[str, list[float | None]]:
    """Return each metric with each part of the examples left out in turn.

    Parts are equal numbers of consecutive examples. Consecutive examples, which may be from one
    document, stay in one part. A single example has no parts.
    """
    num_examples = examples.num_examples
    num_parts = min(MAX_PARTS, num_examples)
    if num_parts < 2:
        return {}
    rows = np.arange(num_examples)
    scores = []
    for part in np.array_split(rows, num_parts):
        kept = np.delete(rows, part)
        others = Examples(
            {name: array[kept] for name, array in examples.features.items()},
            {name: array[kept] for name, array in examples.targets.items()},
        )
        scores.append(task.score(others, predictions[kept], spec).metrics)
    return {name: [score[name] for score in scores] for name in scores[0]}


def choose_examples(examples: Sequence[ExamplePrediction]) -> list[dict[str, Any]]:
    """Return the first wrong and the first right examples, with long texts cut."""
    wrong = [example for example in examples if not example.right]
    right = [example for example in examples if example.right]
    return [
        {
            "input": shorten(example.input),
            "expected": shorten(example.expected),
            "answer": shorten(example.answer),
            "right": example.right,
        }
        for example in [*wrong[:MAX_EXAMPLES], *right[:MAX_EXAMPLES]]
    ]


def shorten(text: str) -> str:
    """Cut a text at `MAX_EXAMPLE_CHARACTERS`."""
    limit = MAX_EXAMPLE_CHARACTERS
    return text if len(text) <= limit else f"{text[:limit]} …"
