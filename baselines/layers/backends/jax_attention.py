"""JAX: attention in blocks, or cuDNN's kernel on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from baselines.layers.attention import attend as attend_at_once
from baselines.layers.attention import mix, score
from baselines.layers.attention_blocks import Block, Span, plan_blocks, take_spans

CAUSAL_PARTS = 8
"""The number of parts of a causal sequence. Each part attends to all keys up to its last position:
a tenth more products than if each block stopped at its own last position."""
LARGEST_HEAD = 128
"""The largest head size of cuDNN's kernel. Sizes are multiples of 8."""
FIRST_GENERATION = 8
"""The first compute capability of NVIDIA's devices with the kernel."""

VECTOR = 16
"""The number of float32 values in the widest register of a processor."""


def attend(
    query: Any,
    key: Any,
    value: Any,
    bias: Any,
    distance_bias: Any,
    terms: Any,
    block_bytes: int,
    drop: Callable[[Any, Any], Any] | None,
    lengths: Any,
) -> Any:
    """Return attention from cuDNN's kernel if it supports the case, or else block by block."""

    def in_blocks() -> Any:
        batch, num_heads, length, _ = query.shape
        blocks = plan_blocks(batch, num_heads, length, key.shape[2], terms.pattern, block_bytes)
        return _attend_in_blocks(query, key, value, bias, distance_bias, terms, blocks, drop)

    plain = bias is None and distance_bias is None and drop is None
    # A query at a padded position may have no real key in its window.
    if terms.pattern.window is not None and terms.padding is not None:
        plain = False
    if not plain or not _cudnn_supports(query, key, terms.pattern):
        return in_blocks()
    if terms.padding is None or lengths is not None:
        return _attend_with_cudnn(query, key, value, terms.pattern, lengths)
    # cuDNN takes the number of real keys, so the padding must follow them.
    real = terms.padding[:, 0, 0, :]
    lengths = jnp.sum(real, axis=1, dtype="int32")
    at_end = jnp.all(real == (jnp.arange(real.shape[1])[None, :] < lengths[:, None]))
    return jax.lax.cond(
        at_end, lambda: _attend_with_cudnn(query, key, value, terms.pattern, lengths), in_blocks
    )


def _cudnn_supports(query: Any, key: Any, pattern: Any) -> bool:
    """Return whether the device is a GPU whose cuDNN has a kernel for the case."""
    if jax.default_backend() != "gpu" or query.dtype not in (jnp.bfloat16, jnp.float16):
        return False
    length, head_size = query.shape[2:]
    if head_size % 8 or head_size > LARGEST_HEAD:
        return False
    if pattern.causal and (pattern.offset or length != key.shape[2]):
        return False
    if pattern.window is not None and (pattern.num_sinks or not pattern.causal):
        return False
    generation = str(jax.devices()[0].compute_capability).split(".")[0]
    return generation.isdigit() and int(generation) >= FIRST_GENERATION


def _attend_with_cudnn(query: Any, key: Any, value: Any, pattern: Any, lengths: Any) -> Any:
    by_position = (jnp.swapaxes(states, 1, 2) for states in (query, key, value))
    mixed = jax.nn.dot_product_attention(
        *by_position,
        scale=1.0,
        is_causal=pattern.causal,
        key_value_seq_lengths=None if lengths is None else jnp.asarray(lengths, "int32"),
        local_window_size=(pattern.window - 1, 0) if pattern.window else None,
        implementation="cudnn",
    )
    return jnp.swapaxes(mixed, 1, 2)


