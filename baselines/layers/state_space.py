"""The mixer of Mamba-2: a selective state space with one decay per head and position.

Dao and Gu 2024, "Transformers are SSMs: Generalized Models and Efficient Algorithms Through
Structured State Space Duality".
"""

from __future__ import annotations

from typing import Any

from keras import ops

from baselines.layers.chunked_scan import scan_in_chunks
from baselines.layers.convolved_mixer import ConvolvedMixer
from baselines.layers.elementwise import RMSNorm
from baselines.layers.flops import CHUNK_LENGTH
from baselines.layers.full_attention import split_heads
from baselines.layers.fusing import fused, in_float32_where_fused
from baselines.layers.initialization import dense, log_uniform_rates, step_size_bias
from baselines.layers.layer import build_once


class StateSpaceMixer(ConvolvedMixer):
    """A projection, a short causal convolution, a state space, a gated norm and a projection.

    Dao and Gu 2024, section 7: d is the width, H is `num_heads`, P `head_size`, N `state_size`, G
    `num_groups`. `input_projection` makes gates (H·P), x (H·P), B and C (G·N each) and step sizes Δ
    (H). x, B and C pass a `ShortConvolution` over `short_convolution` positions and SiLU. Each
    head's state is h_t = exp(Δ_t A) h_{t-1} + Δ_t B_t x_tᵀ, read as y_t = C_tᵀ h_t + D x_t, for
    A < 0. Consecutive heads share the B and C of a group. A norm of y·silu(gate) over each group
    and `output_projection` follow. `log_rates` is log(-A), `step_bias` is added to Δ before the
    softplus, `skip_gamma` is D; the three are float32 under every dtype policy.

    With `backward`, the mixer reads the sequence from its end. Padded positions neither change the
    state nor reach the convolution.

    In: hidden states (batch, n, d); the padding mask (batch, n), True where real. Out: (batch, n,
    d). Time O(n · (c + N)) per channel for chunks of c positions, memory O(n). The decoding state
    has O(1) size: the last inputs of the convolution, and (batch, H, N, P) numbers.

    Example:
        >>> layer = StateSpaceMixer(num_heads=4, head_size=16, state_size=8)
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    convolution_has_bias = True

    def __init__(
        self,
        num_heads: int,
        head_size: int,
        state_size: int,
        num_groups: int = 1,
        short_convolution: int = 4,
        backward: bool = False,
        epsilon: float = 1e-5,
        chunk_length: int = CHUNK_LENGTH,
        **kwargs: Any,
    ) -> None:
        super().__init__(short_convolution, backward, **kwargs)
        if num_heads % num_groups:
            raise ValueError(
                "The heads must be divisible by the groups. "
                f"Received: num_heads={num_heads}, num_groups={num_groups}. Change either."
            )
        self.num_heads = num_heads
        self.head_size = head_size
        self.state_size = state_size
        self.num_groups = num_groups
        self.epsilon = epsilon
        self.chunk_length = chunk_length

    @property
    def inner_width(self) -> int:
        """The channels of x: H · P."""
        return self.num_heads * self.head_size

    @property
    def convolved_width(self) -> int:
        """The channels of x, B and C together."""
        return self.inner_width + 2 * self.num_groups * self.state_size

    @property
    def state_shape(self) -> tuple[int, ...]:
        """The shape of the recurrent state of one example: (H, N, P)."""
        return self.num_heads, self.state_size, self.head_size

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights."""
        batch, length, width = input_shape
        units = self.inner_width + self.convolved_width + self.num_heads
        self.input_projection = dense(
            units, use_bias=False, name="input_projection", dtype=self.dtype_policy
        )
        self.input_projection.build(input_shape)
        self.output_projection = dense(
            width, use_bias=False, name="output_projection", dtype=self.dtype_policy
        )
        self.output_projection.build((batch, length, self.inner_width))
        self.norm = RMSNorm(
            epsilon=self.epsilon,
            num_groups=self.num_groups,
            name="norm",
            dtype=self.dtype_policy,
        )
        self.norm.build((batch, length, self.inner_width))
        build_once(self.convolution, (batch, length, self.convolved_width))
        heads = (self.num_heads,)
        self.log_rates = self.add_float32_weight(heads, log_uniform_rates(), "rate_bias")
        self.step_bias = self.add_float32_weight(heads, step_size_bias(), "step_bias")
        self.skip_gamma = self.add_float32_weight(heads, "ones", "skip_gamma")

    def _project(self, hidden_states: Any) -> tuple[Any, Any, Any]:
        """Return the gates, the inputs of the convolution, and the step sizes."""
        ends = [self.inner_width, self.inner_width + self.convolved_width]
        gates, convolved, steps = ops.split(self.input_projection(hidden_states), ends, axis=-1)
        return gates, convolved, steps

    def _mix(
        self, gates: Any, convolved: Any, steps: Any, padding_mask: Any, state: Any
    ) -> tuple[Any, Any]:
        """Return the output, and the state of each head after the last position."""
        of_group = self.num_groups * self.state_size
        ends = [self.inner_width, self.inner_width + of_group]
        inputs, keys, queries = ops.split(ops.cast(convolved, "float32"), ends, axis=-1)
        inputs = split_heads(inputs, self.num_heads)
        sizes = ops.softplus(ops.cast(steps, "float32") + self.step_bias)
        if padding_mask is not None:
            sizes = sizes * ops.cast(padding_mask, "float32")[:, :, None]
        sizes = ops.transpose(sizes, (0, 2, 1))
        rates = ops.exp(self.log_rates)[:, None]
        outputs, last = scan_in_chunks(
            split_heads(queries, self.num_groups),
            split_heads(keys, self.num_groups),
            inputs * sizes[..., None],
            -sizes * rates,
            state,
            self.chunk_length,
        )
        gated = fused(_gate)(gates, outputs, inputs, self.skip_gamma)
        return self.output_projection(self.norm(gated)), last


@in_float32_where_fused
def _gate(gates: Any, outputs: Any, inputs: Any, skip: Any) -> Any:
    """Return (y + D x) times SiLU of the gates: (batch, heads, n, P) to (batch, n, H · P)."""
    summed = ops.transpose(outputs + inputs * skip[:, None, None], (0, 2, 1, 3))
    merged = ops.reshape(summed, (-1, *ops.shape(gates)[1:]))
    return ops.cast(merged, gates.dtype) * ops.silu(gates)
