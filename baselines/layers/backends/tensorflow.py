"""TensorFlow: fused kernels, attention in blocks, gradients that recompute activations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

MIN_TRANSPOSED_KEYS = 128
"""Below this number of keys, a strided read of scores is cheaper than transposing a product."""


def custom_gradient(function: Callable[..., Any]) -> Callable[..., tuple[Any, ...]]:
    """Return a function of tensors with the gradient that it defines itself."""
    decorated: Callable[..., tuple[Any, ...]] = tf.custom_gradient(function)
    return lambda *inputs: decorated(*(tf.convert_to_tensor(part) for part in inputs))


def fused(function: Callable[..., Any], num_constants: int = 0) -> Callable[..., Any]:
    """Return a function that XLA compiles to one kernel, and that stores only its inputs.

    Without XLA, TensorFlow reads and writes memory for each operation, and stores each result for
    the gradient. Matrix products stay outside, because oneDNN's are faster. Outside a compiled step
    the function runs uncompiled, because compiling for one call costs more. The last
    `num_constants` inputs have no gradient.
    """
    forward = tf.function(function, jit_compile=True, autograph=False)

    @tf.function(jit_compile=True, autograph=False)  # type: ignore[untyped-decorator]
    def backward(inputs: Any, upstream: Any) -> Any:
        moving = inputs[: len(inputs) - num_constants]
        with tf.GradientTape() as tape:
            tape.watch(moving)
            outputs = function(*inputs)
        return tape.gradient(outputs, moving, output_gradients=upstream)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def compiled(*inputs: Any) -> Any:
        def gradient(*upstream: Any) -> Any:
            found = backward(inputs, upstream[0] if len(upstream) == 1 else upstream)
            return (*found, *[None] * num_constants)

        return forward(*inputs), gradient

    def call(*inputs: Any) -> Any:
        inputs = tuple(tf.convert_to_tensor(part) for part in inputs)
        return compiled(*inputs) if tf.inside_function() else function(*inputs)

    return call


def recomputed(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that stores only its inputs and is recomputed for the gradient."""

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def forward(*inputs: Any) -> Any:
        def gradient(upstream: Any) -> Any:
            again = [_after([upstream], part) for part in inputs]
            with tf.GradientTape() as tape:
                tape.watch(again)
                outputs = function(*again)
            return tape.gradient(outputs, again, output_gradients=upstream)

        return function(*inputs), gradient

    return lambda *inputs: forward(*(tf.convert_to_tensor(part) for part in inputs))


def attend_in_blocks(
    query: Any,
    key: Any,
    value: Any,
    bias: Any,
    causal: bool,
    masked: float,
    blocks: Sequence[Any],
) -> Any:
    """Return softmax(Q Kᵀ + bias) V block by block, and recompute scores for the gradient.

    Control dependencies run the blocks in sequence; otherwise TensorFlow would hold the scores of
    several blocks at once. It would also compute independent operations, such as slices of the
    keys, for all blocks in advance. So every operation waits for the block before. The mask does
    not: it covers a block's own keys only, and is the same for all blocks.
    """
    if causal:
        place = tf.range(max(block.queries.stop - block.queries.start for block in blocks))
        own_later = tf.cast(place[None, :] > place[:, None], query.dtype) * masked

    def weights(block: Any, query: Any, key: Any) -> Any:
        scores = tf.matmul(query, key, transpose_b=True)
        if bias is not None:
            scores += bias[block.examples, :, :, : block.num_keys]
        if causal:
            num_own = block.queries.stop - block.queries.start
            scores = _add_to_last(scores, own_later[:num_own, :num_own])
        return tf.nn.softmax(scores)

    def rows(block: Any, states: Any) -> Any:
        return _part(states, block.examples, block.queries)

    def columns(block: Any, states: Any) -> Any:
        return _part(states, block.examples, slice(0, block.num_keys))

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def forward(query: Any, key: Any, value: Any) -> Any:
        done: list[Any] = []
        for block in blocks:
            with tf.control_dependencies(done[-1:] or [query]):
                probability = weights(block, rows(block, query), columns(block, key))
                done.append(tf.matmul(probability, columns(block, value)))
        outputs = _join(done, blocks)

        def gradient(upstream: Any) -> Any:
            shared = tf.reduce_sum(outputs * upstream, axis=-1, keepdims=True)
            d_query: list[Any] = []
            d_key: list[Any] = []
            d_value: list[Any] = []
            for block in blocks:
                with tf.control_dependencies([upstream, *d_query[-1:], *d_key[-1:], *d_value[-1:]]):
                    part, d_part = rows(block, query), rows(block, upstream)
                    keys, values = columns(block, key), columns(block, value)
                    probability = weights(block, part, keys)
                    d_values = _multiply_transposed_scores(probability, d_part)
                    d_scores = probability * (
                        tf.matmul(d_part, values, transpose_b=True) - rows(block, shared)
                    )
                    d_query.append(tf.matmul(d_scores, keys))
                    _accumulate(d_key, _multiply_transposed_scores(d_scores, part), block)
                    _accumulate(d_value, d_values, block)
            return _join(d_query, blocks), tf.concat(d_key, axis=0), tf.concat(d_value, axis=0)

        return outputs, gradient

    return forward(query, key, value)


