"""The base of mixers that read a sequence by a short causal convolution and then a recurrence.

The mixers of Mamba-2 (Dao and Gu 2024) and of Gated DeltaNet (Yang et al. 2025) have this form.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from baselines.layers.fusing import fused, in_float32_where_fused
from baselines.layers.layer import Layer, zero_padding


class ConvolvedMixer(Layer):
    """A projection, a depthwise causal convolution with SiLU, and a recurrence of the subclass.

    A subclass creates `kernel` (kernel_size, channels) and `bias` (channels) or None. It defines
    `convolved_width` (the channels), `state_shape` (of one example's recurrent state), `_project`
    and `_mix`. With `backward`, the mixer reads the sequence from its end. The convolution reads
    zeros at padded positions.

    In: hidden states (batch, n, d); the padding mask (batch, n), True where real. Out: (batch, n,
    d). The convolution takes O(n) time and memory. The decoding state has O(1) size: the last
    inputs of the convolution, and the state of the recurrence in float32.
    """

    bias: Any = None

    def __init__(self, kernel_size: int = 4, backward: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kernel_size = kernel_size
        self.backward = backward

    @property
    def convolved_width(self) -> int:
        """The channels of the convolution."""
        raise NotImplementedError

    @property
    def state_shape(self) -> tuple[int, ...]:
        """The shape of the recurrent state of one example."""
        raise NotImplementedError

    def call(self, hidden_states: Any, padding_mask: Any = None) -> Any:
        """Return the mixed positions."""
        hidden_states = zero_padding(hidden_states, padding_mask)
        if self.backward:
            hidden_states = ops.flip(hidden_states, axis=1)
            padding_mask = None if padding_mask is None else ops.flip(padding_mask, axis=1)
        gates, convolved, steps = self._project(hidden_states)
        padded = ops.pad(convolved, ((0, 0), (self.kernel_size - 1, 0), (0, 0)))
        mixed, _ = self._mix(gates, self._convolve(padded), steps, padding_mask, None)
        return ops.flip(mixed, axis=1) if self.backward else mixed

    def init_state(self, batch_size: int, max_length: int) -> tuple[Any, Any]:
        """Return zeros for the inputs of the convolution and for the state of each head."""
        inputs = (batch_size, self.kernel_size - 1, self.convolved_width)
        return (
            ops.zeros(inputs, self.compute_dtype),
            ops.zeros((batch_size, *self.state_shape), "float32"),
        )

    def decode_step(
        self, hidden_states: Any, state: tuple[Any, Any], position: Any
    ) -> tuple[Any, Any]:
        """Return the output for the newest positions, (batch, m, d), and the state after them.

        It equals that of `call` on all positions so far. Time O(m).
        """
        gates, convolved, steps = self._project(hidden_states)
        known = ops.concatenate([state[0], convolved], axis=1)
        kept = known[:, known.shape[1] - self.kernel_size + 1 :]
        mixed, last = self._mix(gates, self._convolve(known), steps, None, state[1])
        return mixed, (kept, last)

    def _project(self, hidden_states: Any) -> tuple[Any, Any, Any]:
        """Return the gates, the inputs of the convolution, and the inputs of the decays."""
        raise NotImplementedError

    def _mix(
        self, gates: Any, convolved: Any, steps: Any, padding_mask: Any, state: Any
    ) -> tuple[Any, Any]:
        """Return the output, and the state of each head after the last position."""
        raise NotImplementedError

    def _convolve(self, padded: Any) -> Any:
        """Return SiLU of the convolution of (batch, n + k - 1, channels): (batch, n, channels)."""
        weights = (self.kernel,) if self.bias is None else (self.kernel, self.bias)
        return fused(convolve_causally)(padded, *weights)


@in_float32_where_fused
def convolve_causally(padded: Any, kernel: Any, bias: Any = None) -> Any:
    """Return SiLU of a depthwise convolution: (batch, n + k - 1, c) to (batch, n, c).

    Shapes: kernel (k, c), bias (c) or None. Time and memory O(n).
    """
    kernel_size = kernel.shape[0]
    length = ops.shape(padded)[1] - kernel_size + 1
    kernel = ops.cast(kernel, padded.dtype)
    parts = (padded[:, offset : offset + length] * kernel[offset] for offset in range(kernel_size))
    total = next(parts) if bias is None else ops.cast(bias, padded.dtype)
    for part in parts:
        total = total + part
    return ops.silu(total)
