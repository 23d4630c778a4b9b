"""TensorFlow: fused kernels, and gradients that recompute activations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from keras import ops
from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext

from baselines.layers.backends.tensorflow_attention import attend as attend

FUSES = True


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


def _after(finished: Sequence[Any], tensor: Any) -> Any:
    with tf.control_dependencies(list(finished)):
        return tf.identity(tensor)


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
                values = [weight.value for weight in half.weights if weight.trainable]
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


def run_lstm(layer: Any, inputs: Any, state: Any) -> tuple[Any, Any]:
    """Return the outputs of a Keras LSTM, (batch, n, units), and its state after them.

    On a processor, one operation runs all positions: a loop of TensorFlow starts some operations
    for each. It supports only float32, and XLA cannot compile it. Its registered gradient is that
    of another order of the gates, so the right one is named here.
    """
    on_processor = all(part.device_type == "CPU" for part in tf.config.list_logical_devices())
    if not on_processor or GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()):
        outputs, *state = layer(inputs, initial_state=list(state))
        return outputs, tuple(state)
    by_position = tf.transpose(tf.cast(inputs, "float32"), (1, 0, 2))
    hidden, cell, kernel, recurrent, bias = (
        tf.cast(part, "float32") for part in (*state, *layer.weights)
    )
    no_peephole = tf.zeros((layer.units,))
    common = {
        "seq_len_max": tf.shape(by_position, out_type="int64")[0],
        "wci": no_peephole,
        "wcf": no_peephole,
        "wco": no_peephole,
        "use_peephole": False,
    }

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def forward(x: Any, w: Any, b: Any, h_prev: Any, cs_prev: Any) -> Any:
        given = {"x": x, "w": w, "b": b, "h_prev": h_prev, "cs_prev": cs_prev, **common}
        found = tf.raw_ops.BlockLSTMV2(cell_clip=0.0, **given)

        def gradient(d_outputs: Any, d_cells: Any) -> Any:
            gradients = tf.raw_ops.BlockLSTMGradV2(
                **given, **found._asdict(), h_grad=d_outputs, cs_grad=d_cells
            )
            names = "x_grad", "w_grad", "b_grad", "h_prev_grad", "cs_prev_grad"
            return tuple(getattr(gradients, name) for name in names)

        return (found.h, found.cs), gradient

    weights = tf.concat([kernel, recurrent], axis=0)
    outputs, cells = forward(by_position, weights, bias, hidden, cell)
    found = tf.transpose(outputs, (1, 0, 2)), outputs[-1], cells[-1]
    outputs, *state = (tf.cast(part, layer.compute_dtype) for part in found)
    return outputs, tuple(state)


def drop(states: Any, rate: float, seed: Any) -> Any:
    """Return dropout from a seed (2 numbers): the same seed drops the same elements."""
    kept = tf.random.stateless_uniform(tf.shape(states), tf.cast(seed, "int32")) >= rate
    return tf.where(kept, states / (1.0 - rate), tf.zeros_like(states))


def draw_normal(shape: Sequence[int], seed: Any) -> Any:
    """Return normally distributed numbers from a seed (2 numbers)."""
    return tf.random.stateless_normal(shape, tf.cast(seed, "int32"))


def write_in_place(array: Any, start: Sequence[Any], values: Any) -> Any:
    """Return an array with other values from `start` on; XLA does so in place."""
    return ops.slice_update(array, start, values)


def call_numpy(function: Callable[[int], Any], count: Any, shape: Sequence[int | None]) -> Any:
    """Return the int32 array of a NumPy function, which XLA cannot compile."""
    found = tf.numpy_function(function, [count], tf.int32)
    return tf.ensure_shape(found, shape)


def row_max(scores: Any) -> Any:
    """Return the maxima over the last axis, which stays with the size 1."""
    return ops.max(scores, axis=-1, keepdims=True)


def sum_by_place(arrays: Any, places: Any, count: int) -> Any:
    """Return `count` arrays: the sum of those of each place."""
    return ops.segment_sum(arrays, places, count)


def known_number(number: Any) -> int | None:
    """Return a number as an integer, or None if only a graph will know it."""
    value = number if isinstance(number, int) else tf.get_static_value(number)
    return None if value is None else int(value)


def nan_unless(holds: Any, states: Any, message: str) -> Any:
    """Return states, or NaN where a condition does not hold; outside XLA, raise an error there."""
    with tf.control_dependencies([tf.debugging.Assert(holds, [message])]):
        return tf.where(holds, states, tf.constant(float("nan"), states.dtype))


def zero_after(result: Any) -> Any:
    """Return the index 0, computed from a result: XLA must finish reading its inputs first.

    Without this order, XLA copies an array that is both read and written.
    """
    return ops.cast(ops.reshape(result, (-1,))[0] * 0, "int32")
