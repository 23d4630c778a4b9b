"""TensorFlow: attention in blocks, with a gradient that recomputes the scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import tensorflow as tf

from baselines.layers.attention_blocks import (
    Span,
    both_masks,
    num_heads_per_key,
    plan_blocks,
    plan_blocks_of_heads,
    separate_heads,
    share_heads,
    take_span,
    take_spans,
)
from baselines.layers.masked_scores import mask_scores, softmax


def attend(
    query: Any,
    key: Any,
    value: Any,
    bias: Any,
    distance_bias: Any,
    terms: Any,
    block_bytes: int,
    drop: Callable[[Any, int], Any] | None,
    lengths: Any,
) -> Any:
    """Return attention block by block, and recompute scores for the gradient.

    Control dependencies run the blocks in sequence; otherwise TensorFlow would hold the scores of
    several blocks at once. It would also compute independent operations, such as slices of the
    keys, for all blocks in advance. So every operation waits for the block before.
    """
    blocks = _plan(query, key, terms.pattern, block_bytes)
    scores = _Scores(bias, distance_bias, terms, num_heads_per_key(query, key))
    alike = scores.blocks_with_equal_biases(blocks)
    blocks = [block for group in alike for block in group]

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def forward(query: Any, key: Any, value: Any, *learned: Any) -> Any:
        done: list[Any] = []
        masks = _Masks(terms, blocks, query)
        queries, keys, values = map(_Slices, (query, key, value))
        for group in alike:
            biases: list[Any] = []
            for block in group:
                with tf.control_dependencies(done[-1:] or [query]):
                    biases = biases or scores.biases_of(block, learned)
                    visible, columns = masks.of(block), scores.columns(keys, block)
                    weights = scores.weights(block, queries.rows(block), columns, biases, visible)
                    if drop is not None:
                        weights = drop(weights, len(done))
                    shared = scores.heads_per_key(block)
                    mixed = tf.matmul(share_heads(weights, shared), scores.columns(values, block))
                    done.append(separate_heads(mixed, shared))
        outputs = _join(done, blocks)

        def gradient(upstream: Any) -> Any:
            products = tf.reduce_sum(outputs * upstream, axis=-1, keepdims=True)
            masks = _Masks(terms, blocks, query)
            slices = map(_Slices, (query, key, value, upstream, products))
            queries, keys, values, d_outputs, shares = slices
            d_query: list[Any] = []
            d_key, d_value = _ColumnSums(), _ColumnSums()
            d_learned = [tf.zeros_like(part) for part in learned]
            for group in alike:
                d_biases: list[Any] = []
                for block in group:
                    done = [upstream, *d_query[-1:], *d_key.latest, *d_value.latest]
                    with tf.control_dependencies(done):
                        if block is group[0]:
                            with tf.GradientTape() as tape:
                                tape.watch(learned)
                                biases = scores.biases_of(block, learned)
                        shared = scores.heads_per_key(block)
                        part, columns = queries.rows(block), scores.columns(keys, block)
                        weights = scores.weights(block, part, columns, biases, masks.of(block))
                        part, d_part, share = (
                            share_heads(rows, shared)
                            for rows in (part, d_outputs.rows(block), shares.rows(block))
                        )
                        kept = share_heads(weights, shared)
                        of_block = scores.columns(values, block)
                        d_kept = tf.matmul(d_part, of_block, transpose_b=True)
                        if drop is not None:
                            kept = share_heads(drop(weights, len(d_query)), shared)
                            d_kept = separate_heads(d_kept, shared)
                            d_kept = share_heads(drop(d_kept, len(d_query)), shared)
                        d_values = tf.matmul(kept, d_part, transpose_a=True)
                        d_scores = share_heads(weights, shared) * (d_kept - share)
                        d_query.append(separate_heads(tf.matmul(d_scores, columns), shared))
                        d_keys = tf.matmul(d_scores, part, transpose_a=True)
                        place = block.examples, scores.key_heads(block)
                        d_key.add(place, block.keys, d_keys)
                        d_value.add(place, block.keys, d_values)
                        by_head = separate_heads(d_scores, shared)
                        found = [_sum_to(bias.shape, by_head) for bias in biases]
                        d_biases = _add(d_biases, found) if d_biases else found
                if learned:
                    d_learned = _add(d_learned, tape.gradient(biases, learned, d_biases))
            num_keys = key.shape[2]
            d_states = _join(d_query, blocks), d_key.total(num_keys), d_value.total(num_keys)
            return *d_states, *d_learned

        return outputs, gradient

    return forward(query, key, value, *scores.learned)


def _plan(query: Any, key: Any, pattern: Any, block_bytes: int) -> list[Any]:
    """Return the blocks, the last queries first."""
    batch, num_heads, length = query.shape[:3]
    num_key_heads, num_keys = key.shape[1:3]
    if batch is None or pattern.window is not None:
        blocks = plan_blocks(batch, num_heads, length, num_keys, pattern, block_bytes)
        return sorted(blocks, key=lambda block: -block.queries.start)
    sizes = (batch, num_heads, num_key_heads, length, num_keys)
    return plan_blocks_of_heads(*sizes, pattern, block_bytes)


class _Scores:
    """Computes the attention weights of a block."""

    def __init__(self, bias: Any, distance_bias: Any, terms: Any, shared: int) -> None:
        self.given = (bias, distance_bias)
        self.learned = tuple(part for part in self.given if part is not None)
        self.terms = terms
        self.shared = shared

    def heads_per_key(self, block: Any) -> int:
        """Return the number of the block's query heads for each of its key heads."""
        return self.shared if block.heads is None else min(self.shared, block.heads.size)

    def key_heads(self, block: Any) -> Span | None:
        """Return the key heads of a block; None means all."""
        if block.heads is None:
            return None
        return Span(block.heads.start // self.shared, -(-block.heads.size // self.shared))

    def columns(self, states: _Slices, block: Any) -> Any:
        """Return the keys or values of a block."""
        return states.take(block.examples, self.key_heads(block), block.keys)

    def blocks_with_equal_biases(self, blocks: Sequence[Any]) -> list[list[Any]]:
        """Return groups of blocks; those of a group add the same biases to their scores."""
        bias = self.given[0]
        by_example = bias is not None and bias.shape[0] != 1

        def layout(block: Any) -> Any:
            return block if by_example else (block.queries, block.keys, block.heads)

        return [list(group) for _, group in groupby(blocks, layout)]

    def biases_of(self, block: Any, learned: Sequence[Any]) -> list[Any]:
        """Return the biases of a block, from the tensors in place of `self.learned`."""
        parts = iter(learned)
        both = (None if part is None else next(parts) for part in self.given)
        found: list[Any] = self.terms.biases_of(block, *both)
        return found

    def weights(self, block: Any, query: Any, key: Any, biases: Sequence[Any], visible: Any) -> Any:
        """Return softmax(Q Kᵀ + biases) of a block, (examples, heads, queries, keys).

        The queries are scaled before: a product that is scaled and then gets a bias would become
        one kernel of oneDNN, which takes seconds for some shapes.
        """
        shared = self.heads_per_key(block)
        scores = tf.matmul(share_heads(query, shared), key, transpose_b=True)
        scores = separate_heads(scores, shared)
        for part in biases:
            scores += part
        return softmax(mask_scores(scores, visible))


class _Masks:
    """The masks of a pattern and of padding; consecutive blocks with equal masks share them."""

    def __init__(self, terms: Any, blocks: Sequence[Any], query: Any) -> None:
        self.terms = terms
        self.made: dict[Any, Any] = {}
        self.padded: dict[Any, Any] = {}
        self.earlier: Any = None
        if all(terms.ends_causally(block) for block in blocks):
            place = tf.range(max(block.queries.size for block in blocks))
            # TensorFlow would keep each mask as a constant if none depended on the queries.
            is_nan = tf.cast(tf.math.is_nan(tf.reshape(query, (-1,))[0]), place.dtype)
            self.earlier = place[None, :] <= place[:, None] + is_nan

    def of(self, block: Any) -> Any:
        """Return which keys the queries of a block see, or None for all."""
        layout = self.terms.mask_layout(block)
        if layout not in self.made:
            self.made = {} if self.earlier is not None else self.made
            self.made[layout] = self._make(block)
        # Blocks that differ in their heads alone share both masks.
        key = block.queries, block.keys, block.examples
        if key not in self.padded:
            self.padded = {key: both_masks(self.terms.padding_of(block), self.made[layout])}
        return self.padded[key]

    def _make(self, block: Any) -> Any:
        if self.earlier is None:
            return self.terms.mask_of(block)
        size, num_keys = block.queries.size, block.keys[0].size
        before = ((0, 0), (num_keys - size, 0))
        return tf.pad(self.earlier[:size, :size], before, constant_values=True)


class _ColumnSums:
    """Sums of the gradients of keys or values, for blocks from the last to the first queries.

    A span of keys starts and stops no later than that of the block before. So the sum of all keys
    after a span is complete, and only the others change.
    """

    def __init__(self) -> None:
        self.sums: dict[Any, list[Any]] = {}
        self.complete: dict[Any, list[Any]] = {}
        self.latest: list[Any] = []

    def add(self, place: Any, spans: Sequence[Any], gradient: Any) -> None:
        """Add a block's gradient for some spans of keys, (…, keys, size)."""
        parts = tf.split(gradient, [span.size for span in spans], axis=2)
        self.latest = []
        for index, (span, part) in enumerate(zip(spans, parts, strict=True)):
            key = (*place, index)
            if key in self.sums:
                start, held = self.sums[key]
                both = span.stop - start
                if both < held.shape[2]:
                    self.complete[key].insert(0, held[:, :, both:])
                    held = held[:, :, :both]
                if span.start < start:
                    held = tf.pad(held, ((0, 0), (0, 0), (start - span.start, 0), (0, 0)))
                part += held
            else:
                self.complete[key] = []
            self.sums[key] = [span.start, part]
            self.latest.append(part)

    def total(self, num_keys: int) -> Any:
        """Return the sums for all keys, (batch, key heads, keys, size)."""
        found: dict[Any, dict[Any, Any]] = {}
        for key, (start, held) in self.sums.items():
            examples, heads, _ = key
            whole = tf.concat([held, *self.complete[key]], axis=2)
            after = num_keys - start - whole.shape[2]
            whole = tf.pad(whole, ((0, 0), (0, 0), (start, after), (0, 0)))
            of_heads = found.setdefault(examples, {})
            of_heads[heads] = of_heads[heads] + whole if heads in of_heads else whole
        return tf.concat([tf.concat(list(part.values()), 1) for part in found.values()], 0)


class _Slices:
    """Slices of states (batch, heads, places, size).

    TensorFlow slices the first axis without a copy. So some heads of one example are a view, and so
    are the places of a single head. Blocks share the first of these slices: a graph with fewer
    operations takes less memory.
    """

    def __init__(self, states: Any) -> None:
        self.states = states
        self.made: dict[Any, Any] = {}

    def take(self, examples: Any, heads: Any, spans: Sequence[Any]) -> Any:
        """Return some places of some heads, (examples, heads, places, size)."""
        key = examples, heads
        if key not in self.made:
            self.made[key] = self._take_heads(examples, heads)
        states = self.made[key]
        _, num_heads, length, size = states.shape
        if states.shape[0] == num_heads == len(spans) == 1 and isinstance(spans[0].start, int):
            own = tf.reshape(states, (length, size))[spans[0].start : spans[0].stop]
            return tf.reshape(own, (1, 1, -1, size))
        return take_spans(states, spans, 2)

    def _take_heads(self, examples: Any, heads: Any) -> Any:
        states = take_span(self.states, examples, 0)
        if heads is None or heads.size == states.shape[1]:
            return states
        return tf.reshape(states, states.shape[1:])[heads.start : heads.stop][None]

    def rows(self, block: Any) -> Any:
        """Return the queries of a block, or what belongs to them."""
        return self.take(block.examples, block.heads, (block.queries,))


def _join(parts: Sequence[Any], blocks: Sequence[Any]) -> Any:
    """Return the blocks' results for all queries, heads and examples."""
    found: dict[Any, dict[Any, list[Any]]] = {}
    for block, part in zip(blocks, parts, strict=True):
        rows = found.setdefault(block.examples, {}).setdefault(block.heads, [])
        rows.insert(0, part)
    by_example = [
        tf.concat([tf.concat(rows, axis=2) for rows in heads.values()], axis=1)
        for heads in found.values()
    ]
    return tf.concat(by_example, axis=0)


def _add(first: Sequence[Any], second: Sequence[Any]) -> list[Any]:
    return [one + other for one, other in zip(first, second, strict=True)]


def _sum_to(shape: Any, scores: Any) -> Any:
    """Return the gradient of a bias that was broadcast to the scores."""
    whole = [1] * (len(scores.shape) - len(shape)) + list(shape)
    axes = [axis for axis, size in enumerate(whole) if size == 1 != scores.shape[axis]]
    return tf.reshape(tf.reduce_sum(scores, axes) if axes else scores, shape)
