"""Gated linear attention: linear attention whose state decays by channel.

Yang et al. 2024, "Gated Linear Attention Transformers with Hardware-Efficient Training".
"""

from __future__ import annotations

from typing import Any

from keras import ops

from baselines.layers.chunked_scan import scan_in_chunks
from baselines.layers.directed_mixer import DirectedMixer
from baselines.layers.elementwise import RMSNorm
from baselines.layers.full_attention import check_heads, split_heads
from baselines.layers.fusing import fused, in_float32_where_fused
from baselines.layers.initialization import add_dense

GATED_CHUNK_LENGTH = 64
"""Positions in a chunk: comparisons by channel cost more in longer ones."""
DECAY_DIVISOR = 16.0
"""Divides the logarithms of the decays, so that states persist (section 4.4)."""


class GatedLinearAttention(DirectedMixer):
    """Queries read a state of each head, to which keys and values are added, and which decays.

    Sections 4.1 and 4.4: h is `num_heads`, d and v the sizes of a head of keys and of values, of
    which there are `key_width` and `value_width` channels. `input_projection` makes queries, keys,
    values, gates and x W₁, which has `decay_rank` numbers. The state follows S_t = diag(α_t)
    S_{t−1} + k_t v_tᵀ, o_t = S_tᵀ q_t / √d, with α = sigmoid(x W₁ W₂ + b)^(1/16), where
    `decay_projection` is W₂ and b, in float32 under every dtype policy. An RMS norm over each head,
    the product with SiLU of the gates and `output_projection` follow. Padded positions do not
    change the state.

    In: hidden states (batch, n, width); the padding mask (batch, n), True where real. Out: (batch,
    n, width). Time O(n · (c · (d + v) + d · v)) per head for chunks of c positions, memory O(n).
    The decoding state has O(1) size: (batch, h, d, v) numbers.

    Raises:
        ValueError: the channels of keys or of values are not a multiple of the heads.

    Example:
        >>> layer = GatedLinearAttention(4, key_width=16, value_width=32)
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    def __init__(
        self,
        num_heads: int,
        key_width: int,
        value_width: int,
        decay_rank: int = 16,
        backward: bool = False,
        epsilon: float = 1e-5,
        chunk_length: int = GATED_CHUNK_LENGTH,
        **kwargs: Any,
    ) -> None:
        super().__init__(backward, **kwargs)
        for channels in (key_width, value_width):
            check_heads(channels, num_heads)
        self.num_heads = num_heads
        self.key_width = key_width
        self.value_width = value_width
        self.decay_rank = decay_rank
        self.epsilon = epsilon
        self.chunk_length = chunk_length

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the projections and the norm."""
        batch, length, width = input_shape
        keys, values, rank = self.key_width, self.value_width, self.decay_rank
        for name, inputs, units, settings in (
            ("input_projection", width, 2 * keys + 2 * values + rank, {}),
            ("decay_projection", rank, keys, {"use_bias": True, "dtype": "float32"}),
            ("output_projection", values, width, {}),
        ):
            add_dense(self, name, inputs, units, **settings)
        self.norm = RMSNorm(epsilon=self.epsilon, name="norm", dtype=self.dtype_policy)
        self.norm.build((batch, length, self.num_heads, values // self.num_heads))

    def init_state(self, batch_size: int, max_length: int) -> Any:
        """Return zeros: (batch, h, d, v), float32."""
        sizes = (width // self.num_heads for width in (self.key_width, self.value_width))
        return ops.zeros((batch_size, self.num_heads, *sizes), "float32")

    def _run(self, hidden_states: Any, padding_mask: Any, state: Any) -> tuple[Any, Any]:
        keys, values = self.key_width, self.value_width
        ends = [keys, 2 * keys, 2 * keys + values, 2 * keys + 2 * values]
        query, key, value, gates, decays = ops.split(
            self.input_projection(hidden_states), ends, axis=-1
        )
        log_decay = ops.log_sigmoid(self.decay_projection(decays)) / DECAY_DIVISOR
        if padding_mask is not None:  # keys and values are 0 there: no projection has a bias
            real = ops.cast(padding_mask, "bool")[:, :, None]
            log_decay = ops.where(real, log_decay, 0.0)
        query, key, value, log_decay = (
            split_heads(ops.cast(part, "float32"), self.num_heads)
            for part in (query, key, value, log_decay)
        )
        query = query * (keys // self.num_heads) ** -0.5
        outputs, last = scan_in_chunks(query, key, value, log_decay, state, self.chunk_length)
        normed = self.norm(ops.transpose(ops.cast(outputs, self.compute_dtype), (0, 2, 1, 3)))
        merged = ops.reshape(normed, (-1, *ops.shape(gates)[1:]))
        return self.output_projection(fused(_gate)(merged, gates)), last


@in_float32_where_fused
def _gate(values: Any, gates: Any) -> Any:
    """Return values times SiLU of their gates."""
    return values * ops.silu(gates)
