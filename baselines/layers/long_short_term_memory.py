"""Long short-term memory as a mixer of positions, in one direction or in both.

Hochreiter and Schmidhuber 1997, "Long Short-Term Memory".
"""

from __future__ import annotations

from typing import Any

from keras import ops

from baselines.layers.backends import backend_functions
from baselines.layers.initialization import lstm
from baselines.layers.layer import Layer, zero_padding
from baselines.layers.sorting import sort_by_bucket


class LongShortTermMemory(Layer):
    """An LSTM over the positions; without `causal`, one for each direction.

    Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000. With `causal`, the
    LSTM has `width` units, as many as the input is wide. Otherwise each direction has half of
    them, and the outputs are concatenated (Schuster and Paliwal 1997). A padded position leaves the
    state as it is.

    In: hidden states (batch, n, width); the padding mask (batch, n), True where real. Out: (batch,
    n, width). Time O(n), in n steps that cannot run at once. Memory O(n) for the gradient. The
    decoding state has O(1) size: hidden state and cell state, (batch, width) each.

    Example:
        >>> layer = LongShortTermMemory(width=32)
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    def __init__(self, width: int, causal: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width
        self.causal = causal

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the LSTM of each direction; `forward` is a method of PyTorch's modules."""
        self.from_end = None
        half = self.width // 2
        if not self.causal:
            self.from_end = self._lstm(half, "backward")
            self.from_end.build(input_shape)
        self.from_start = self._lstm(self.width - (0 if self.causal else half), "forward")
        self.from_start.build(input_shape)

    def call(self, hidden_states: Any, padding_mask: Any = None) -> Any:
        """Return the outputs of the LSTMs."""
        outputs = self._run(self.from_start, hidden_states, padding_mask)
        if self.from_end is None:
            return outputs
        from_last = ops.flip(hidden_states, axis=1)
        mask = None if padding_mask is None else ops.flip(padding_mask, axis=1)
        reverse = ops.flip(self._run(self.from_end, from_last, mask), axis=1)
        return ops.concatenate([outputs, reverse], axis=-1)

    def init_state(self, batch_size: int, max_length: int) -> tuple[Any, Any]:
        """Return zeros for the hidden state and the cell state."""
        return self._zeros(batch_size, self.width)

    def decode_step(
        self, hidden_states: Any, state: tuple[Any, Any], position: Any
    ) -> tuple[Any, Any]:
        """Return the output for the newest positions, (batch, m, width), and the state after them.

        It equals that of `call` on all positions so far. Time O(m).
        """
        found: tuple[Any, Any] = backend_functions().run_lstm(self.from_start, hidden_states, state)
        return found

    def _lstm(self, units: int, name: str) -> Any:
        return lstm(
            units,
            return_sequences=True,
            return_state=True,
            name=name,
            dtype=self.dtype_policy,
        )

    def _run(self, layer: Any, inputs: Any, padding_mask: Any) -> Any:
        """Return the outputs of an LSTM, (batch, n, units); a padded position repeats the last one.

        The fused kernels know no mask. So real positions are moved to the front, in their order.
        """
        run_lstm = backend_functions().run_lstm
        zeros = self._zeros(ops.shape(inputs)[0], layer.units)
        if padding_mask is None:
            return run_lstm(layer, inputs, zeros)[0]
        is_real = ops.cast(padding_mask, "int32")
        real_first, _ = sort_by_bucket(1 - is_real, 2)
        inputs = zero_padding(inputs, padding_mask)
        moved = ops.take_along_axis(inputs, real_first[..., None], axis=1)
        outputs, _ = run_lstm(layer, moved, zeros)
        from_zeros = ops.pad(outputs, ((0, 0), (1, 0), (0, 0)))
        return ops.take_along_axis(from_zeros, ops.cumsum(is_real, axis=1)[..., None], axis=1)

    def _zeros(self, batch_size: Any, units: int) -> tuple[Any, Any]:
        shape = batch_size, units
        return ops.zeros(shape, self.compute_dtype), ops.zeros(shape, self.compute_dtype)
