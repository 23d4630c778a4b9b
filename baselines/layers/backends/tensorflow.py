"""On TensorFlow: fused kernels, attention in blocks, gradients that compute activations again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

TURNED_FROM = 128
"""Below so many keys, reading scores across costs less than turning a product."""


def custom_gradient(function: Callable[..., Any]) -> Callable[..., tuple[Any, ...]]:
    """Give a function of tensors a gradient of its own."""
    decorated: Callable[..., tuple[Any, ...]] = tf.custom_gradient(function)
    return lambda *inputs: decorated(*(tf.convert_to_tensor(part) for part in inputs))


def fused(function: Callable[..., Any], num_constants: int = 0) -> Callable[..., Any]:
    """Let XLA make one kernel of a function of tensors, which keeps only its inputs.

    Without XLA, TensorFlow passes over memory once for each operation and keeps what each gives for
    the gradient. Products of matrices stay outside: oneDNN's are faster. Outside of a compiled step
    the function runs as it is: compiling for one call does not pay. The last `num_constants` inputs
    have no gradient.
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
    """Keep only the inputs of a function of tensors, and compute it again for the gradient."""

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
    """Give softmax(Q Kᵀ + bias) V block after block, and compute scores again for the gradient.

    StepTimings run one after another, or TensorFlow would hold several at once; also what waits for
    none of them, as slices of the keys, it would make for all beforehand. So everything waits but
    the mask, which is of a block's own keys alone and the same for all.
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
                    d_values = _multiply_turned(probability, d_part)
                    d_scores = probability * (
                        tf.matmul(d_part, values, transpose_b=True) - rows(block, shared)
                    )
                    d_query.append(tf.matmul(d_scores, keys))
                    _gather_up(d_key, _multiply_turned(d_scores, part), block)
                    _gather_up(d_value, d_values, block)
            return _join(d_query, blocks), tf.concat(d_key, axis=0), tf.concat(d_value, axis=0)

        return outputs, gradient

    return forward(query, key, value)


def _add_to_last(scores: Any, added: Any) -> Any:
    """Add (n, m) to the last m keys of scores (…, n, keys), in place.

    As rows of a matrix: the update takes twice as long in four dimensions.
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


def _multiply_turned(scores: Any, states: Any) -> Any:
    """Multiply the transposed scores (…, n, m) by states (…, n, d).

    Where scores are many, as (statesᵀ · scores)ᵀ, which turns small arrays alone: oneDNN takes
    twice as long to read the large one across.
    """
    if scores.shape[-1] < TURNED_FROM:
        return tf.matmul(scores, states, transpose_a=True)
    return tf.linalg.matrix_transpose(tf.matmul(states, scores, transpose_a=True))


def _part(states: Any, examples: slice, places: slice) -> Any:
    """Slice axes 0 and 2; what is whole is not copied."""
    if examples == slice(0, states.shape[0]) and places == slice(0, states.shape[2]):
        return states
    return states[examples, :, places]


def _after(finished: Sequence[Any], tensor: Any) -> Any:
    with tf.control_dependencies(list(finished)):
        return tf.identity(tensor)


def _join(parts: Sequence[Any], blocks: Sequence[Any]) -> Any:
    """Put blocks together, of queries where they are all of the same examples."""
    if len(parts) == 1:
        return parts[0]
    return tf.concat(parts, axis=2 if blocks[0].examples == blocks[1].examples else 0)


def _gather_up(found: list[Any], gradient: Any, block: Any) -> None:
    """Add a block's gradient of its keys to that of the examples' earlier blocks."""
    missing = block.all_keys - block.num_keys
    if missing:
        gradient = tf.pad(gradient, ((0, 0), (0, 0), (0, missing), (0, 0)))
    if block.first_of_examples:
        found.append(gradient)
    else:
        found[-1] = found[-1] + gradient


def run_reversibly(halves: Sequence[Any], first: Any, second: Any, context: Any) -> tuple[Any, Any]:
    """Add to two streams in turn, keeping no activations for the gradient."""
    looks = context is not None

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def forward(first: Any, second: Any, *contexts: Any) -> Any:
        looked_at = contexts[0] if looks else None
        stored = []
        for half in halves:
            added, kept = half.run(second, looked_at, None)
            first, second = second, first + added
            stored.append(kept)
        outputs = first, second

        def gradient(d_first: Any, d_second: Any, variables: Any = None) -> Any:
            found: dict[Any, Any] = {}
            d_context = tf.zeros_like(looked_at) if looks else None
            first, second = outputs
            for half, kept in zip(reversed(halves), reversed(stored), strict=True):
                # Without waiting, TensorFlow finds all inputs again before it needs the first.
                states = _after([d_first, d_second], first)
                sources = [states, *([looked_at] if looks else [])]
                values = [weight.value for weight in half.weights]
                with tf.GradientTape() as tape:
                    tape.watch(sources)
                    added, _ = half.run(states, looked_at, kept)
                d_states, *others = tape.gradient(
                    added, [*sources, *values], output_gradients=d_second
                )
                if looks:
                    d_looked_at, *others = others
                    if d_looked_at is not None:
                        d_context += d_looked_at
                for value, d_value in zip(values, others, strict=True):
                    reference = value.ref()
                    found[reference] = found[reference] + d_value if reference in found else d_value
                first, second = second - added, states
                d_first, d_second = d_second, d_first + d_states
            by_variable = [found.get(variable.ref()) for variable in variables or []]
            return (d_first, d_second, *([d_context] if looks else [])), by_variable

        return outputs, gradient

    return forward(first, second, *([context] if looks else []))  # type: ignore[no-any-return]


def drop(states: Any, rate: float, seed: Any) -> Any:
    """Drop out by a seed (2 numbers): the same seed drops the same."""
    kept = tf.random.stateless_uniform(tf.shape(states), tf.cast(seed, "int32")) >= rate
    return tf.where(kept, states / (1.0 - rate), tf.zeros_like(states))


def draw_normal(shape: Sequence[int], seed: Any) -> Any:
    """Draw normal numbers by a seed (2 numbers)."""
    return tf.random.stateless_normal(shape, tf.cast(seed, "int32"))
