"""Kimi Delta Attention: the gated delta rule with a decay for each channel of the keys.

Kimi team 2025, "Kimi Linear: An Expressive, Efficient Attention Architecture", section 3.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from baselines.layers.convolved_mixer import ConvolvedMixer
from baselines.layers.delta_rule import (
    DELTA_CHUNK_LENGTH,
    continue_delta_rule,
    with_unit_length,
)
from baselines.layers.elementwise import RMSNorm
from baselines.layers.fusing import fused, in_float32_where_fused
from baselines.layers.initialization import add_dense, log_uniform_rates, step_size_bias
from baselines.layers.layer import build_once


class KimiDeltaMixer(ConvolvedMixer):
    """A projection, a short causal convolution, the delta rule, a gated norm, a projection.

    H is `num_heads` and d `head_size`, of keys and values. `input_projection` makes the bottlenecks
    of gates and of decays (d each), queries, keys and values (H·d each) and β (H). Queries, keys
    and values pass a `ShortConvolution` over `short_convolution` positions and SiLU. Queries and
    keys are divided by their length, queries also by √d. A head's state follows `scan_delta_rule`
    with β = sigmoid(·) and, for each channel, α = exp(Δ A). Δ is a softplus of `decay_projection`
    of the decays plus `step_bias`; A < 0 belongs to the head. A norm over each head, whose weights
    all heads share, the product with sigmoid of `gate_projection` of the gates, and
    `output_projection` follow. `log_rates` is log(-A); it and `step_bias` are float32 under
    every dtype policy. Padded positions neither change the state nor reach the convolution.

    In: hidden states (batch, n, width); the padding mask (batch, n), True where real. Out: (batch,
    n, width). Time O(n · (c · (c + d) + d²)) per head for chunks of c positions, memory O(n). The
    decoding state has O(1) size: the last inputs of the convolution, and (batch, H, d, d) numbers.

    Example:
        >>> layer = KimiDeltaMixer(2, 8)
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    def __init__(
        self,
        num_heads: int,
        head_size: int,
        short_convolution: int = 4,
        backward: bool = False,
        epsilon: float = 1e-5,
        chunk_length: int = DELTA_CHUNK_LENGTH,
        **kwargs: Any,
    ) -> None:
        super().__init__(short_convolution, backward, **kwargs)
        self.num_heads = num_heads
        self.head_size = head_size
        self.epsilon = epsilon
        self.chunk_length = chunk_length

    @property
    def inner_width(self) -> int:
        """The channels of all heads: H · d."""
        return self.num_heads * self.head_size

    @property
    def convolved_width(self) -> int:
        """The channels of queries, keys and values together."""
        return 3 * self.inner_width

    @property
    def state_shape(self) -> tuple[int, ...]:
        """The shape of the recurrent state of one example: (H, d, d)."""
        return self.num_heads, self.head_size, self.head_size

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights."""
        batch, length, width = input_shape
        inner, rank = self.inner_width, self.head_size
        for name, inputs, units in (
            ("input_projection", width, 3 * inner + 2 * rank + self.num_heads),
            ("decay_projection", rank, inner),
            ("gate_projection", rank, inner),
            ("output_projection", inner, width),
        ):
            add_dense(self, name, inputs, units)
        self.norm = RMSNorm(epsilon=self.epsilon, name="norm", dtype=self.dtype_policy)
        self.norm.build((batch, length, self.num_heads, self.head_size))
        build_once(self.convolution, (batch, length, self.convolved_width))
        self.log_rates = self.add_float32_weight(
            (self.num_heads,), log_uniform_rates(), "rate_bias"
        )
        self.step_bias = self.add_float32_weight((inner,), step_size_bias(), "step_bias")

    def _project(self, hidden_states: Any) -> tuple[Any, Any, Any]:
        """Return the gates, the inputs of the convolution, and those of the decays and β."""
        rank = self.head_size
        ends = [rank, 2 * rank, 2 * rank + self.convolved_width]
        gates, decays, convolved, strength = ops.split(
            self.input_projection(hidden_states), ends, axis=-1
        )
        return self.gate_projection(gates), convolved, (self.decay_projection(decays), strength)

    def _mix(
        self, gates: Any, convolved: Any, steps: Any, padding_mask: Any, state: Any
    ) -> tuple[Any, Any]:
        """Return the output, and the state of each head after the last position."""
        length = ops.shape(convolved)[1]
        by_head = (-1, length, self.num_heads, self.head_size)
        query, key, value = (
            ops.reshape(part, by_head)
            for part in ops.split(ops.cast(convolved, "float32"), 3, axis=-1)
        )
        query = fused(with_unit_length)(query) * self.head_size**-0.5
        key = fused(with_unit_length)(key)
        sizes, strength = (ops.cast(part, "float32") for part in steps)
        sizes = ops.reshape(ops.softplus(sizes + self.step_bias), by_head)
        log_decay = -sizes * ops.exp(self.log_rates)[:, None]
        strength = ops.sigmoid(strength)
        if padding_mask is not None:
            real = ops.cast(padding_mask, "bool")[:, :, None]
            strength = ops.where(real, strength, 0.0)
            log_decay = ops.where(real[..., None], log_decay, 0.0)
        parts = query, key, value, log_decay, strength
        outputs, last = continue_delta_rule(parts, state, self.chunk_length)
        normed = self.norm(ops.cast(outputs, self.compute_dtype))
        gated = fused(_gate)(ops.reshape(normed, (-1, length, self.inner_width)), gates)
        return self.output_projection(gated), last


@in_float32_where_fused
def _gate(values: Any, gates: Any) -> Any:
    """Return values times the sigmoid of their gates."""
    return values * ops.sigmoid(gates)
