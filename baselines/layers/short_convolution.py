"""A short depthwise convolution over positions, before attention or a recurrence.

So et al. 2021, "Primer: Searching for Efficient Transformers for Language Modeling", convolve the
queries, keys and values of attention. The mixers of Mamba-2 (Dao and Gu 2024) and of Gated DeltaNet
(Yang et al. 2025) convolve the inputs of their recurrence.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from baselines.layers.fusing import fused, in_float32_where_fused
from baselines.layers.initialization import convolution_kernel
from baselines.layers.layer import Layer, zero_padding


class ShortConvolution(Layer):
    """A weighted sum of `kernel_size` consecutive positions, with weights of each channel.

    k is `kernel_size`. With `causal`, a position sees itself and the k − 1 before it; otherwise it
    sees k // 2 before it and (k − 1) // 2 after it. With `silu`, SiLU follows. A kernel size of 1
    is one weight of each channel; with 0 there is no convolution: the layer has no weights, and
    only SiLU remains. Padded positions count as zeros, like the positions beyond the ends.

    In: hidden states (batch, n, channels); the padding mask (batch, n), True where real. Out:
    (batch, n, channels). Time O(n·k), memory O(n). The decoding state has the last k − 1 inputs.

    Raises:
        ValueError: the kernel size is below 0.

    Example:
        >>> layer = ShortConvolution(kernel_size=4)
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    def __init__(
        self,
        kernel_size: int,
        *,
        causal: bool = True,
        silu: bool = False,
        use_bias: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if kernel_size < 0:
            raise ValueError(
                "The kernel size of a short convolution must be at least 0. "
                f"Received: {kernel_size}. Use 0 for no convolution."
            )
        self.kernel_size = kernel_size
        self.causal = causal
        self.silu = silu
        self.use_bias = use_bias
        self.kernel = self.bias = None

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the kernel, (k, channels), and the bias, (channels)."""
        self.channels = input_shape[-1]
        if not self.kernel_size:
            return
        shape = (self.kernel_size, self.channels)
        # Only matrices that map channels to channels have the name "kernel".
        self.kernel = self.add_weight(
            shape, convolution_kernel(self.kernel_size), name="convolution"
        )
        if self.use_bias:
            self.bias = self.add_weight(shape[1:], "zeros", name="bias")

    @property
    def reach(self) -> int:
        """The number of other positions that a position sees: k − 1, or 0 without a convolution."""
        return max(0, self.kernel_size - 1)

    def call(self, hidden_states: Any, padding_mask: Any = None) -> Any:
        """Return the convolved positions."""
        before = self.reach if self.causal else self.kernel_size // 2
        after = self.reach - before
        states = zero_padding(hidden_states, padding_mask)
        return self._convolve(ops.pad(states, ((0, 0), (before, after), (0, 0))))

    def init_state(self, batch_size: int) -> Any:
        """Return zeros for the inputs at the k − 1 positions before the first."""
        return ops.zeros((batch_size, self.reach, self.channels), self.compute_dtype)

    def decode_step(self, hidden_states: Any, state: Any) -> tuple[Any, Any]:
        """Return the newest positions, (batch, m, channels), convolved, and the state after them.

        They equal those of a causal `call` on all positions so far. Time O(m·k).
        """
        known = ops.concatenate([state, hidden_states], axis=1)
        return self._convolve(known), known[:, known.shape[1] - self.reach :]

    def _convolve(self, padded: Any) -> Any:
        """Return the convolution of (batch, n + k − 1, channels): (batch, n, channels)."""
        if self.kernel is None:
            return ops.silu(padded) if self.silu else padded
        weights = (self.kernel,) if self.bias is None else (self.kernel, self.bias)
        return fused(convolve_with_silu if self.silu else convolve)(padded, *weights)


@in_float32_where_fused
def convolve(padded: Any, kernel: Any, bias: Any = None) -> Any:
    """Return a depthwise convolution: (batch, n + k − 1, c) to (batch, n, c).

    Shapes: kernel (k, c), bias (c) or None. Time and memory O(n).
    """
    kernel_size = kernel.shape[0]
    length = ops.shape(padded)[1] - kernel_size + 1
    kernel = ops.cast(kernel, padded.dtype)
    parts = (padded[:, offset : offset + length] * kernel[offset] for offset in range(kernel_size))
    total = next(parts) if bias is None else ops.cast(bias, padded.dtype)
    for part in parts:
        total = total + part
    return total


@in_float32_where_fused
def convolve_with_silu(padded: Any, kernel: Any, bias: Any = None) -> Any:
    """Return SiLU of `convolve`."""
    return ops.silu(convolve(padded, kernel, bias))
