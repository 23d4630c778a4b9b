"""Feed-forward networks whose activations are multiplied by values: SwiGLU and GEGLU.

Shazeer 2020, "GLU Variants Improve Transformer", section 2.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from keras import ops

from baselines.layers.fusing import fused, in_float32_where_fused
from baselines.layers.initialization import dense, kernel
from baselines.layers.layer import Layer
from baselines.layers.removal import RemovableUnits

GATES = {
    "silu": ops.silu,
    "gelu": partial(ops.gelu, approximate=False),
    "gelu_tanh": ops.gelu,
}


class GatedFeedforward(Layer, RemovableUnits):
    """W₂ (act(W x) ⊙ V x) at each position (Shazeer 2020, equation 6).

    `width` is that between the products. The kernel of `up_projection` is W beside V. `activation`
    is "silu" (SwiGLU), "gelu" (GEGLU) or "gelu_tanh". `use_bias` gives all products biases.
    Initially, W₂ is divided by √`num_residual_branches`. The layer can stand in place of an
    attention, because it has the same methods; its decoding state is empty.

    In and out: (batch, n, d). The padding mask changes nothing. Time and memory O(n).

    Raises:
        ValueError: the activation is unknown.

    Example:
        >>> layer = GatedFeedforward(48)
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    columns_per_unit = 2
    width_argument = "width"

    def __init__(
        self,
        width: int,
        num_residual_branches: int = 1,
        activation: str = "silu",
        use_bias: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.width = width
        self.num_residual_branches = num_residual_branches
        if activation not in GATES:
            raise ValueError(
                f"The activation of the gates is {', '.join(GATES)}. "
                f"Received: activation={activation!r}. Choose one."
            )
        self.activation = activation
        self.use_bias = use_bias

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the kernels."""
        self.up_projection = dense(
            2 * self.width, use_bias=self.use_bias, name="up_projection", dtype=self.dtype_policy
        )
        self.up_projection.build(input_shape)
        self.down_projection = dense(
            input_shape[-1],
            kernel_initializer=kernel(self.num_residual_branches),
            use_bias=self.use_bias,
            name="down_projection",
            dtype=self.dtype_policy,
        )
        self.down_projection.build((*input_shape[:-1], self.width))

    def call(self, hidden_states: Any, padding_mask: Any = None) -> Any:
        """Return the network's output at each position."""
        gated = fused(_gate(self.activation))(self.up_projection(hidden_states))
        return self.down_projection(gated)

    def init_state(self, batch_size: int, max_length: int) -> tuple[()]:
        """Return a state without tensors."""
        return ()

    def decode_step(self, hidden_states: Any, state: Any, position: Any) -> tuple[Any, Any]:
        """Return the output for the newest positions, (batch, m, d), and the same state."""
        return self.call(hidden_states), state


@lru_cache
def _gate(activation: str) -> Callable[[Any], Any]:
    activate = GATES[activation]

    @in_float32_where_fused
    def gate(both: Any) -> Any:
        gates, values = ops.split(both, 2, axis=-1)
        return activate(gates) * values

    return gate
