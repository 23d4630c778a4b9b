"""JAX: attention in blocks, gradients that recompute activations. XLA fuses operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from keras import StatelessScope, ops

CAUSAL_PARTS = 8
"""The number of parts of a causal sequence. Each part attends to all keys up to its last position:
a tenth more products than if each block stopped at its own last position."""


def custom_gradient(function: Callable[..., Any]) -> Callable[..., tuple[Any, ...]]:
    """Return a function of tensors with the gradient that it defines itself."""

    @jax.custom_gradient  # type: ignore[untyped-decorator]
    def decorated(*inputs: Any) -> Any:
        outputs, gradient = function(*inputs)
        return outputs, lambda upstream: tuple(gradient(*upstream))

    return lambda *inputs: decorated(*(ops.convert_to_tensor(part) for part in inputs))


def recomputed(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that stores only its inputs and is recomputed for the gradient."""
    again = jax.checkpoint(function)
    return lambda *inputs: again(*(ops.convert_to_tensor(part) for part in inputs))


def fused(function: Callable[..., Any], num_constants: int = 0) -> Callable[..., Any]:
    """Return a function that stores only its inputs; XLA fuses it into one kernel anyway."""
    return recomputed(function)


def attend_in_blocks(
    query: Any,
    key: Any,
    value: Any,
    bias: Any,
    causal: bool,
    masked: float,
    blocks: Sequence[Any],
) -> Any:
    """Return softmax(Q Kᵀ + bias) V block by block, and recompute scores for the gradient."""

    @jax.checkpoint  # type: ignore[untyped-decorator]
    def attend(query: Any, key: Any, value: Any, bias: Any, first: Any) -> Any:
        scores = jnp.einsum("bhnd,bhmd->bhnm", query, key)
        if bias is not None:
            scores += bias
        if causal:
            place = first + jnp.arange(query.shape[2])
            later = jnp.arange(key.shape[2])[None, :] > place[:, None]
            scores += later.astype(scores.dtype) * masked
        return jax.nn.softmax(scores, axis=-1) @ value

    if len(blocks) == 1:
        return attend(query, key, value, bias, 0)
    first = blocks[0]
    if first.examples != blocks[1].examples:
        one = lambda parts: attend(*(None if p is None else p[None] for p in parts), 0)[0]  # noqa: E731
        return jax.lax.map(one, (query, key, value, bias), batch_size=first.examples.stop)

    def attend_by_blocks(start: int, stop: int, num_keys: int) -> Any:
        """Loop over the queries: without a loop, XLA holds the scores of all blocks at once."""
        keys, values = key[:, :, :num_keys], value[:, :, :num_keys]
        here = None if bias is None else bias[..., :num_keys]
        batch, num_heads, _, head_size = query.shape
        rows = first.queries.stop
        whole = stop - (stop - start) % rows
        parts = []
        if whole > start:
            stacked = jnp.reshape(query[:, :, start:whole], (batch, num_heads, -1, rows, head_size))
            looped = jax.lax.map(
                lambda block: attend(block[0], keys, values, here, block[1]),
                (jnp.moveaxis(stacked, 2, 0), jnp.arange(start, whole, rows)),
            )
            flat = (batch, num_heads, whole - start, head_size)
            parts.append(jnp.reshape(jnp.moveaxis(looped, 0, 2), flat))
        if whole < stop:
            parts.append(attend(query[:, :, whole:stop], keys, values, here, whole))
        return jnp.concatenate(parts, axis=2)

    if not causal:
        return attend_by_blocks(0, query.shape[2], key.shape[2])
    num_blocks = max(2, -(-len(blocks) // CAUSAL_PARTS))  # XLA removes a loop of one iteration
    parts = [blocks[start : start + num_blocks] for start in range(0, len(blocks), num_blocks)]
    ends = [(part[0].queries.start, part[-1].queries.stop) for part in parts]
    return jnp.concatenate([attend_by_blocks(*end, end[1]) for end in ends], axis=2)


def run_reversibly(halves: Sequence[Any], first: Any, second: Any, context: Any) -> tuple[Any, Any]:
    """Add to two streams in turn, without storing activations for the gradient."""

    def run(half: Any, values: Any, states: Any, context: Any, kept: Any) -> tuple[Any, Any]:
        """Run a half as a function of its weights' values, so that JAX differentiates them."""
        with StatelessScope(state_mapping=list(zip(half.weights, values, strict=True))):
            added: tuple[Any, Any] = half.run(states, context, kept)
        return added

    @jax.custom_vjp  # type: ignore[untyped-decorator]
    def streams(all_values: Any, first: Any, second: Any, context: Any) -> Any:
        return forward(all_values, first, second, context)[0]

    def forward(all_values: Any, first: Any, second: Any, context: Any) -> Any:
        stored = []
        for half, values in zip(halves, all_values, strict=True):
            added, kept = run(half, values, second, context, None)
            first, second = second, first + added
            stored.append(kept)
        return (first, second), (all_values, first, second, context, stored)

    def backward(saved: Any, upstream: Any) -> Any:
        all_values, first, second, context, stored = saved
        d_first, d_second = upstream
        d_context = None if context is None else jnp.zeros_like(context)
        d_values = []
        steps = zip(reversed(halves), reversed(all_values), reversed(stored), strict=True)
        for half, values, kept in steps:
            # The barrier keeps XLA from recovering all inputs before it needs the first.
            states, d_first, d_second = jax.lax.optimization_barrier((first, d_first, d_second))
            added, pull = jax.vjp(
                lambda values, states, context, half=half, kept=kept: run(
                    half, values, states, context, kept
                )[0],
                values,
                states,
                context,
            )
            d_weights, d_states, d_attended = pull(d_second)
            if context is not None:
                d_context += d_attended
            d_values.append(d_weights)
            first, second = second - added, states
            d_first, d_second = d_second, d_first + d_states
        return d_values[::-1], d_first, d_second, d_context

    streams.defvjp(forward, backward)
    all_values = [[ops.convert_to_tensor(weight) for weight in half.weights] for half in halves]
    return streams(all_values, first, second, context)  # type: ignore[no-any-return]


def drop(states: Any, rate: float, seed: Any) -> Any:
    """Return dropout from a seed (2 numbers): the same seed drops the same elements."""
    kept = jax.random.bernoulli(_key(seed), 1.0 - rate, states.shape)
    return jnp.where(kept, states / (1.0 - rate), 0.0)


def draw_normal(shape: Sequence[int], seed: Any) -> Any:
    """Return normally distributed numbers from a seed (2 numbers)."""
    return jax.random.normal(_key(seed), tuple(shape))


def _key(seed: Any) -> Any:
    return jax.random.wrap_key_data(jnp.asarray(seed, "uint32"), impl="threefry2x32")
