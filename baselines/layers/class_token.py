"""A learned class token before a sequence, whose hidden state represents the whole input.

Dosovitskiy et al. 2021, section 3.1; the [CLS] of Devlin et al. 2019.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from baselines.layers.initialization import added_vectors
from baselines.layers.layer import Layer, build_once


def extend_mask(mask: Any, num_positions: int) -> Any:
    """Return a mask (batch, n) with real positions before it, or None for None."""
    if mask is None or not num_positions:
        return mask
    return ops.pad(mask, ((0, 0), (num_positions, 0)), constant_values=True)


class ClassToken(Layer):
    """Prepends the class token, then adds positions to all, the token included.

    Dosovitskiy et al. 2021, equation 1. The token starts with the standard deviation `stddev`,
    which should be that of the embeddings. In: (batch, n, width). Out: (batch, n + 1, width). Time
    and memory O(n).

    Example:
        >>> layer = ClassToken(LearnedPositions(20))
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 20, 32)
    """

    def __init__(self, add_positions: Any, stddev: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stddev = stddev
        self.add_positions = add_positions

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the class token."""
        batch, length, width = input_shape
        self.token = self.add_weight(
            shape=(1, 1, width),
            initializer=added_vectors(self.stddev),
            name="token",
        )
        build_once(self.add_positions, (batch, None if length is None else length + 1, width))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> Any:
        """Return the shape of the sequence with its class token."""
        batch, length, width = input_shape
        return batch, None if length is None else length + 1, width

    def compute_mask(self, embeddings: Any, previous_mask: Any) -> Any:
        """Return the mask of the sequence with its class token, which is real."""
        return extend_mask(previous_mask, 1)

    def call(self, embeddings: Any) -> Any:
        """Return the sequence with its class token and positions."""
        token = ops.broadcast_to(
            ops.cast(self.token, embeddings.dtype),
            (ops.shape(embeddings)[0], 1, self.token.shape[2]),
        )
        return self.add_positions(ops.concatenate([token, embeddings], axis=1))
