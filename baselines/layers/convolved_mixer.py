"""The base of mixers that read a sequence by a short causal convolution and then a recurrence.

The mixers of Mamba-2 (Dao and Gu 2024) and of Gated DeltaNet (Yang et al. 2025) have this form.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from baselines.layers.directed_mixer import DirectedMixer
from baselines.layers.short_convolution import ShortConvolution


class ConvolvedMixer(DirectedMixer):
    """A projection, a short causal convolution with SiLU, and a recurrence of the subclass.

    `short_convolution` is the convolution's kernel size; 0 means no convolution, but SiLU. A
    subclass builds `convolution`, whose bias exists if `convolution_has_bias`. It defines
    `convolved_width` (the channels), `state_shape` (of one example's recurrent state), `_project`
    and `_mix`. The convolution reads zeros at padded positions.

    In: hidden states (batch, n, d); the padding mask (batch, n), True where real. Out: (batch, n,
    d). The convolution takes O(n) time and memory. The decoding state has O(1) size: the last
    inputs of the convolution, and the state of the recurrence in float32.
    """

    convolution_has_bias = False

    def __init__(self, short_convolution: int = 4, backward: bool = False, **kwargs: Any) -> None:
        super().__init__(backward, **kwargs)
        self.short_convolution = short_convolution
        self.convolution = ShortConvolution(
            short_convolution,
            silu=True,
            use_bias=self.convolution_has_bias,
            name="convolution",
            dtype=self.dtype_policy,
        )

    @property
    def convolved_width(self) -> int:
        """The channels of the convolution."""
        raise NotImplementedError

    @property
    def state_shape(self) -> tuple[int, ...]:
        """The shape of the recurrent state of one example."""
        raise NotImplementedError

    def init_state(self, batch_size: int, max_length: int) -> tuple[Any, Any]:
        """Return zeros for the inputs of the convolution and for the state of each head."""
        return (
            self.convolution.init_state(batch_size),
            ops.zeros((batch_size, *self.state_shape), "float32"),
        )

    def _run(self, hidden_states: Any, padding_mask: Any, state: Any) -> tuple[Any, Any]:
        inputs, carried = (None, None) if state is None else state
        gates, convolved, steps = self._project(hidden_states)
        if inputs is None:
            convolved = self.convolution(convolved)
        else:
            convolved, inputs = self.convolution.decode_step(convolved, inputs)
        mixed, carried = self._mix(gates, convolved, steps, padding_mask, carried)
        return mixed, (inputs, carried)

    def _project(self, hidden_states: Any) -> tuple[Any, Any, Any]:
        """Return the gates, the inputs of the convolution, and the inputs of the decays."""
        raise NotImplementedError

    def _mix(
        self, gates: Any, convolved: Any, steps: Any, padding_mask: Any, state: Any
    ) -> tuple[Any, Any]:
        """Return the output, and the state of each head after the last position."""
        raise NotImplementedError
