"""Linear attention: the kernel trick in place of the softmax.

Katharopoulos et al. 2020, "Transformers are RNNs: Fast Autoregressive Transformers with Linear
Attention".
"""

from __future__ import annotations

from typing import Any

from keras import ops

from baselines.layers.chunked_scan import scan_in_chunks
from baselines.layers.flops import CHUNK_LENGTH
from baselines.layers.full_attention import build_projections, merge_heads, split_heads
from baselines.layers.fusing import fused
from baselines.layers.layer import Layer, zero_padding

SMALLEST_SUM = 1e-30
"""The least normaliser. A row with a lower one, such as a row without a real key, has the output 0.

The features of long queries and keys have products far below 1.
"""


class LinearAttention(Layer):
    """Multi-head attention with weights φ(q)·φ(k) in place of exp(q·k).

    Katharopoulos et al. 2020, equations 5 and 6, with φ(x) = elu(x) + 1 (equation 7). With
    `causal`, a position attends to itself and to earlier ones: equations 8 and 9, computed in
    chunks. Sums over the keys are in float32.

    In: hidden states (batch, n, width); the padding mask (batch, n), True where real. Out: (batch,
    n, width). With head size d, time O(n · d) per channel and memory O(n). The decoding state has
    O(1) size: (batch, heads, d, d + 1) numbers.

    Raises:
        ValueError: the width is not a multiple of the heads.

    Example:
        >>> layer = LinearAttention(num_heads=4)
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    def __init__(
        self,
        num_heads: int,
        causal: bool = False,
        chunk_length: int = CHUNK_LENGTH,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.causal = causal
        self.chunk_length = chunk_length

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the four projections."""
        build_projections(self, input_shape)

    @property
    def num_features(self) -> int:
        """The number of features that φ makes of a head."""
        return int(self.query.units) // self.num_heads

    def query_features(self, query: Any) -> Any:
        """Return φ of queries in float32: (…, d) to (…, features)."""
        return ops.elu(ops.cast(query, "float32")) + 1.0

    def key_features(self, key: Any, real: Any = None) -> Any:
        """Return φ of keys in float32: (…, n, d) to (…, n, features).

        They are 0 where `real` (…, n) is False.
        """
        return zero_padding(self.query_features(key), real)

    def running_key_features(
        self, key: Any, real: Any = None, scale: Any = None
    ) -> tuple[Any, Any, Any]:
        """Return features of keys for a scan, the log decays between them, and the new scale.

        Features that have a scale of their own at each position need decays, (…, n), and the scale
        of the position before, (…). These features have no scale.
        """
        return self.key_features(key, real), None, None

    def call(self, hidden_states: Any, padding_mask: Any = None) -> Any:
        """Return the projected attention; keys at padded positions have no weight."""
        query, key, value = self._project(hidden_states, padding_mask)
        real = None if padding_mask is None else ops.cast(padding_mask, "bool")[:, None]
        log_decay = None
        if self.causal:
            features, log_decay, _ = self.running_key_features(key, real)
        else:
            features = self.key_features(key, real)
        heads = attend_by_features(
            self.query_features(query), features, value, self.causal, self.chunk_length, log_decay
        )
        return self._finish(heads)

    def init_state(self, batch_size: int, max_length: int) -> Any:
        """Return zeros for the sums over keys: (batch, heads, features, d + 1), float32."""
        head_size = int(self.value.units) // self.num_heads
        shape = (batch_size, self.num_heads, self.num_features, head_size + 1)
        return ops.zeros(shape, "float32")

    def decode_step(self, hidden_states: Any, state: Any, position: Any) -> tuple[Any, Any]:
        """Return the output for the newest positions, (batch, m, width), and the state after them.

        It equals that of `call` on all positions so far. Time O(m).
        """
        heads, state, _ = self._decode(hidden_states, state, None)
        return heads, state

    def _decode(self, hidden_states: Any, sums: Any, scale: Any) -> tuple[Any, Any, Any]:
        """Return the output for the newest positions, and the sums and their scale after them."""
        query, key, value = self._project(hidden_states, None)
        key, log_decay, scale = self.running_key_features(key, scale=scale)
        parts = self.query_features(query), key, _with_ones(value)
        found, sums = scan_in_chunks(*parts, log_decay, sums, self.chunk_length)
        return self._finish(_normalized(found)), sums, scale

    def _project(self, hidden_states: Any, padding_mask: Any) -> tuple[Any, Any, Any]:
        """Return queries, keys and values by head; the values are float32."""
        attended = zero_padding(hidden_states, padding_mask)
        query, key, value = (
            split_heads(projection(states), self.num_heads)
            for projection, states in (
                (self.query, hidden_states),
                (self.key, attended),
                (self.value, attended),
            )
        )
        return query, key, ops.cast(value, "float32")

    def _finish(self, heads: Any) -> Any:
        return self.output_projection(merge_heads(ops.cast(heads, self.compute_dtype)))


def attend_by_features(
    query: Any,
    key: Any,
    value: Any,
    causal: bool,
    chunk_length: int = CHUNK_LENGTH,
    log_decay: Any = None,
) -> Any:
    """Return Σ φ(q)·φ(k) v / Σ φ(q)·φ(k); keys without weight are zeros.

    Shapes: query and key (batch, heads, n, features), value (batch, heads, n, d). `log_decay`
    (batch, heads, n) is that of `running_key_features`, for causal attention. Time and memory O(n).
    """
    if causal:
        parts = query, key, _with_ones(value)
        sums, _ = scan_in_chunks(*parts, log_decay, chunk_length=chunk_length)
    else:
        sums = ops.matmul(query, ops.einsum("bhnf,bhnd->bhfd", key, _with_ones(value)))
    return _normalized(sums)


def _with_ones(value: Any) -> Any:
    """Append a channel of ones, whose sum is the normaliser."""
    return ops.concatenate([value, ops.ones_like(value[..., :1])], axis=-1)


def _normalized(sums: Any) -> Any:
    """Return the sums of values divided by the sums of weights, which come last."""
    return fused(_divide)(sums)


def _divide(sums: Any) -> Any:
    total = sums[..., -1:]
    # The gradient of a quotient has the square of the divisor, which could be 0 in float32. After
    # the division by a constant, the divisor is 1.
    constant = ops.stop_gradient(ops.where(total > SMALLEST_SUM, total, ops.ones_like(total)))
    return sums[..., :-1] / constant / ops.maximum(total / constant, 0.5)