def _add_to_last(scores: Any, added: Any) -> Any:
    """Return scores (…, n, keys) with (n, m) added to the last m keys, in place.

    The scores are reshaped to a matrix, because the update takes twice as long in four dimensions.
    """
    start = scores.shape[-1] - added.shape[-1]
    if start == 0:
        return scores + added
    own = tf.reshape(scores[..., start:] + added, (-1, added.shape[-1]))
    rows = tf.reshape(scores, (-1, scores.shape[-1]))
    rows = tf.raw_ops.TensorStridedSliceUpdate(
        input=rows, begin=(0, start), end=rows.shape, strides=(1, 1), value=own
    )
    return tf.reshape(rows, scores.shape)


def _multiply_transposed_scores(scores: Any, states: Any) -> Any:
    """Return the product of the transposed scores (…, n, m) and states (…, n, d).

    With many scores it is computed as (statesᵀ · scores)ᵀ, which transposes small arrays only.
    oneDNN takes twice as long for a strided read of the large array.
    """
    if scores.shape[-1] < MIN_TRANSPOSED_KEYS:
        return tf.matmul(scores, states, transpose_a=True)
    return tf.linalg.matrix_transpose(tf.matmul(states, scores, transpose_a=True))


def _part(states: Any, examples: slice, places: slice) -> Any:
    """Return a slice of axes 0 and 2, without a copy if the slice is the whole tensor."""
    if examples == slice(0, states.shape[0]) and places == slice(0, states.shape[2]):
        return states
    return states[examples, :, places]


def _after(finished: Sequence[Any], tensor: Any) -> Any:
    with tf.control_dependencies(list(finished)):
        return tf.identity(tensor)


def _join(parts: Sequence[Any], blocks: Sequence[Any]) -> Any:
    """Return the concatenated blocks, along queries if they belong to the same examples."""
    if len(parts) == 1:
        return parts[0]
    return tf.concat(parts, axis=2 if blocks[0].examples == blocks[1].examples else 0)


def _accumulate(found: list[Any], gradient: Any, block: Any) -> None:
    """Add a block's gradient for its keys to that of the earlier blocks of its examples."""
    missing = block.all_keys - block.num_keys
    if missing:
        gradient = tf.pad(gradient, ((0, 0), (0, 0), (0, missing), (0, 0)))
    if block.first_of_examples:
        found.append(gradient)
    else:
        found[-1] = found[-1] + gradient


def run_reversibly(halves: Sequence[Any], first: Any, second: Any, context: Any) -> tuple[Any, Any]:
    """Add to two streams in turn, without storing activations for the gradient."""
    attends = context is not None

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def forward(first: Any, second: Any, *contexts: Any) -> Any:
        attended = contexts[0] if attends else None
        stored = []
        for half in halves:
            added, kept = half.run(second, attended, None)
            first, second = second, first + added
            stored.append(kept)
        outputs = first, second

        def gradient(d_first: Any, d_second: Any, variables: Any = None) -> Any:
            found: dict[Any, Any] = {}
            d_context = tf.zeros_like(attended) if attends else None
            first, second = outputs
            for half, kept in zip(reversed(halves), reversed(stored), strict=True):
                # Without this dependency, TensorFlow recovers all inputs before it needs the first.
                states = _after([d_first, d_second], first)
                sources = [states, *([attended] if attends else [])]
                values = [weight.value for weight in half.weights]
                with tf.GradientTape() as tape:
                    tape.watch(sources)
                    added, _ = half.run(states, attended, kept)
                d_states, *others = tape.gradient(
                    added, [*sources, *values], output_gradients=d_second
                )
                if attends:
                    d_attended, *others = others
                    if d_attended is not None:
                        d_context += d_attended
                recovered = second - added
                # The optimizer may update a weight once its gradient is known, and TensorFlow's
                # graph optimizer drops the order of that update and the reads above. Without this
                # dependency, a half would be recomputed with updated weights.
                read = [d_states] if half is halves[0] else [d_states, recovered]
                for value, d_value in zip(values, others, strict=True):
                    reference = value.ref()
                    d_value = _after(read, d_value)
                    found[reference] = found[reference] + d_value if reference in found else d_value
                first, second = recovered, states
                d_first, d_second = d_second, d_first + d_states
            by_variable = [found.get(variable.ref()) for variable in variables or []]
            return (d_first, d_second, *([d_context] if attends else [])), by_variable

        return outputs, gradient

    return forward(first, second, *([context] if attends else []))  # type: ignore[no-any-return]


def drop(states: Any, rate: float, seed: Any) -> Any:
    """Return dropout from a seed (2 numbers): the same seed drops the same elements."""
    kept = tf.random.stateless_uniform(tf.shape(states), tf.cast(seed, "int32")) >= rate
    return tf.where(kept, states / (1.0 - rate), tf.zeros_like(states))


def draw_normal(shape: Sequence[int], seed: Any) -> Any:
    """Return normally distributed numbers from a seed (2 numbers)."""
    return tf.random.stateless_normal(shape, tf.cast(seed, "int32"))
