"""Performer's attention: softmax attention estimated by positive random features.

Choromanski et al. 2021, "Rethinking Attention with Performers".
"""

from __future__ import annotations

from typing import Any

from keras import ops

from baselines.layers.initialization import orthogonal_rows
from baselines.layers.linear_attention import LinearAttention


class RandomFeatureAttention(LinearAttention):
    """Multi-head attention by FAVOR+: positive orthogonal random features of queries and keys.

    Choromanski et al. 2021, lemma 1 and section 2.4: φ(x) = exp(x·wᵣ - |x|² / 2) / √m for m rows
    wᵣ, which are orthogonal in blocks of d, with the lengths of normal vectors. x is a query or key
    of d numbers, divided by d^¼. The rows are drawn once, when the layer is built, and are saved
    with it. Each query's features are divided by their largest, which changes no output.

    Shapes as in `LinearAttention`. With m features, time O(n · m) per channel and memory O(n). The
    decoding state has O(1) size: (batch, heads, m, d + 1) numbers.

    Raises:
        ValueError: the width is not a multiple of the heads.

    Example:
        >>> layer = RandomFeatureAttention(num_heads=4, features=16)
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    def __init__(self, num_heads: int, causal: bool = False, features: int = 256, **kwargs: Any):
        super().__init__(num_heads, causal, **kwargs)
        self.features = features

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the projections, and draw the random rows: (m, d)."""
        super().build(input_shape)
        head_size = int(self.query.units) // self.num_heads
        self.rows = self.add_float32_weight(
            (self.features, head_size),
            orthogonal_rows(self.features, head_size),
            "rows",
            trainable=False,
        )

    @property
    def num_features(self) -> int:
        """The number of random features."""
        return self.features

    def query_features(self, query: Any) -> Any:
        """Return the features of queries in float32: (…, d) to (…, m)."""
        exponents = random_exponents(query, self.rows)
        largest = ops.max(exponents, axis=-1, keepdims=True)
        return ops.exp(exponents - ops.stop_gradient(largest)) * self.features**-0.5

    def key_features(self, key: Any) -> Any:
        """Return the features of keys in float32: (…, d) to (…, m)."""
        return ops.exp(random_exponents(key, self.rows)) * self.features**-0.5


def random_exponents(values: Any, rows: Any) -> Any:
    """Return x·wᵣ - |x|² / 2 for x = value / d^¼: (…, d) to (…, m), float32."""
    scaled = ops.cast(values, "float32") * values.shape[-1] ** -0.25
    return ops.matmul(scaled, ops.transpose(rows)) - ops.sum(scaled**2, axis=-1, keepdims=True) / 2
