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


def fused_or_native(
    function: Callable[..., Any], operation: Callable[..., Any]
) -> Callable[..., Any]:
    """Return the fused kernel of a function, or the equal operation of Keras.

    The operation is used where the backend compiles no kernels: Keras calls PyTorch's own there.
    On PyTorch, Keras computes means and norms of float64 in float32.
    """
    return fused(function) if backend_functions().FUSES else operation


def in_float32(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function, computed in float32; the result has the dtype of the first input.

    Inputs of float64 keep their precision.
    """

    @wraps(function)
    def widened(first: Any, *others: Any) -> Any:
        dtype = keras.backend.standardize_dtype(first.dtype)
        wide = dtype if dtype == "float64" else "float32"
        given = (None if one is None else ops.cast(one, wide) for one in (first, *others))
        return ops.cast(function(*given), dtype)

    return widened


def in_float32_where_fused(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function, computed in float32 if the backend makes one kernel of it.

    A processor rounds 16-bit floats after each operation. This rounding takes longer than the
    operations of a fused kernel in float32. Without fusing, the results in float32 would be stored:
    PyTorch trained BERT at 0.64 of the speed while it computed GELU so (512 tokens, two cores with
    products of bfloat16).
    """
    return in_float32(function) if backend_functions().FUSES else function
