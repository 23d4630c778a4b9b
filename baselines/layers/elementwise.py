"""Layer normalisation and GELU in one pass over memory, keeping only what they were given."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import keras
from keras import ops

from baselines.layers.backends import backend_functions


class LayerNorm(keras.layers.LayerNormalization):
    """Keras's layer normalisation over the last axis, as one kernel (Ba et al. 2016).

    In and out: (…, width). Time and memory O(n); only the input is kept for the gradient.
    """

    def call(self, inputs: Any) -> Any:
        """Normalise."""
        return _normalizer(self.epsilon)(inputs, self.gamma, self.beta)


@lru_cache
def _normalizer(epsilon: float) -> Any:
    def normalize(inputs: Any, gamma: Any, beta: Any) -> Any:
        centred = inputs - ops.mean(inputs, axis=-1, keepdims=True)
        variance = ops.mean(centred * centred, axis=-1, keepdims=True)
        return centred * ops.rsqrt(variance + epsilon) * gamma + beta

    return backend_functions().fused(normalize)


def gelu(inputs: Any) -> Any:
    """Give x·Φ(x) (Hendrycks and Gimpel 2016), as one kernel."""
    return _gelu()(inputs)


@lru_cache
def _gelu() -> Any:
    def exact(inputs: Any) -> Any:
        return 0.5 * inputs * (1.0 + ops.erf(inputs * math.sqrt(0.5)))

    return backend_functions().fused(exact)


def gelu_tanh(inputs: Any) -> Any:
    """Give GELU by its tanh approximation, as GPT-2 does, as one kernel."""
    return _gelu_tanh()(inputs)


@lru_cache
def _gelu_tanh() -> Any:
    def approximate(inputs: Any) -> Any:
        inner = math.sqrt(2.0 / math.pi) * (inputs + 0.044715 * inputs**3)
        return 0.5 * inputs * (1.0 + ops.tanh(inner))

    return backend_functions().fused(approximate)
