"""Norms and activations as fused kernels that keep only their input for the gradient.

PyTorch computes them with its own kernels, which may keep more.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import keras
from keras import ops

from baselines.layers.fusing import fused_or_native, in_float32
from baselines.layers.layer import PACKAGE, Layer


@keras.saving.register_keras_serializable(PACKAGE)
class LayerNorm(keras.layers.LayerNormalization):
    """Keras's layer normalisation over the last axis, as one kernel.

    Ba et al. 2016, section 3. With `center=False` it has no bias. In and out: (…, width). Time and
    memory O(n); only the input is kept for the gradient.

    Example:
        >>> layer = LayerNorm()
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    def call(self, inputs: Any) -> Any:
        """Return the normalised input."""
        native = partial(ops.layer_normalization, epsilon=self.epsilon)
        normalize = fused_or_native(_normalizer(self.epsilon), native)
        weights = [self.gamma] if self.beta is None else [self.gamma, self.beta]
        return normalize(inputs, *weights)


class RMSNorm(Layer):
    """Root mean square normalisation, x / √(mean(x²) + ε) · γ.

    Zhang and Sennrich 2019, section 4. The mean is over each of `num_groups` equal parts of the
    last axis. In and out: (…, width). Time and memory O(n); only the input is kept for the
    gradient.

    Example:
        >>> layer = RMSNorm(num_groups=4)
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    def __init__(self, epsilon: float = 1e-6, num_groups: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.epsilon = epsilon
        self.num_groups = num_groups

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create γ, which starts at 1; as in a layer norm, it is not cast to 16 bits."""
        shape = (input_shape[-1],)
        self.gamma = self.add_weight(shape, "ones", autocast=False, name="gamma")

    def call(self, inputs: Any) -> Any:
        """Return the normalised input."""
        function = _root_mean_square(self.epsilon, self.num_groups)
        native = partial(ops.rms_normalization, epsilon=self.epsilon)
        normalize = fused_or_native(function, native if self.num_groups == 1 else function)
        return normalize(inputs, self.gamma)


def gelu(inputs: Any) -> Any:
    """Return x·Φ(x) (Hendrycks and Gimpel 2016), as one kernel."""
    return fused_or_native(_exact_gelu, partial(ops.gelu, approximate=False))(inputs)


def gelu_tanh(inputs: Any) -> Any:
    """Return the tanh approximation of GELU that GPT-2 uses, as one kernel."""
    return fused_or_native(_approximate_gelu, ops.gelu)(inputs)


NORMS: dict[str, Callable[..., Any]] = {
    "layer": LayerNorm,
    "layer_no_bias": partial(LayerNorm, center=False),
    "rms": RMSNorm,
}
ACTIVATIONS = {"gelu": gelu, "gelu_tanh": gelu_tanh}
"""The activations that this module computes as one kernel; Keras has the others."""


def make_norm(kind: str, epsilon: float, dtype: Any = None) -> Any:
    """Return a norm of a kind of `NORMS`.

    Raises:
        ValueError: the kind is unknown.
    """
    if kind not in NORMS:
        raise ValueError(f"The norms are {', '.join(NORMS)}. Received: norm={kind!r}. Choose one.")
    return NORMS[kind](epsilon=epsilon, dtype=dtype)


def get_activation(name: str) -> Callable[[Any], Any]:
    """Return an activation by its name: "gelu" (exact), "gelu_tanh", or another one of Keras.

    Raises:
        ValueError: the name is unknown.
    """
    found: Callable[[Any], Any] = ACTIVATIONS.get(name) or keras.activations.get(name)
    return found


@lru_cache
def _normalizer(epsilon: float) -> Callable[..., Any]:
    @in_float32  # the mean of many numbers needs more precision than 16-bit floats have
    def normalize(inputs: Any, gamma: Any, *beta: Any) -> Any:
        centred = inputs - ops.mean(inputs, axis=-1, keepdims=True)
        variance = ops.mean(centred * centred, axis=-1, keepdims=True)
        normalized = centred * ops.rsqrt(variance + epsilon) * gamma
        return normalized + beta[0] if beta else normalized

    return normalize


@lru_cache
def _root_mean_square(epsilon: float, num_groups: int) -> Callable[..., Any]:
    @in_float32
    def normalize(inputs: Any, gamma: Any) -> Any:
        *between, width = ops.shape(inputs)[1:]
        grouped = inputs
        if num_groups > 1:
            shape = (-1, *between, num_groups, width // num_groups)
            grouped = ops.reshape(inputs, shape)
        squares = ops.mean(grouped * grouped, axis=-1, keepdims=True)
        normalized = grouped * ops.rsqrt(squares + epsilon)
        if num_groups > 1:
            normalized = ops.reshape(normalized, (-1, *between, width))
        return normalized * gamma

    return normalize


@in_float32
def _exact_gelu(inputs: Any) -> Any:
    return 0.5 * inputs * (1.0 + ops.erf(inputs * math.sqrt(0.5)))


@in_float32
def _approximate_gelu(inputs: Any) -> Any:
    inner = math.sqrt(2.0 / math.pi) * (inputs + 0.044715 * inputs**3)
    return 0.5 * inputs * (1.0 + ops.tanh(inner))
