"""Long short-term memory, in one direction or in both.

Hochreiter and Schmidhuber 1997, "Long Short-Term Memory".
"""

from __future__ import annotations

from typing import Any

from baselines.layers.mixer import Mixer
from suite.api import BuildRequest, Form


class LongShortTerm(Mixer):
    """An LSTM as wide as the model; in an encoder, one of half the width for each direction."""

    carries_state = True

    def count_weights(self, request: BuildRequest) -> int:
        """Return the number of weights in the kernels of inputs and states."""
        return (8 if request.form is Form.DECODER else 6) * request.model_size.width**2

    def operations(self, request: BuildRequest) -> float:
        """Return the operations of the cells: three multiplications and an addition per unit.

        The recurrent products are with weights, and are counted from these.
        """
        return 4.0 * request.model_size.width * request.sequence_length

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int) -> int:
        """Return the bytes of the hidden state and the cell state."""
        return 2 * request.model_size.width * value_bytes

    def layer(self, request: BuildRequest, backward: bool) -> Any:
        """Return the LSTM, which reads an encoder's input from both ends."""
        from baselines.layers.long_short_term_memory import LongShortTermMemory

        return LongShortTermMemory(request.model_size.width, request.form is Form.DECODER)


MIXER = LongShortTerm()