def row_max(scores: Any) -> Any:
    """Return the maxima over the last axis, which stays with the size 1.

    On a processor, XLA reduces a row one number after the other. Maxima of its halves, which may
    overlap, take a quarter of the time (512 numbers a row).
    """
    if jax.default_backend() == "cpu":
        while (size := scores.shape[-1]) > VECTOR:
            half = -(-size // 2)
            scores = jnp.maximum(scores[..., :half], scores[..., size - half :])
    return jnp.max(scores, axis=-1, keepdims=True)


def _keeps_precision(dtype: Any) -> bool:
    """Return whether a processor's products have float32 sums: those of 16 bits are rounded."""
    return jax.default_backend() == "cpu" and dtype in (jnp.float32, jnp.float64)


def _attend_with_sums_as_products(
    query: Any, key: Any, value: Any, *biases: Any, visible: Any = None
) -> Any:
    """Return attention whose softmax is divided by its sum at the end.

    The sum is a product with a further column of the values, as is the sum in the gradient. On a
    processor, this is faster than the reductions of XLA (see `row_max`).
    """
    scores = score(query, key, *biases, visible=visible)
    weights = jnp.exp(scores - jax.lax.stop_gradient(row_max(scores)))
    ones = jnp.ones((*value.shape[:-1], 1), value.dtype)
    mixed = mix(weights, jnp.concatenate([value, ones], axis=-1))
    return mixed[..., :-1] / mixed[..., -1:]


def _attend_in_blocks(
    query: Any,
    key: Any,
    value: Any,
    bias: Any,
    distance_bias: Any,
    terms: Any,
    blocks: Sequence[Any],
    drop: Callable[[Any, Any], Any] | None,
) -> Any:
    """Return attention block by block, and recompute scores for the gradient.

    Loops run the blocks: without a loop, XLA holds the scores of all blocks at once.
    """

    def attend_to(keys: Any) -> Callable[..., Any]:
        """Return attention of queries to the given spans of keys, or else to those that they see.

        Given spans, the keys and values are those of the spans only.
        """

        @jax.checkpoint  # type: ignore[untyped-decorator]
        def attend(query: Any, key: Any, value: Any, padding: Any, bias: Any, *rest: Any) -> Any:
            distance_bias, first, number = rest
            queries = Span(first, query.shape[2])
            seen = keys
            if keys is None:
                seen = terms.pattern.keys_seen(queries, key.shape[2])
                key, value = (take_spans(states, seen, 2) for states in (key, value))
            block = Block(Span(0, query.shape[0]), queries, seen)
            own = replace(terms, padding=padding)
            states, biases = (query, key, value), own.biases_of(block, bias, distance_bias)
            visible = own.visible_in(block)
            if drop is None and _keeps_precision(query.dtype):
                return _attend_with_sums_as_products(*states, *biases, visible=visible)
            own_drop = drop and (lambda weights, _: drop(weights, number))
            return attend_at_once(*states, *biases, visible=visible, drop=own_drop)

        found: Callable[..., Any] = attend
        return found

    def attend_by_rows(start: int, stop: int, keys: Any) -> Any:
        """Loop over blocks of queries of one size, and attend once from the rest."""
        attend = attend_to(keys)
        # Slices within the loop would be copied in each of its steps.
        near = [states if keys is None else take_spans(states, keys, 2) for states in (key, value)]
        given = (*near, terms.padding, bias, distance_bias)
        batch, num_heads, _, head_size = query.shape
        rows = first.queries.size
        whole = stop - (stop - start) % rows
        parts = []
        if whole > start:
            stacked = jnp.reshape(query[:, :, start:whole], (batch, num_heads, -1, rows, head_size))
            starts = jnp.arange(start, whole, rows)
            looped = jax.lax.map(
                lambda block: attend(block[0], *given, block[1], block[1] // rows),
                (jnp.moveaxis(stacked, 2, 0), starts),
            )
            flat = (batch, num_heads, whole - start, value.shape[-1])
            parts.append(jnp.reshape(jnp.moveaxis(looped, 0, 2), flat))
        if whole < stop:
            parts.append(attend(query[:, :, whole:stop], *given, whole, whole // rows))
        return jnp.concatenate(parts, axis=2)

    first = blocks[0]
    if len(blocks) == 1:
        return attend_by_rows(0, query.shape[2], first.keys)
    if first.examples != blocks[1].examples:
        own_bias = bias is not None and bias.shape[0] != 1
        attend = attend_to(first.keys)

        def of_example(example: Any) -> Any:
            *states, own, number = example
            states = [None if part is None else part[None] for part in states]
            own = own[None] if own_bias else bias
            return attend(*states, own, distance_bias, 0, number)[0]

        numbers = jnp.arange(query.shape[0])
        each = (query, key, value, terms.padding, bias if own_bias else None, numbers)
        return jax.lax.map(of_example, each, batch_size=first.examples.size)
    if terms.pattern.window is not None:
        return attend_by_rows(0, query.shape[2], None)
    if not terms.pattern.causal:
        return attend_by_rows(0, query.shape[2], first.keys)
    num_blocks = max(2, -(-len(blocks) // CAUSAL_PARTS))  # XLA removes a loop of one iteration
    parts = [blocks[start : start + num_blocks] for start in range(0, len(blocks), num_blocks)]
    return jnp.concatenate(
        [
            attend_by_rows(part[0].queries.start, part[-1].queries.stop, part[-1].keys)
            for part in parts
        ],
        axis=2,
    )
