"""Where a position is told apart from the others: sinusoids, or a learned table."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops


def sinusoids(length: int, width: int) -> np.ndarray:
    """Return the (length, width) table of Vaswani et al. 2017, section 3.5.

    Even columns 2i are sin(pos / 10000^(2i/d)), odd ones the cosine; d is `width`, which is even.
    """
    frequency = 10_000.0 ** (-np.arange(0, width, 2) / width)
    angle = np.arange(length)[:, None] * frequency[None, :]
    return (
        np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(length, width).astype("float32")
    )


class LearnedPositions(keras.layers.Layer):
    """Adds a learned vector to each position.

    In and out: (batch, n, width), n at most `max_length`. Time and memory O(n).

    Example:
        >>> LearnedPositions(max_length=16)(keras.random.normal((2, 9, 8))).shape
        TensorShape([2, 9, 8])
    """

    def __init__(self, max_length: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_length = max_length

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the table."""
        self.table = self.add_weight(
            shape=(self.max_length, input_shape[-1]),
            initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            name="table",
        )

    def call(self, embeddings: Any) -> Any:
        """Add."""
        return embeddings + ops.cast(self.table[: embeddings.shape[1]], embeddings.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        return {**super().get_config(), "max_length": self.max_length}
