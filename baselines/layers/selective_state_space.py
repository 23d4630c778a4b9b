"""The mixer of Mamba: a selective state space whose channels have states of their own.

Gu and Dao 2023, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces"; Lieber et al.
2024, "Jamba: A Hybrid Transformer-Mamba Language Model".
"""

from __future__ import annotations

from typing import Any

from keras import ops

from baselines.layers.backends import backend_functions
from baselines.layers.convolved_mixer import ConvolvedMixer
from baselines.layers.elementwise import RMSNorm
from baselines.layers.fusing import fused, in_float32_where_fused
from baselines.layers.initialization import add_dense, counted_rates, step_size_bias
from baselines.layers.layer import build_once
from baselines.layers.selective_scan import SELECTIVE_CHUNK_LENGTH, scan_selectively


class SelectiveStateSpace(ConvolvedMixer):
    """A projection, a short causal convolution, a selective state space, gates and a projection.

    Gu and Dao 2023, section 3: `inner_width` is E·D, `state_size` N, `step_rank` R.
    `input_projection` makes x and gates (E·D each). x passes a `ShortConvolution` over
    `short_convolution` positions and SiLU. `selection` of the result makes Δ (R), B and C (N each),
    and `step_projection` the step sizes Δ of all channels. The state follows `scan_selectively`,
    and y_t = C_t · h_t + D x_t. The product with silu(gate) and `output_projection` follow.
    `log_rates` is log(-A), `step_bias` is added to Δ before the softplus, `skip_gamma` is D. With
    `normalized`, the R, N and N numbers each pass an RMS norm with `epsilon` (Lieber et al. 2024,
    section 5).

    With `backward`, the mixer reads the sequence from its end. Padded positions neither change the
    state nor reach the convolution.

    In: hidden states (batch, n, width); the padding mask (batch, n), True where real. Out: (batch,
    n, width). Time O(n · N) per channel, memory O(n), and O(n · N) per channel of one layer at a
    time for the gradient. The decoding state has O(1) size: the last inputs of the convolution, and
    (batch, E·D, N) numbers.

    Example:
        >>> layer = SelectiveStateSpace(inner_width=64, state_size=8, step_rank=2)
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    convolution_has_bias = True

    def __init__(
        self,
        inner_width: int,
        state_size: int,
        step_rank: int,
        short_convolution: int = 4,
        normalized: bool = False,
        backward: bool = False,
        epsilon: float = 1e-6,
        chunk_length: int = SELECTIVE_CHUNK_LENGTH,
        **kwargs: Any,
    ) -> None:
        super().__init__(short_convolution, backward, **kwargs)
        self.inner_width = inner_width
        self.state_size = state_size
        self.step_rank = step_rank
        self.normalized = normalized
        self.epsilon = epsilon
        self.chunk_length = chunk_length
        self.norms: list[Any] = []
        if normalized:
            self.norms = [
                RMSNorm(epsilon=epsilon, name=f"{name}_norm", dtype=self.dtype_policy)
                for name in ("step", "key", "query")
            ]

    @property
    def convolved_width(self) -> int:
        """The channels of x."""
        return self.inner_width

    @property
    def state_shape(self) -> tuple[int, ...]:
        """The shape of the recurrent state of one example: (E·D, N)."""
        return self.inner_width, self.state_size

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights."""
        batch, length, width = input_shape
        inner, size, rank = self.inner_width, self.state_size, self.step_rank
        for name, inputs, units in (
            ("input_projection", width, 2 * inner),
            ("selection", inner, rank + 2 * size),
            ("step_projection", rank, inner),
            ("output_projection", inner, width),
        ):
            add_dense(self, name, inputs, units)
        for norm, channels in zip(self.norms, (rank, size, size), strict=False):
            build_once(norm, (batch, length, channels))
        build_once(self.convolution, (batch, length, inner))
        self.log_rates = self.add_float32_weight((inner, size), counted_rates, "rate_bias")
        self.step_bias = self.add_float32_weight((inner,), step_size_bias(), "step_bias")
        self.skip_gamma = self.add_float32_weight((inner,), "ones", "skip_gamma")

    def _project(self, hidden_states: Any) -> tuple[Any, Any, Any]:
        """Return the gates and the inputs of the convolution; step sizes follow from its result."""
        convolved, gates = ops.split(self.input_projection(hidden_states), 2, axis=-1)
        return gates, convolved, None

    def _mix(
        self, gates: Any, convolved: Any, steps: Any, padding_mask: Any, state: Any
    ) -> tuple[Any, Any]:
        """Return the output, and the state of each channel after the last position."""
        ends = [self.step_rank, self.step_rank + self.state_size]
        selected = ops.split(self.selection(convolved), ends, axis=-1)
        if self.normalized:
            selected = [norm(part) for norm, part in zip(self.norms, selected, strict=True)]
        steps, keys, queries = selected
        sizes = ops.cast(self.step_projection(steps), "float32") + self.step_bias
        sizes = ops.softplus(sizes)
        if padding_mask is not None:
            sizes = sizes * ops.cast(padding_mask, "float32")[:, :, None]
        inputs, keys, queries = (ops.cast(part, "float32") for part in (convolved, keys, queries))
        parts = inputs, sizes, -ops.exp(self.log_rates), keys, queries
        if state is None:
            outputs, last = backend_functions().recomputed(self._scan)(*parts), None
        else:
            outputs, last = scan_selectively(
                *parts, initial_state=state, chunk_length=self.chunk_length
            )
        gated = fused(_gate)(outputs, inputs, ops.convert_to_tensor(self.skip_gamma), gates)
        return self.output_projection(gated), last

    def _scan(self, inputs: Any, sizes: Any, rates: Any, keys: Any, queries: Any) -> Any:
        parts = inputs, sizes, rates, keys, queries
        return scan_selectively(*parts, chunk_length=self.chunk_length)[0]


@in_float32_where_fused
def _gate(outputs: Any, inputs: Any, skip: Any, gates: Any) -> Any:
    """Return (y + D x) times SiLU of the gates: (batch, n, E·D)."""
    return ops.cast(outputs + inputs * skip, gates.dtype) * ops.silu(gates)
