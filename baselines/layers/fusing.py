"""Functions of elements and small matrices as fused kernels."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any

import keras
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
    """Return the function, computed in float32; the result has the dtype of the first input.

    A processor rounds 16-bit floats after each operation. In a fused kernel, this takes longer than
    the operations in float32. Inputs of float64 keep their precision.
    """

    @wraps(function)
    def widened(first: Any, *others: Any) -> Any:
        wide = keras.backend.result_type(first.dtype, "float32")
        given = (None if one is None else ops.cast(one, wide) for one in (first, *others))
        return ops.cast(function(*given), first.dtype)

    return widened
