"""Functions of elements and small matrices as fused kernels."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from baselines.layers.backends import backend_functions


@lru_cache
def fused(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the fused kernel of a module's function, compiled once for all layers.

    The kernel stores only its inputs for the gradient.
    """
    kernel: Callable[..., Any] = backend_functions().fused(function)
    return kernel
