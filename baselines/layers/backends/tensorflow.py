"""On TensorFlow: gradients that compute activations again, and draws from given seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


def run_reversibly(blocks: Sequence[Any], first: Any, second: Any) -> tuple[Any, Any]:
    """Pass two streams through reversible blocks, keeping no activations for the gradient.

    A block has `attend(states, kept)` → (mixed, kept) and `feed(states)`, and computes
    y₁ = x₁ + attend(x₂), y₂ = x₂ + feed(y₁) (Gomez et al. 2017, "The Reversible Residual Network").
    The gradient starts from the outputs of the last block and finds the inputs of each again:
    x₂ = y₂ − feed(y₁), x₁ = y₁ − attend(x₂). What `attend` hands over as kept (buckets) is stored,
    so that rounding cannot change it. `attend_weights` and `feed_weights` list the block's weights.
    """

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def forward(first: Any, second: Any) -> Any:
        stored = []
        for block in blocks:
            mixed, kept = block.attend(second, None)
            first = first + mixed
            second = second + block.feed(first)
            stored.append(kept)
        outputs = first, second

        def gradient(d_first: Any, d_second: Any, variables: Any = None) -> Any:
            found: dict[Any, Any] = {}
            y_first, y_second = outputs
            for block, kept in zip(reversed(blocks), reversed(stored), strict=True):
                # Without this, TensorFlow finds all inputs again before it needs the first.
                with tf.control_dependencies([d_first, d_second]):
                    y_first, y_second = tf.identity(y_first), tf.identity(y_second)
                with tf.GradientTape() as tape:
                    tape.watch(y_first)
                    fed = block.feed(y_first)
                d_first += _collect(tape, fed, y_first, block.feed_weights, d_second, found)
                y_second = y_second - fed
                with tf.GradientTape() as tape:
                    tape.watch(y_second)
                    mixed, _ = block.attend(y_second, kept)
                d_second += _collect(tape, mixed, y_second, block.attend_weights, d_first, found)
                y_first = y_first - mixed
            by_variable = [found.get(variable.ref()) for variable in variables or []]
            return (d_first, d_second), by_variable

        return outputs, gradient

    return forward(first, second)  # type: ignore[no-any-return]


def _collect(
    tape: Any, output: Any, states: Any, weights: Sequence[Any], upstream: Any, found: dict
) -> Any:
    """Return the gradient of a block's input, and add those of its weights to what was found."""
    variables = [weight.value for weight in weights]
    d_states, *d_variables = tape.gradient(output, [states, *variables], output_gradients=upstream)
    for variable, gradient in zip(variables, d_variables, strict=True):
        reference = variable.ref()
        found[reference] = found[reference] + gradient if reference in found else gradient
    return d_states


def drop(states: Any, rate: float, seed: Any) -> Any:
    """Drop out by a seed (2 numbers): the same seed drops the same."""
    kept = tf.random.stateless_uniform(tf.shape(states), tf.cast(seed, "int32")) >= rate
    return tf.where(kept, states / (1.0 - rate), tf.zeros_like(states))


def draw_normal(shape: Sequence[int], seed: Any) -> Any:
    """Draw normal numbers by a seed (2 numbers)."""
    return tf.random.stateless_normal(shape, tf.cast(seed, "int32"))
