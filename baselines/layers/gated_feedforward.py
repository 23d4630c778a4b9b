"""SwiGLU: a feed-forward network whose activations are multiplied by gates.

Shazeer 2020, "GLU Variants Improve Transformer", section 2.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from baselines.layers.fusing import fused, in_float32_where_fused
from baselines.layers.initialization import dense, kernel
from baselines.layers.layer import Layer
from baselines.layers.removal import RemovableUnits


class GatedFeedforward(Layer, RemovableUnits):
    """W₂ (silu(W x) ⊙ V x) at each position, without biases (Shazeer 2020, equation 6).

    `width` is that between the products. The kernel of `up_projection` holds W and V side by side.
    Initially, W₂ is divided by √`num_residual_branches`. The layer can stand in place of an
    attention, because it has the same methods; its decoding state is empty.

    In and out: (batch, n, d). The padding mask changes nothing. Time and memory O(n).

    Example:
        >>> layer = GatedFeedforward(48)
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    columns_per_unit = 2
    width_argument = "width"

    def __init__(self, width: int, num_residual_branches: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width
        self.num_residual_branches = num_residual_branches

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the kernels."""
        self.up_projection = dense(
            2 * self.width, use_bias=False, name="up_projection", dtype=self.dtype_policy
        )
        self.up_projection.build(input_shape)
        self.down_projection = dense(
            input_shape[-1],
            kernel_initializer=kernel(self.num_residual_branches),
            use_bias=False,
            name="down_projection",
            dtype=self.dtype_policy,
        )
        self.down_projection.build((*input_shape[:-1], self.width))

    def call(self, hidden_states: Any, padding_mask: Any = None) -> Any:
        """Return the network's output at each position."""
        gated = fused(_gate)(self.up_projection(hidden_states))
        return self.down_projection(gated)

    def init_state(self, batch_size: int, max_length: int) -> tuple[()]:
        """Return a state without tensors."""
        return ()

    def decode_step(self, hidden_states: Any, state: Any, position: Any) -> tuple[Any, Any]:
        """Return the output for the newest positions, (batch, m, d), and the same state."""
        return self.call(hidden_states), state


@in_float32_where_fused
def _gate(both: Any) -> Any:
    gates, values = ops.split(both, 2, axis=-1)
    return ops.silu(gates) * values
