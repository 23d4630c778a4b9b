"""The layer of the method `adapter`."""

from __future__ import annotations

from typing import Any

import keras

STDDEV = 1e-2
"""The standard deviation of the initial kernels (Houlsby et al. 2019, section 3.6)."""


class Bottleneck(keras.layers.Layer):
    """x + W₂ gelu(W₁ x), with W₁ to `size` and W₂ back to the width; it starts near x.

    Houlsby et al. 2019, section 2.1. In and out: (batch, n, width). Time and memory O(n).
    """

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size

    def build(self, input_shape: Any) -> None:
        width = input_shape[-1]
        self.down = keras.layers.Dense(self.size, "gelu", kernel_initializer=_small())
        self.up = keras.layers.Dense(width, kernel_initializer=_small())
        self.down.build(input_shape)
        self.up.build((*input_shape[:-1], self.size))

    def call(self, states: Any) -> Any:
        return states + self.up(self.down(states))


def _small() -> Any:
    return keras.initializers.TruncatedNormal(stddev=STDDEV)
