"""Linformer's attention: keys and values projected along the sequence to a fixed number.

Wang et al. 2020, "Linformer: Self-Attention with Linear Complexity".
"""

from __future__ import annotations

from typing import Any

from keras import ops

from baselines.layers.attention import attend
from baselines.layers.full_attention import build_projections, merge_heads, split_heads
from baselines.layers.initialization import kernel
from baselines.layers.layer import Layer, zero_padding
from baselines.layers.lengths import check_length
from baselines.layers.places import require_places


class LengthProjection(Layer):
    """A linear map of n positions to k, the same for all channels; Eᵢ or Fᵢ of the paper.

    In: (batch, n, width) for n up to `max_length`; the padding mask (batch, n), True where real. A
    shorter sequence is mapped as if it were padded with zeros, and so are padded positions. Out:
    (batch, k, width). Time O(n · k) per channel.

    Raises:
        ValueError: the sequence is longer than `max_length`.

    Example:
        >>> layer = LengthProjection(max_length=64, projected_length=8)
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 8, 32)
    """

    def __init__(self, max_length: int, projected_length: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_length = max_length
        self.projected_length = projected_length

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights: (max_length, k)."""
        shape = (self.max_length, self.projected_length)
        self.kernel = self.add_weight(shape, initializer=kernel(), name="kernel")

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> Any:
        """Return (batch, k, width)."""
        return input_shape[0], self.projected_length, input_shape[2]

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Return None: the projected positions are all real."""
        return None

    def call(self, hidden_states: Any, padding_mask: Any = None) -> Any:
        """Return the projected positions."""
        length = ops.shape(hidden_states)[1]
        check_length(length, self.max_length)
        states = require_places(hidden_states, 0, length, self.max_length)
        states = zero_padding(states, padding_mask)
        return ops.einsum("bnw,nk->bkw", states, self.kernel[:length])


class ProjectedAttention(Layer):
    """Multi-head attention to k projected keys and values.

    Wang et al. 2020, equation 7: softmax(Q (E K)ᵀ / √d) (F V), where E is `key_projection` and F
    `value_projection`. Both are shared by the heads; with one layer for both, by keys and values
    too (section 4). Keys and values at padded positions are zeros before the projection.

    In: hidden states (batch, n, width); the padding mask (batch, n), True where real. Out: (batch,
    n, width). Time and memory O(n · k).

    Raises:
        ValueError: the width is not a multiple of the heads, or the sequence is too long.

    Example:
        >>> projection = LengthProjection(max_length=64, projected_length=8)
        >>> layer = ProjectedAttention(4, projection, projection)
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    takes_longer_input = False
    """The projections have a weight for each position."""

    def __init__(
        self,
        num_heads: int,
        key_projection: LengthProjection,
        value_projection: LengthProjection,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.key_projection = key_projection
        self.value_projection = value_projection

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the projections of the channels, and those of the length."""
        build_projections(self, input_shape)
        for projection in (self.key_projection, self.value_projection):
            if not projection.built:
                projection.build(input_shape)

    def call(self, hidden_states: Any, padding_mask: Any = None) -> Any:
        """Return the projected attention."""
        query, key, value = (
            split_heads(states, self.num_heads)
            for states in (
                self.query(hidden_states),
                self.key_projection(self.key(hidden_states), padding_mask),
                self.value_projection(self.value(hidden_states), padding_mask),
            )
        )
        heads = attend(query * query.shape[-1] ** -0.5, key, value)
        return self.output_projection(merge_heads(heads))
