"""A chain over tags: a linear-chain conditional random field, its loss and its best path.

Lafferty, McCallum and Pereira 2001, "Conditional Random Fields"; as the last layer of a tagger,
Lample et al. 2016, "Neural Architectures for Named Entity Recognition", section 2.2. Both the sum
over all paths and the best of them are worked out by halves, in O(log n) steps one after another
instead of n.

Potentials are (batch, n, tags, tags): how well a tag (last axis) follows another (the axis before)
at each word, before normalisation. They are alike for all tags before the first word; at padding
they are those of standing still.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

NEVER = -1e4
SMALLEST = 1e-37
"""What a sum of exponentials is at least: its logarithm stays finite."""


class TagChain(keras.layers.Layer):
    """Gives the potentials of a chain over tags.

    In: hidden states (batch, n, width) and `features["padding_mask"]` (batch, n). Out: float32
    (batch, n, tags, tags). Time and memory O(n · tags²).
    """

    def __init__(self, num_tags: int, outside: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_tags = num_tags
        self.outside = outside
        self.emissions = keras.layers.Dense(num_tags)

    def build(self, input_shape: Any) -> None:
        """Make the weights."""
        self.emissions.build(input_shape)
        self.transitions = self.add_weight(
            (self.num_tags, self.num_tags), "zeros", name="transitions"
        )

    def call(self, hidden_states: Any, features: Mapping[str, Any]) -> Any:
        """Add how likely a tag is here to how likely it is after another."""
        emissions = ops.cast(self.emissions(hidden_states), "float32")
        transitions = ops.cast(self.transitions, "float32")
        # The first word follows no other: its potentials are alike whatever the tag before.
        first = emissions[:, :1, None] + ops.repeat(
            transitions[self.outside][None], self.num_tags, 0
        )
        potentials = ops.concatenate([first, emissions[:, 1:, None] + transitions], axis=1)
        standing_still = (1.0 - ops.eye(self.num_tags)) * NEVER
        real = features["padding_mask"][:, :, None, None]
        return ops.where(real, potentials, standing_still)


def log_normalizer(potentials: Any) -> Any:
    """Sum all paths: (batch,), as a logarithm.

    Time and memory O(n · tags²), times tags for the products.
    """
    num_tags = potentials.shape[-1]
    while (length := potentials.shape[1]) > 1:
        left_over = potentials[:, length - 1 :] if length % 2 else None
        if left_over is not None:
            potentials = potentials[:, : length - 1]
        # Taken apart whole: the gradient of a slice with a step is slow on TensorFlow.
        pairs = ops.reshape(potentials, (-1, length // 2, 2, num_tags, num_tags))
        potentials = _join_sums(*ops.unstack(pairs, axis=2))
        if left_over is not None:
            potentials = ops.concatenate([potentials, left_over], axis=1)
    return ops.logsumexp(potentials[:, 0, 0], axis=-1)


def path_score(potentials: Any, tags: Any, real: Any) -> Any:
    """Add up the potentials of given paths: (batch,).

    `tags` (batch, n) are ids, `real` (batch, n) is false at padding.
    """
    num_tags = potentials.shape[-1]
    previous = ops.pad(tags[:, :-1], ((0, 0), (1, 0)))
    here = ops.one_hot(tags, num_tags, dtype=potentials.dtype)
    there = ops.one_hot(previous, num_tags, dtype=potentials.dtype)
    taken = ops.sum(potentials * there[:, :, :, None] * here[:, :, None], axis=(-2, -1))
    return ops.sum(ops.where(real, taken, 0.0), axis=1)


def best_path(potentials: Any) -> Any:
    """Give the tags of the best path of all: (batch, n) ids.

    What the best path through each tag at each word is worth is known from both sides; the
    largest at every word is on the best path. Time O(n · tags³), memory the same.
    """
    forward = ops.associative_scan(_join_best, potentials, axis=1)
    backward = ops.associative_scan(
        lambda later, earlier: _join_best(earlier, later), potentials, axis=1, reverse=True
    )
    # TensorFlow's scan forgets the shape.
    forward, backward = (ops.reshape(ways, potentials.shape) for ways in (forward, backward))
    after = ops.max(backward, axis=-1)[:, 1:]
    after = ops.pad(after, ((0, 0), (0, 1), (0, 0)))
    return ops.argmax(forward[:, :, 0] + after, axis=-1)


def _join_sums(earlier: Any, later: Any) -> Any:
    """Join neighbouring stretches: all ways from a tag to another, summed."""
    earlier_top = ops.max(earlier, axis=(-2, -1), keepdims=True)
    later_top = ops.max(later, axis=(-2, -1), keepdims=True)
    ways = ops.matmul(ops.exp(earlier - earlier_top), ops.exp(later - later_top))
    return ops.log(ops.maximum(ways, SMALLEST)) + earlier_top + later_top


def _join_best(earlier: Any, later: Any) -> Any:
    """Join neighbouring stretches: the best way from a tag to another."""
    return ops.max(earlier[..., :, :, None] + later[..., None, :, :], axis=-2)
