"""Performer's attention: softmax attention estimated by positive random features.

Choromanski et al. 2021, "Rethinking Attention with Performers".
"""

from __future__ import annotations

from typing import Any

from keras import ops

from baselines.layers.initialization import orthogonal_rows
from baselines.layers.layer import zero_padding
from baselines.layers.lengths import running_maximum
from baselines.layers.linear_attention import LinearAttention
from baselines.layers.masked_scores import LEAST, mask_scores

SMALLEST_FEATURE = 1e-20
"""Added to the features of queries, so that no query misses all keys: the published code does so.

It is far below the rounding of all other features, so it changes no other output.
"""


class RandomFeatureAttention(LinearAttention):
    """Multi-head attention by FAVOR+: positive orthogonal random features of queries and keys.

    Choromanski et al. 2021, lemma 1 and section 2.4: φ(x) = exp(x·wᵣ - |x|² / 2) / √m for m rows
    wᵣ, which are orthogonal in blocks of d, with the lengths of normal vectors. x is a query or key
    of d numbers, divided by d^¼. The rows are drawn once, when the layer is built, and are saved
    with it. As in the published code, features are divided by a stabiliser, which changes no
    output: each query's by their largest, and those of keys by the largest of all keys. With
    `causal`, that is the largest of the keys so far, so that no later key changes an output.

    Shapes as in `LinearAttention`. With m features, time O(n · m) per channel and memory O(n). The
    decoding state has O(1) size: (batch, heads, m, d + 1) numbers, and one for each head.

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
        features = ops.exp(exponents - ops.stop_gradient(largest)) + SMALLEST_FEATURE
        return features * self.features**-0.5

    def key_features(self, key: Any, real: Any = None) -> Any:
        """Return the features of keys in float32, divided by the largest of all real keys."""
        exponents, largest = self._key_exponents(key, real)
        return self._scaled(exponents, ops.max(largest, axis=-1, keepdims=True), real)

    def running_key_features(
        self, key: Any, real: Any = None, scale: Any = None
    ) -> tuple[Any, Any, Any]:
        """Return features of keys, divided by the largest of all real keys so far.

        The sums of a scan have the scale of their last position, so they decay where it grows.
        `scale` is the logarithm of the largest feature so far. The last value returned is its new
        value.
        """
        exponents, largest = self._key_exponents(key, real)
        if scale is None:
            scale = ops.full_like(largest[..., 0], LEAST["float32"])  # that of no key
        scales = ops.concatenate([scale[..., None], largest], axis=-1)
        scales = running_maximum(scales)
        features = self._scaled(exponents, scales[..., 1:], real)
        return features, scales[..., :-1] - scales[..., 1:], scales[..., -1]

    def init_state(self, batch_size: int, max_length: int) -> tuple[Any, Any]:
        """Return zeros for the sums over keys, and the logarithm of their scale: float32."""
        sums = super().init_state(batch_size, max_length)
        return sums, ops.full((batch_size, self.num_heads), LEAST["float32"], "float32")

    def decode_step(
        self, hidden_states: Any, state: tuple[Any, Any], position: Any
    ) -> tuple[Any, tuple[Any, Any]]:
        """Return the output for the newest positions, (batch, m, width), and the state after them.

        It equals that of `call` on all positions so far. Time O(m).
        """
        heads, *grown = self._decode(hidden_states, *state)
        return heads, tuple(grown)

    def _key_exponents(self, key: Any, real: Any) -> tuple[Any, Any]:
        """Return the exponents of keys (…, n, m), and the largest of each key without a gradient.

        Those of padded keys are the least number.
        """
        exponents = random_exponents(key, self.rows)
        if real is not None:
            exponents = mask_scores(exponents, real[..., None])
        return exponents, ops.stop_gradient(ops.max(exponents, axis=-1))

    def _scaled(self, exponents: Any, scales: Any, real: Any) -> Any:
        """Return the features of exponents (…, n, m), divided by exp(scales), (…, n) or (…, 1)."""
        features = ops.exp(exponents - scales[..., None]) * self.features**-0.5
        return zero_padding(features, real)


def random_exponents(values: Any, rows: Any) -> Any:
    """Return x·wᵣ - |x|² / 2 for x = value / d^¼: (…, d) to (…, m), float32."""
    scaled = ops.cast(values, "float32") * values.shape[-1] ** -0.25
    return ops.matmul(scaled, ops.transpose(rows)) - ops.sum(scaled**2, axis=-1, keepdims=True) / 2
