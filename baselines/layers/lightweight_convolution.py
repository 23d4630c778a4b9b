"""Lightweight convolution: each position is a weighted sum of its neighbours.

Wu, Fan, Baevski, Dauphin, Auli 2019, "Pay Less Attention with Lightweight and Dynamic
Convolutions".
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from keras import ops

from baselines.layers.full_attention import check_heads
from baselines.layers.initialization import dense, kernel
from baselines.layers.layer import Layer, zero_padding
from baselines.layers.lengths import cut_end, is_known, pad_end

MIN_BLOCK = 32
"""The least number of positions in a block: smaller products cost more per position."""


class LightweightConvolution(Layer):
    """A gated projection, a lightweight convolution, and an output projection.

    Wu et al. 2019, section 3 and figure 2b: d is the width, k is `kernel_size`, H is `num_heads`.
    `input_projection` maps d to 2d channels, and a gated linear unit halves them. The convolution
    is depthwise. Its weights W, (H, k), are shared by the d/H channels of a head, and a softmax
    over k normalises them. `output_projection` is W^O. The paper drops weights in training
    (DropConnect); this layer does not, as the suite's attention drops no weights either.

    Without `causal`, k is odd and a position sees (k − 1)/2 neighbours on either side. With
    `causal`, it sees itself and k − 1 positions on its left. Padded positions count as zeros, like
    the positions beyond the ends.

    The convolution is a product with banded k × n matrices in blocks of positions, because every
    backend multiplies matrices fast. In and out: (batch, n, width); the padding mask is (batch, n),
    True where real. Time O(n·k), memory O(n).

    Raises:
        ValueError: the kernel size is below 1, or even without `causal`, or the width is not a
            multiple of the heads.

    Example:
        >>> layer = LightweightConvolution(num_heads=4, kernel_size=7)
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    def __init__(
        self, num_heads: int, kernel_size: int, causal: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if kernel_size < 1 or not (causal or kernel_size % 2):
            raise ValueError(
                "The kernel size must be at least 1, and odd unless the convolution is causal. "
                f"Received: kernel_size={kernel_size}, causal={causal}. Use {kernel_size | 1}."
            )
        self.num_heads = num_heads
        self.kernel_size = kernel_size
        self.causal = causal

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the two projections and the kernel of each head."""
        width = input_shape[-1]
        check_heads(width, self.num_heads)
        assert width is not None
        for name, units in (("input_projection", 2 * width), ("output_projection", width)):
            projection = dense(units, name=name, dtype=self.dtype_policy)
            projection.build(input_shape)
            setattr(self, name, projection)
        taps = (self.num_heads, self.kernel_size)
        self.kernel = self.add_float32_weight(taps, kernel(), "kernel")

    def call(self, hidden_states: Any, padding_mask: Any = None) -> Any:
        """Return the projected convolution."""
        before = self.kernel_size - 1 if self.causal else self.kernel_size // 2
        gated = zero_padding(self._gate(hidden_states), padding_mask)
        padded = ops.pad(gated, ((0, 0), (before, self.kernel_size - 1 - before), (0, 0)))
        return self.output_projection(self._convolve(padded))

    def init_state(self, batch_size: int, max_length: int) -> Any:
        """Return zeros for the gated inputs of the k − 1 positions before the first."""
        width = self.output_projection.units
        return ops.zeros((batch_size, self.kernel_size - 1, width), self.compute_dtype)

    def decode_step(self, hidden_states: Any, state: Any, position: Any) -> tuple[Any, Any]:
        """Return the output for the newest positions, and the state after them.

        The output, (batch, m, width), equals that of `call` on all positions so far. Time O(m·k).
        """
        known = ops.concatenate([state, self._gate(hidden_states)], axis=1)
        kept = known[:, known.shape[1] - state.shape[1] :]
        return self.output_projection(self._convolve(known)), kept

    def _gate(self, hidden_states: Any) -> Any:
        values, gates = ops.split(self.input_projection(hidden_states), 2, axis=-1)
        return values * ops.sigmoid(gates)

    def _convolve(self, padded: Any) -> Any:
        """Return the convolution of (batch, n + k − 1, width) without padding: (batch, n, width).

        A block of b ≥ k − 1 outputs needs b + k − 1 inputs, all within two blocks of inputs.
        """
        rows, width = ops.shape(padded)[1:]
        length = rows - self.kernel_size + 1
        smallest = min(MIN_BLOCK, length) if is_known(length) else MIN_BLOCK
        block = max(self.kernel_size - 1, smallest, 1)
        num_blocks = -(-length // block)
        padded = pad_end(padded, (num_blocks + 1) * block - rows, axis=1)
        heads = (-1, num_blocks + 1, block, self.num_heads, width // self.num_heads)
        blocks = ops.reshape(padded, heads)
        weights = ops.softmax(ops.convert_to_tensor(self.kernel), axis=-1)
        matrix = ops.einsum("hk,kij->hij", weights, _bands(self.kernel_size, block))
        first, second = ops.split(ops.cast(matrix, padded.dtype), 2, axis=-1)
        mixed = ops.einsum("hij,bnjhd->bnihd", first, blocks[:, :-1])
        mixed = mixed + ops.einsum("hij,bnjhd->bnihd", second, blocks[:, 1:])
        mixed = ops.reshape(mixed, (-1, num_blocks * block, width))
        return cut_end(mixed, length, axis=1)


@lru_cache
def _bands(kernel_size: int, block: int) -> np.ndarray:
    """Return (k, b, 2b), 1 where input j is the k-th that output i sees: j = i + k."""
    taps, outputs, inputs = np.ogrid[:kernel_size, :block, : 2 * block]
    bands: np.ndarray = (inputs == outputs + taps).astype("float32")
    return bands
