"""The mixer of Gated DeltaNet: a state that decays and replaces the values of its keys.

Yang, Kautz and Hatamizadeh 2025, "Gated Delta Networks: Improving Mamba2 with Delta Rule".
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
from baselines.layers.initialization import dense, log_uniform_rates, step_size_bias
from baselines.layers.layer import build_once

SMALLEST_RATE = 1e-4
"""The least initial rate: the authors draw from 0 to 16, but 0 has no logarithm."""


class GatedDeltaMixer(ConvolvedMixer):
    """A projection, a short causal convolution, the gated delta rule, a gated norm, a projection.

    Yang et al. 2025, sections 3.1 and 3.4. G is `num_key_heads`, H `num_value_heads`, d
    `key_head_size`, v `value_head_size`. `input_projection` makes gates (H·v), queries and keys
    (G·d each), values (H·v), β (H) and step sizes Δ (H). Queries, keys and values pass a
    `ShortConvolution` over `short_convolution` positions and SiLU. Queries and keys are divided by
    their length, queries also by √d. A head's state follows `scan_delta_rule` with β = sigmoid(·)
    and α = exp(Δ A), where Δ passes a softplus and A < 0. Consecutive value heads share a query and
    key. A norm over each value head, the product with silu(gate) and `output_projection` follow.
    `log_rates` is log(-A), `step_bias` is added to Δ before the softplus; both are float32 under
    every dtype policy.

    With `negative_eigenvalues`, β is 2·sigmoid(·), so that a transition can negate the value of a
    key (Grazzi et al. 2025, "Unlocking State-Tracking in Linear RNNs Through Negative
    Eigenvalues"). With `backward`, the mixer reads the sequence from its end. Padded positions
    neither change the state nor reach the convolution.

    In: hidden states (batch, n, width); the padding mask (batch, n), True where real. Out: (batch,
    n, width). Time O(n · (c · (c + d + v) + d · v)) per head for chunks of c positions, memory
    O(n). The decoding state has O(1) size: the last inputs of the convolution, and (batch, H, d, v)
    numbers.

    Raises:
        ValueError: the value heads are not a multiple of the key heads.

    Example:
        >>> layer = GatedDeltaMixer(2, 4, key_head_size=8, value_head_size=16)
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    def __init__(
        self,
        num_key_heads: int,
        num_value_heads: int,
        key_head_size: int,
        value_head_size: int,
        short_convolution: int = 4,
        negative_eigenvalues: bool = False,
        backward: bool = False,
        epsilon: float = 1e-6,
        chunk_length: int = DELTA_CHUNK_LENGTH,
        **kwargs: Any,
    ) -> None:
        super().__init__(short_convolution, backward, **kwargs)
        if num_value_heads % num_key_heads:
            raise ValueError(
                "The value heads must be a multiple of the key heads. Received: num_key_heads="
                f"{num_key_heads}, num_value_heads={num_value_heads}. Change either."
            )
        self.num_key_heads = num_key_heads
        self.num_value_heads = num_value_heads
        self.key_head_size = key_head_size
        self.value_head_size = value_head_size
        self.negative_eigenvalues = negative_eigenvalues
        self.epsilon = epsilon
        self.chunk_length = chunk_length

    @property
    def key_width(self) -> int:
        """The channels of all keys: G · d."""
        return self.num_key_heads * self.key_head_size

    @property
    def value_width(self) -> int:
        """The channels of all values: H · v."""
        return self.num_value_heads * self.value_head_size

    @property
    def convolved_width(self) -> int:
        """The channels of queries, keys and values together."""
        return 2 * self.key_width + self.value_width

    @property
    def state_shape(self) -> tuple[int, ...]:
        """The shape of the recurrent state of one example: (H, d, v)."""
        return self.num_value_heads, self.key_head_size, self.value_head_size

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights."""
        batch, length, width = input_shape
        heads = (self.num_value_heads,)
        self.input_projection = dense(
            self.value_width + self.convolved_width + 2 * self.num_value_heads,
            use_bias=False,
            name="input_projection",
            dtype=self.dtype_policy,
        )
        self.input_projection.build(input_shape)
        self.output_projection = dense(
            width, use_bias=False, name="output_projection", dtype=self.dtype_policy
        )
        self.output_projection.build((batch, length, self.value_width))
        self.norm = RMSNorm(epsilon=self.epsilon, name="norm", dtype=self.dtype_policy)
        self.norm.build((batch, length, *heads, self.value_head_size))
        build_once(self.convolution, (batch, length, self.convolved_width))
        self.log_rates = self.add_float32_weight(
            heads, log_uniform_rates(lowest=SMALLEST_RATE), "rate_bias"
        )
        self.step_bias = self.add_float32_weight(heads, step_size_bias(), "step_bias")

    def _project(self, hidden_states: Any) -> tuple[Any, Any, Any]:
        """Return the gates, the inputs of the convolution, and those of β and Δ."""
        ends = [self.value_width, self.value_width + self.convolved_width]
        gates, convolved, steps = ops.split(self.input_projection(hidden_states), ends, axis=-1)
        return gates, convolved, steps

    def _mix(
        self, gates: Any, convolved: Any, steps: Any, padding_mask: Any, state: Any
    ) -> tuple[Any, Any]:
        """Return the output, and the state of each head after the last position."""
        length = ops.shape(convolved)[1]
        ends = [self.key_width, 2 * self.key_width]
        query, key, value = ops.split(ops.cast(convolved, "float32"), ends, axis=-1)
        by_key = (-1, length, self.num_key_heads, self.key_head_size)
        by_value = (-1, length, self.num_value_heads, self.value_head_size)
        query = fused(with_unit_length)(ops.reshape(query, by_key)) * self.key_head_size**-0.5
        key = fused(with_unit_length)(ops.reshape(key, by_key))
        strength, sizes = ops.split(ops.cast(steps, "float32"), 2, axis=-1)
        strength = ops.sigmoid(strength) * (2.0 if self.negative_eigenvalues else 1.0)
        sizes = ops.softplus(sizes + self.step_bias)
        log_decay = -sizes * ops.exp(self.log_rates)
        if padding_mask is not None:
            real = ops.cast(padding_mask, "float32")[:, :, None]
            strength, log_decay = strength * real, log_decay * real
        parts = query, key, ops.reshape(value, by_value), log_decay, strength
        outputs, last = continue_delta_rule(parts, state, self.chunk_length)
        normed = self.norm(ops.cast(outputs, self.compute_dtype))
        gated = fused(_gate)(ops.reshape(normed, (-1, length, self.value_width)), gates)
        return self.output_projection(gated), last


@in_float32_where_fused
def _gate(values: Any, gates: Any) -> Any:
    """Return values times SiLU of their gates."""
    return values * ops.silu(gates)
