"""One step of a throwaway model, so that library pages fault in before the memory baseline."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from suite.api import Cell, Recipe
from suite.worker.data.batches import Batch
from suite.worker.measure.memory import PeakMemory, release_freed_memory
from suite.worker.model import Model, PositionHead, mean_cross_entropy
from suite.worker.steps import (
    fix_randomness,
    make_optimizer,
    make_prediction_step,
    make_training_step,
    peak_memory,
)

WIDTH = 32
LENGTH = 16


class _ThrowawayBackbone(keras.layers.Layer):
    """An embedding, one attention without weights, a feed-forward layer, dropout and a norm."""

    def __init__(self) -> None:
        super().__init__()
        self.token_embedding = keras.layers.Embedding(64, WIDTH)
        self.feedforward = keras.layers.Dense(WIDTH, "gelu")
        self.norm = keras.layers.LayerNormalization()
        self.dropout = keras.layers.Dropout(0.1)

    def encode(self, inputs, padding_mask=None, state=None, global_mask=None, training=None):  # type: ignore[no-untyped-def]
        embeddings = self.token_embedding(inputs)
        scores = ops.softmax(ops.matmul(embeddings, ops.swapaxes(embeddings, 1, 2)), axis=-1)
        mixed = self.feedforward(ops.matmul(scores, embeddings))
        return self.norm(embeddings + self.dropout(mixed, training=training)), None


def warm_up(cell: Cell, xla: bool, report_progress: Callable[..., None]) -> PeakMemory:
    """Take a throwaway step, and return the memory above the baseline after it."""
    report_progress("warming up", 0.0)
    throwaway_step(xla)
    fix_randomness(cell.seed, cell.precision)  # the random numbers of the warm-up change no result
    memory = peak_memory()
    memory.start()
    return memory


def throwaway_step(xla: bool) -> None:
    """Predict and train once with a throwaway model, then free it.

    The dtype policy and the distribution stay as they were.
    """
    model = Model(None, _ThrowawayBackbone(), PositionHead(4))
    token_ids = np.arange(2 * LENGTH, dtype="int32").reshape(2, LENGTH)
    batch = Batch(
        {"token_ids": token_ids, "padding_mask": np.ones((2, LENGTH), bool)},
        {"labels": token_ids % 4},
        2 * LENGTH,
        2,
    )
    make_prediction_step(model, lambda outputs, *_: ops.argmax(outputs, -1), xla)(batch)
    optimizer = make_optimizer(Recipe(), total_steps=10)
    make_training_step(model, mean_cross_entropy, optimizer, xla)(batch)
    del model, optimizer, batch
    policy, distribution = keras.config.dtype_policy(), keras.distribution.distribution()
    keras.utils.clear_session()  # resets the policy and the distribution too
    keras.config.set_dtype_policy(policy)
    keras.distribution.set_distribution(distribution)
    release_freed_memory()
