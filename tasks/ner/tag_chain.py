"""A linear-chain conditional random field (CRF) over tags: potentials, loss and best path.

Lafferty, McCallum and Pereira 2001, "Conditional Random Fields"; as the last layer of a tagger,
Lample et al. 2016, "Neural Architectures for Named Entity Recognition", section 2.2. The sum over
all paths and the best path are computed by pairwise reduction, in O(log n) sequential steps instead
of n.

Potentials have shape (batch, n, tags, tags): the unnormalised score of a tag (last axis) after
another (the axis before) at each word. At the first word, they are equal for all previous tags. At
padding they only allow the tag to stay the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

NEVER = -1e4
SMALLEST = 1e-37
"""The lower bound of a sum of exponentials, which keeps its logarithm finite."""


class TagChain(keras.layers.Layer):
    """Computes the potentials of a chain over tags.

    Input: hidden states (batch, n, width) and `features["padding_mask"]` (batch, n). Output:
    float32 (batch, n, tags, tags). Time and memory O(n · tags²).
    """

    def __init__(self, num_tags: int, outside: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_tags = num_tags
        self.outside = outside
        self.emissions = keras.layers.Dense(num_tags)

    def build(self, input_shape: Any) -> None:
        """Create the weights."""
        self.emissions.build(input_shape)
        self.transitions = self.add_weight(
            (self.num_tags, self.num_tags), "zeros", name="transitions"
        )

    def call(self, hidden_states: Any, features: Mapping[str, Any]) -> Any:
        """Return the sum of emission and transition scores."""
        emissions = ops.cast(self.emissions(hidden_states), "float32")
        transitions = ops.cast(self.transitions, "float32")
        # No word precedes the first, so its potentials do not depend on the previous tag.
        first = emissions[:, :1, None] + ops.repeat(
            transitions[self.outside][None], self.num_tags, 0
        )
        potentials = ops.concatenate([first, emissions[:, 1:, None] + transitions], axis=1)
        same_tag = (1.0 - ops.eye(self.num_tags)) * NEVER
        real = features["padding_mask"][:, :, None, None]
        return ops.where(real, potentials, same_tag)


def log_normalizer(potentials: Any) -> Any:
    """Return the logarithm of the sum over all paths: (batch,).

    Time and memory O(n · tags²), with a further factor of tags for the products.
    """
    num_tags = potentials.shape[-1]
    while (length := potentials.shape[1]) > 1:
        left_over = potentials[:, length - 1 :] if length % 2 else None
        if left_over is not None:
            potentials = potentials[:, : length - 1]
        # Reshape and unstack, since the gradient of a strided slice is slow on TensorFlow.
        pairs = ops.reshape(potentials, (-1, length // 2, 2, num_tags, num_tags))
        potentials = _join_sums(*ops.unstack(pairs, axis=2))
        if left_over is not None:
            potentials = ops.concatenate([potentials, left_over], axis=1)
    return ops.logsumexp(potentials[:, 0, 0], axis=-1)


def path_score(potentials: Any, tags: Any, real: Any) -> Any:
    """Return the sum of potentials along given paths: (batch,).

    `tags` (batch, n) are ids; `real` (batch, n) is False at padding.
    """
    num_tags = potentials.shape[-1]
    previous = ops.pad(tags[:, :-1], ((0, 0), (1, 0)))
    current = ops.one_hot(tags, num_tags, dtype=potentials.dtype)
    before = ops.one_hot(previous, num_tags, dtype=potentials.dtype)
    scores = ops.sum(potentials * before[:, :, :, None] * current[:, :, None], axis=(-2, -1))
    return ops.sum(ops.where(real, scores, 0.0), axis=1)


def best_path(potentials: Any) -> Any:
    """Return the tag ids of the best path: (batch, n).

    Scans from both sides give the score of the best path through each tag at each word. The tag
    with the highest score at a word is on the best path. Time and memory O(n · tags³).
    """
    forward = ops.associative_scan(_join_best, potentials, axis=1)
    backward = ops.associative_scan(
        lambda later, earlier: _join_best(earlier, later), potentials, axis=1, reverse=True
    )
    # TensorFlow's scan loses the static shape.
    forward, backward = (ops.reshape(scores, potentials.shape) for scores in (forward, backward))
    after = ops.max(backward, axis=-1)[:, 1:]
    after = ops.pad(after, ((0, 0), (0, 1), (0, 0)))
    return ops.argmax(forward[:, :, 0] + after, axis=-1)


def _join_sums(earlier: Any, later: Any) -> Any:
    """Join adjacent segments: the log-sum over all paths between two tags."""
    earlier_top = ops.max(earlier, axis=(-2, -1), keepdims=True)
    later_top = ops.max(later, axis=(-2, -1), keepdims=True)
    sums = ops.matmul(ops.exp(earlier - earlier_top), ops.exp(later - later_top))
    return ops.log(ops.maximum(sums, SMALLEST)) + earlier_top + later_top


def _join_best(earlier: Any, later: Any) -> Any:
    """Join adjacent segments: the best path between two tags."""
    return ops.max(earlier[..., :, :, None] + later[..., None, :, :], axis=-2)
