"""Functions of elements and small matrices as fused kernels."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from keras import ops

from baselines.layers.backends import backend_functions


@lru_cache
def fused(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the fused kernel of a module's function, compiled once for all layers.

    The kernel stores only its inputs for the gradient.
    """
    kernel: Callable[..., Any] = backend_functions().fused(function)
    return kernel


def in_float32(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that computes in float32, and gives the dtype of its first input.

    16-bit floats are rounded after each operation. In a fused kernel, that takes more time than the
    operations in float32.
    """

    def widened(first: Any, *others: Any) -> Any:
        wide = (ops.cast(given, "float32") for given in (first, *others))
        return ops.cast(function(*wide), first.dtype)

    return widened
