"""Predictions and scores of a trained model on whole splits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from suite.api import ExamplePrediction, Examples, Form, PluginError, Score, Task
from suite.worker.data.batches import Batch, predict_examples
from suite.worker.generation import BeamSearch
from suite.worker.occlusion import occlusion_map
from suite.worker.train.setup import Setup, splits_of

MAX_EXAMPLES = 6
MAX_EXAMPLE_CHARACTERS = 400
DOCUMENT = "document"
"""The target with the number of each example's document, if a task cuts documents apart."""
MAX_PARTS = 20
"""The most parts into which the test split is cut. The split is scored without each part: the
variation shows how much a figure depends on the examples that happen to be in the split."""


@dataclass
class Evaluator:
    """Scores a model on the splits of a task's data; `predict` is the compiled inference."""

    setup: Setup
    predict: Callable[[Batch], Any]
    _beam_searches: dict[int, BeamSearch] = field(default_factory=dict)

    def score(self, split: str, *, reset_state: bool = False) -> Score:
        """Score a whole split; answers are generated greedily where the task generates.

        Raises:
            PluginError: the score lacks the task's primary metric.
        """
        predictions = self.predictions(split, reset_state=reset_state)
        task = self.setup.task
        score = task.score(self._examples(split), predictions, self.setup.data.spec)
        if task.primary_metric.name not in score.metrics:
            raise PluginError(
                f"A score of the task has its primary metric, {task.primary_metric.name}",
                received=", ".join(score.metrics) or "no metric",
                remedy="Return it from `score`",
            )
        return score

    def final_scores(self) -> dict[str, Score]:
        """Score the test split, with reports on its parts and examples.

        The test split is scored greedily too where the task generates, and without memory too where
        the model carries its memory from batch to batch.
        """
        task, model, spec = self.setup.task, self.setup.model, self.setup.data.spec
        test = self._examples("test")
        scores = {}
        num_beams = 1
        if task.generation:
            scores["test_greedy"] = self.score("test")
            num_beams = task.generation.num_beams
        predictions = self.predictions("test", num_beams=num_beams)
        score = task.score(test, predictions, spec)
        examples = choose_examples(task.show(test, predictions, spec))
        without_part = scores_without_part(task, test, predictions, spec)
        reports = {**score.reports, "without_part": without_part, "examples": examples}
        if task.form is not Form.ENCODER_DECODER:
            batch_size = self.setup.job.cell.batch_size
            reports["occlusion"] = occlusion_map(model, test, batch_size)
        scores["test"] = replace(score, reports=reports)
        if model.carries_state:
            scores["test_without_carried_state"] = self.score("test", reset_state=True)
        return scores

    def predictions(
        self, split: str, *, reset_state: bool = False, num_beams: int = 1
    ) -> np.ndarray:
        """Return the predictions of a whole split, in the order of its examples.

        The model carries its state from batch to batch unless `reset_state`.
        """
        predict = self._beam_search(num_beams) if self.setup.task.generation else self.predict
        predictions = predict_examples(
            lambda batch: predict(replace(batch, fresh=batch.fresh or reset_state)),
            self._examples(split),
            self.setup.job.cell.batch_size,
            self.setup.task.contiguous,
            self.setup.task.length_buckets,
        )
        self.setup.model.reset_state()  # training continues with another part of the data
        return predictions

    def _beam_search(self, num_beams: int) -> Callable[[Batch], np.ndarray]:
        if num_beams not in self._beam_searches:
            rules, length = self.setup.task.generation, self.setup.job.cell.sequence_length
            assert rules is not None
            self._beam_searches[num_beams] = BeamSearch(self.setup.model, rules, num_beams, length)
        return self._beam_searches[num_beams].search

    def _examples(self, split: str) -> Examples:
        return splits_of(self.setup.data)[split]


def scores_without_part(
    task: Task, examples: Examples, predictions: np.ndarray, spec: Mapping[str, Any]
) -> dict[str, list[float | None]]:
    """Return each metric with each part of the examples left out in turn.

    Parts are equal numbers of consecutive examples. If the targets name the document of each
    example, they are equal numbers of documents: parts are independent then, and hold the same
    targets at each sequence length. A single example or document has no parts.
    """
    groups = np.asarray(examples.targets.get(DOCUMENT, np.arange(examples.num_examples)))
    names = np.unique(groups)
    num_parts = min(MAX_PARTS, len(names))
    if num_parts < 2:
        return {}
    scores = []
    for part in np.array_split(names, num_parts):
        kept = np.flatnonzero(~np.isin(groups, part))
        others = Examples(
            {name: array[kept] for name, array in examples.features.items()},
            {name: array[kept] for name, array in examples.targets.items()},
        )
        scores.append(task.score(others, predictions[kept], spec).metrics)
    return {name: [score[name] for score in scores] for name in scores[0]}


def choose_examples(examples: Sequence[ExamplePrediction]) -> list[dict[str, Any]]:
    """Return the first wrong and the first right examples, with long texts cut."""
    limit = MAX_EXAMPLE_CHARACTERS
    chosen: list[dict[str, Any]] = []
    for right in (False, True):
        same = [asdict(example) for example in examples if example.right is right]
        chosen += same[:MAX_EXAMPLES]
    return [
        {
            name: f"{value[:limit]} …" if isinstance(value, str) and len(value) > limit else value
            for name, value in example.items()
        }
        for example in chosen
    ]
