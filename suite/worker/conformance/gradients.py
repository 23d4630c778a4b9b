"""Gradients of a Keras computation on the current backend, so that one test serves all backends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import keras
import numpy as np
from keras import ops

BACKEND = keras.backend.backend()


def differentiate(
    function: Callable[..., Any],
    inputs: Sequence[np.ndarray],
    weights: Sequence[Any] = (),
    compiled: bool = False,
) -> tuple[float, list[np.ndarray | None]]:
    """Return a scalar function's value and its gradients: for the inputs, then for the weights.

    Missing gradients stay None. `compiled` compiles the computation on TensorFlow; JAX always
    compiles it.
    """
    value, gradients = RUNNERS[BACKEND](function, tensors(*inputs), list(weights), compiled)
    arrays = [None if part is None else ops.convert_to_numpy(part) for part in gradients]
    return float(value), arrays


def run(function: Callable[..., Any], *arrays: Any, compiled: bool | None = None) -> np.ndarray:
    """Run a function of arrays, or of None, and return its first output as an array.

    By default, JAX alone compiles the function as a whole: separate operations would compile for
    each shape.
    """
    if BACKEND == "jax" and compiled is not False:
        import jax

        function = jax.jit(_without_side_effects(function))
    elif BACKEND == "tensorflow" and compiled:
        import tensorflow as tf

        function = tf.function(function, autograph=False)
    outputs = function(*tensors(*arrays))
    first = outputs[0] if isinstance(outputs, tuple | list) else outputs
    array: np.ndarray = ops.convert_to_numpy(ops.stop_gradient(first))
    return array


@lru_cache(maxsize=8)
def _without_side_effects(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that changes no variable, which JAX can compile: always the same one."""

    def pure(*arrays: Any) -> Any:
        with keras.StatelessScope():
            return function(*arrays)

    return pure


def create_weights(function: Callable[..., Any], *arrays: Any) -> None:
    """Run a function once to create its weights; on JAX, trace it only, which is faster."""
    if BACKEND == "jax":
        import jax

        with keras.StatelessScope():
            jax.eval_shape(function, *arrays)
    else:
        function(*tensors(*arrays))


@contextmanager
def without_compiling() -> Iterator[None]:
    """Run TensorFlow's functions eagerly: building a graph takes longer than a few steps."""
    if BACKEND != "tensorflow":
        yield
        return
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


def tensors(*arrays: Any) -> list[Any]:
    """Return tensors of arrays: layer methods other than `call` accept nothing else."""
    return [None if part is None else ops.convert_to_tensor(part) for part in arrays]


def _with_tensorflow(function: Any, inputs: Any, weights: Any, compiled: bool) -> Any:
    import tensorflow as tf

    def step(inputs: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            value = function(*inputs)
        gradients = tape.gradient(value, [*inputs, *(weight.value for weight in weights)])
        return value, [None if part is None else tf.convert_to_tensor(part) for part in gradients]

    return (tf.function(step, autograph=False) if compiled else step)(inputs)


def _with_jax(function: Any, inputs: Any, weights: Any, compiled: bool) -> Any:
    import jax

    def pure(inputs: Any, values: Any) -> Any:
        with keras.StatelessScope(state_mapping=list(zip(weights, values, strict=True))):
            return function(*inputs)

    step = jax.value_and_grad(pure, argnums=(0, 1))
    values = [weight.value for weight in weights]
    value, gradients = jax.jit(step)(inputs, values)
    return value, [*gradients[0], *gradients[1]]


def _with_torch(function: Any, inputs: Any, weights: Any, compiled: bool) -> Any:
    import torch

    inputs = [part.detach().clone().requires_grad_() for part in inputs]
    value = function(*inputs)
    sources = [*inputs, *(weight.value for weight in weights)]
    return value.item(), list(torch.autograd.grad(value, sources, allow_unused=True))


RUNNERS = {"tensorflow": _with_tensorflow, "jax": _with_jax, "torch": _with_torch}
