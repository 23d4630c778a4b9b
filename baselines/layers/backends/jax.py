"""JAX: gradients that recompute activations. XLA fuses operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from keras import StatelessScope, ops

from baselines.layers.backends.jax_attention import attend as attend
from baselines.layers.backends.jax_attention import row_max as row_max

FUSES = True


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


def run_lstm(layer: Any, inputs: Any, state: Any) -> tuple[Any, Any]:
    """Return the outputs of a Keras LSTM, (batch, n, units), and its state after them."""
    outputs, *state = layer(inputs, initial_state=list(state))
    return outputs, tuple(state)


def drop(states: Any, rate: float, seed: Any) -> Any:
    """Return dropout from a seed (2 numbers): the same seed drops the same elements."""
    kept = jax.random.bernoulli(_key(seed), 1.0 - rate, states.shape)
    return jnp.where(kept, states / (1.0 - rate), 0.0)


def draw_normal(shape: Sequence[int], seed: Any) -> Any:
    """Return normally distributed numbers from a seed (2 numbers)."""
    return jax.random.normal(_key(seed), tuple(shape))


def _key(seed: Any) -> Any:
    return jax.random.wrap_key_data(jnp.asarray(seed, "uint32"), impl="threefry2x32")


def write_in_place(array: Any, start: Sequence[Any], values: Any) -> Any:
    """Return an array with other values from `start` on; XLA does so in place."""
    return ops.slice_update(array, start, values)


def call_numpy(function: Callable[[int], Any], count: Any, shape: Sequence[int | None]) -> Any:
    """Return the array of a NumPy function."""
    return ops.convert_to_tensor(function(int(count)))


def sum_by_place(arrays: Any, places: Any, count: int) -> Any:
    """Return `count` arrays: the sum of those of each place."""
    return ops.segment_sum(arrays, places, count)


def known_number(number: Any) -> int | None:
    """Return a number as an integer, or None if it is being traced."""
    return None if isinstance(number, jax.core.Tracer) else int(number)


def nan_unless(holds: Any, states: Any, message: str) -> Any:
    """Return states, or NaN where a condition does not hold."""
    return jnp.where(holds, states, jnp.nan)


def zero_after(result: Any) -> Any:
    """Return the index 0, computed from a result: XLA must finish reading its inputs first.

    Without this order, XLA copies an array that is both read and written.
    """
    return ops.cast(ops.reshape(result, (-1,))[0] * 0, "int32")
