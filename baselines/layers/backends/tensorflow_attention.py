"""TensorFlow: attention in blocks, with a gradient that recomputes the scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import tensorflow as tf

from baselines.layers.attention_blocks import (
    MASKED,
    num_heads_per_key,
    separate_heads,
    share_heads,
    take_span,
    take_spans,
)

MIN_TRANSPOSED_KEYS = 128
"""Below this number of keys, a strided read of scores is cheaper than transposing a product."""


def attend(
    query: Any,
    key: Any,
    value: Any,
    bias: Any,
    distance_bias: Any,
    terms: Any,
    blocks: Sequence[Any],
    drop: Callable[[Any, int], Any] | None,
    lengths: Any,
) -> Any:
    """Return attention block by block, and recompute scores for the gradient.

    Control dependencies run the blocks in sequence; otherwise TensorFlow would hold the scores of
    several blocks at once. It would also compute independent operations, such as slices of the
    keys, for all blocks in advance. So every operation waits for the block before. The masks by
    distance do not: most blocks share them, and causal ones cover a block's own keys only.
    """
    shared = num_heads_per_key(query, key)
    scores = _Scores(bias, distance_bias, terms, blocks, shared, query.dtype)
    alike = scores.blocks_with_equal_biases(blocks)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def forward(query: Any, key: Any, value: Any, *learned: Any) -> Any:
        done: list[Any] = []
        for group in alike:
            biases: list[Any] = []
            for block in group:
                with tf.control_dependencies(done[-1:] or [query]):
                    biases = biases or scores.biases_of(block, learned)
                    part, keys = _rows(query, block), _columns(key, block)
                    weights = scores.weights(block, part, keys, biases)
                    if drop is not None:
                        weights = drop(weights, len(done))
                    mixed = tf.matmul(share_heads(weights, shared), _columns(value, block))
                    done.append(separate_heads(mixed, shared))
        outputs = _join(done, blocks)

        def gradient(upstream: Any) -> Any:
            products = tf.reduce_sum(outputs * upstream, axis=-1, keepdims=True)
            d_query: list[Any] = []
            d_key: list[Any] = []
            d_value: list[Any] = []
            d_learned = [tf.zeros_like(part) for part in learned]
            for group in alike:
                d_biases: list[Any] = []
                for block in group:
                    done = [*d_query[-1:], *d_key[-1:], *d_value[-1:]]
                    with tf.control_dependencies([upstream, *done]):
                        if block is group[0]:
                            with tf.GradientTape() as tape:
                                tape.watch(learned)
                                biases = scores.biases_of(block, learned)
                        part, d_part = _rows(query, block), _rows(upstream, block)
                        keys, values = _columns(key, block), _columns(value, block)
                        weights = scores.weights(block, part, keys, biases)
                        part, d_part = share_heads(part, shared), share_heads(d_part, shared)
                        kept = share_heads(weights, shared)
                        d_kept = tf.matmul(d_part, values, transpose_b=True)
                        if drop is not None:
                            kept = share_heads(drop(weights, len(d_query)), shared)
                            d_kept = separate_heads(d_kept, shared)
                            d_kept = share_heads(drop(d_kept, len(d_query)), shared)
                        d_values = _multiply_transposed_scores(kept, d_part)
                        d_scores = share_heads(weights, shared) * (
                            d_kept - share_heads(_rows(products, block), shared)
                        )
                        d_query.append(separate_heads(tf.matmul(d_scores, keys), shared))
                        d_keys = _multiply_transposed_scores(d_scores, part)
                        _accumulate(d_key, d_keys, block, key.shape[2])
                        _accumulate(d_value, d_values, block, key.shape[2])
                        by_head = separate_heads(d_scores, shared)
                        found = [_sum_to(bias.shape, by_head) for bias in biases]
                        d_biases = _add(d_biases, found) if d_biases else found
                if learned:
                    d_learned = _add(d_learned, tape.gradient(biases, learned, d_biases))
            d_key, d_value = (tf.concat(parts, axis=0) for parts in (d_key, d_value))
            return _join(d_query, blocks), d_key, d_value, *d_learned

        return outputs, gradient

    return forward(query, key, value, *scores.learned)


class _Scores:
    """Computes the attention weights of a block."""

    def __init__(
        self,
        bias: Any,
        distance_bias: Any,
        terms: Any,
        blocks: Sequence[Any],
        shared: int,
        dtype: Any,
    ) -> None:
        self.given = (bias, distance_bias)
        self.learned = tuple(part for part in self.given if part is not None)
        self.terms = terms
        self.shared = shared
        self.masks: dict[Any, Any] = {}
        if all(terms.ends_causally(block) for block in blocks):
            place = tf.range(max(block.queries.size for block in blocks))
            self.later = tf.cast(place[None, :] > place[:, None], dtype) * MASKED
        else:
            for block in blocks:
                layout = terms.mask_layout(block)
                if layout not in self.masks:
                    self.masks[layout] = terms.mask_of(block, dtype)

    def blocks_with_equal_biases(self, blocks: Sequence[Any]) -> list[list[Any]]:
        """Return groups of blocks; those of a group add the same biases to their scores."""
        bias = self.given[0]
        by_example = bias is not None and bias.shape[0] != 1

        def layout(block: Any) -> Any:
            return block if by_example else (block.queries, block.keys)

        return [list(group) for _, group in groupby(blocks, layout)]

    def biases_of(self, block: Any, learned: Sequence[Any]) -> list[Any]:
        """Return the biases of a block, from the tensors in place of `self.learned`."""
        parts = iter(learned)
        both = (None if part is None else next(parts) for part in self.given)
        found: list[Any] = self.terms.biases_of(block, *both)
        return found

    def weights(self, block: Any, query: Any, key: Any, biases: Sequence[Any]) -> Any:
        """Return softmax(Q Kᵀ + masks + biases) of a block, (examples, heads, queries, keys)."""
        product = tf.matmul(share_heads(query, self.shared), key, transpose_b=True)
        scores = separate_heads(product, self.shared)
        padding = self.terms.padding_of(block)
        if padding is not None:
            scores += padding
        if self.masks:
            mask = self.masks[self.terms.mask_layout(block)]
            scores = scores if mask is None else scores + mask
        else:
            size = block.queries.size
            scores = _add_to_last(scores, self.later[:size, :size])
        for bias in biases:
            scores += bias
        return tf.nn.softmax(scores)


def _add_to_last(scores: Any, added: Any) -> Any:
    """Return scores (…, n, keys) with (n, m) added to the last m keys, in place.

    The scores are reshaped to a matrix, because the update takes twice as long in four dimensions.
    """
    start = scores.shape[-1] - added.shape[-1]
    if start == 0:
        return scores + added
    own = tf.reshape(scores[..., start:] + added, (-1, added.shape[-1]))
    rows = tf.reshape(scores, (-1, scores.shape[-1]))
    end = rows.shape if rows.shape.is_fully_defined() else tf.shape(rows)
    rows = tf.raw_ops.TensorStridedSliceUpdate(
        input=rows, begin=(0, start), end=end, strides=(1, 1), value=own
    )
    return tf.reshape(rows, (-1, *scores.shape[1:]))


def _multiply_transposed_scores(scores: Any, states: Any) -> Any:
    """Return the product of the transposed scores (…, n, m) and states (…, n, d).

    With many scores it is computed as (statesᵀ · scores)ᵀ, which transposes small arrays only.
    oneDNN takes twice as long for a strided read of the large array.
    """
    if scores.shape[-1] < MIN_TRANSPOSED_KEYS:
        return tf.matmul(scores, states, transpose_a=True)
    return tf.linalg.matrix_transpose(tf.matmul(states, scores, transpose_a=True))


def _rows(states: Any, block: Any) -> Any:
    """Return the queries of a block, or what belongs to them."""
    return take_span(take_span(states, block.examples, 0), block.queries, 2)


def _columns(states: Any, block: Any) -> Any:
    """Return the keys or values of a block."""
    return take_spans(take_span(states, block.examples, 0), block.keys, 2)


def _join(parts: Sequence[Any], blocks: Sequence[Any]) -> Any:
    """Return the concatenated blocks, along queries if they belong to the same examples."""
    if len(parts) == 1:
        return parts[0]
    return tf.concat(parts, axis=2 if blocks[0].examples == blocks[1].examples else 0)


def _accumulate(found: list[Any], gradient: Any, block: Any, num_keys: int) -> None:
    """Add a block's gradient for its keys to that of the earlier blocks of its examples."""
    parts = tf.split(gradient, [span.size for span in block.keys], axis=2)
    for index, (span, part) in enumerate(zip(block.keys, parts, strict=True)):
        if span.size < num_keys:
            missing = (span.start, num_keys - span.stop)
            part = tf.pad(part, ((0, 0), (0, 0), missing, (0, 0)))
        if block.queries.start == index == 0:
            found.append(part)
        else:
            found[-1] = found[-1] + part


def _add(first: Sequence[Any], second: Sequence[Any]) -> list[Any]:
    return [one + other for one, other in zip(first, second, strict=True)]


def _sum_to(shape: Any, scores: Any) -> Any:
    """Return the gradient of a bias that was broadcast to the scores."""
    whole = [1] * (len(scores.shape) - len(shape)) + list(shape)
    axes = [axis for axis, size in enumerate(whole) if size == 1 != scores.shape[axis]]
    return tf.reshape(tf.reduce_sum(scores, axes) if axes else scores, shape)
