"""A trained model with the encoder of raw text: for `suite.load_model` and `bench predict`.

As a program, it reads a request from a file and writes the predictions, or the error, to another:
`python -m suite.worker.predicting REQUEST ANSWER`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from suite.api import SURROGATE, Cell, Examples, Task, dtype_policy
from suite.api.errors import LengthwiseError, RequestError, Unsupported
from suite.api.files import atomic_write_bytes
from suite.api.weights import read_kept_weights
from suite.worker.data.batches import Batch, evaluation_batches, predict_examples
from suite.worker.generation import BeamSearch
from suite.worker.kept_models import build_kept, check_kept, kept_task
from suite.worker.model import Model
from suite.worker.steps import default_policy, make_prediction_step


@dataclass(frozen=True)
class TrainedModel:
    """A trained model: `model` is a Keras model, and `predict` takes raw texts.

    `model(features, training=False)` takes the features of a batch by name. `spec` is that of the
    task's data: the vocabulary and the labels.
    """

    model: Model
    task: Task
    cell: Cell
    spec: Mapping[str, Any]

    def encode(self, texts: Sequence[str]) -> Examples:
        """Return the features of texts, at the length of the training.

        A lone surrogate becomes a question mark, as in the data of the training. A DataError means
        that a text has nothing to predict, a RequestError that the task does not encode raw text.
        """
        with _raw_text_only():
            return self.task.encode_raw(_clean(texts), self.cell.sequence_length, self.spec)

    def predict(self, texts: Sequence[str]) -> list[Any]:
        """Return the prediction of each text, as the task makes it readable.

        Raises:
            DataError: a text has nothing to predict.
            RequestError: the task does not encode raw text.
        """
        if isinstance(texts, str):
            raise RequestError("`predict` takes a list of texts", received="one text")
        if not texts:
            return []
        examples = self.encode(texts)
        with default_policy(dtype_policy(self.cell.precision)):
            predictions = predict_examples(
                self._make_step(),
                examples,
                self.cell.batch_size,
                buckets=self.task.length_buckets,
            )
        return self.task.readable(_clean(texts), examples, predictions, self.spec)

    def _make_step(self) -> Callable[[Batch], np.ndarray]:
        """Return the function that predicts a batch: a beam search if the task generates."""
        if (rules := self.task.generation) is None:
            return make_prediction_step(self.model, self.task.predict, xla=False)
        return BeamSearch(self.model, rules, rules.num_beams, self.cell.sequence_length).search


def _clean(texts: Sequence[str]) -> list[str]:
    return [SURROGATE.sub("?", text) for text in texts]


def load(folder: Path, search_path: Sequence[str] = ()) -> TrainedModel:
    """Return the trained model in a folder of kept weights.

    Raises:
        HomeError: the weights are missing, or have another checksum.
        RequestError: Keras runs on another backend, this version cannot build the model, or the
            task does not encode raw text.
    """
    kept = read_kept_weights(folder)
    cell = kept.cell
    if keras.backend.backend() != cell.backend:
        raise RequestError(
            "A model is loaded on the backend on which it was trained",
            received=f"{keras.backend.backend()} instead of {cell.backend}",
            remedy=f"Set KERAS_BACKEND={cell.backend} before Keras is imported",
        )
    check_kept(kept, search_path)
    task = kept_task(kept, search_path)
    with _raw_text_only():
        examples = task.encode_blank(cell.sequence_length, kept.spec)
    with default_policy(dtype_policy(cell.precision)):
        batches = evaluation_batches(examples, cell.batch_size, buckets=task.length_buckets)
        model = build_kept(kept, search_path, kept.spec, next(batches))
    return TrainedModel(model, task, cell, kept.spec)


@contextmanager
def _raw_text_only() -> Iterator[None]:
    try:
        yield
    except Unsupported as error:
        raise RequestError(
            "A model predicts from texts if its task encodes raw text", received=str(error)
        ) from None


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the predictions of a request, or the error in one line."""
    try:
        model = load(Path(request["folder"]), request["search_path"])
        return {"predictions": model.predict(request["texts"])}
    except LengthwiseError as error:
        return {"error": str(error)}


if __name__ == "__main__":
    content = answer(json.loads(Path(sys.argv[1]).read_text()))
    atomic_write_bytes(Path(sys.argv[2]), json.dumps(content).encode())
