"""A learned class token before a sequence, whose hidden state represents the whole input.

Dosovitskiy et al. 2021, section 3.1; the [CLS] of Devlin et al. 2019.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from baselines.layers.initialization import added_vectors


class ClassToken(keras.layers.Layer):
    """Prepends the class token, then adds positions to all, the token included.

    The token starts with the standard deviation `stddev`, which should be that of the embeddings.
    In: (batch, n, width). Out: (batch, n + 1, width). Time and memory O(n).
    """

    def __init__(self, add_positions: Any, stddev: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stddev = stddev
        self.add_positions = add_positions

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the class token."""
        self.token = self.add_weight(
            shape=(1, 1, input_shape[-1]),
            initializer=added_vectors(self.stddev),
            name="token",
        )

    def call(self, embeddings: Any) -> Any:
        """Return the sequence with its class token and positions."""
        token = ops.broadcast_to(
            ops.cast(self.token, embeddings.dtype),
            (ops.shape(embeddings)[0], 1, self.token.shape[2]),
        )
        return self.add_positions(ops.concatenate([token, embeddings], axis=1))
