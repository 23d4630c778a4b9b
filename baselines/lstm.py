"""The recurrent control: the Transformer with LSTMs in place of self-attention.

Hochreiter and Schmidhuber 1997, "Long Short-Term Memory", section 4.
"""

from __future__ import annotations

from typing import Any

from baselines.layers.flops import over_stacks
from baselines.layers.mixers.lstm import MIXER
from baselines.layers.state_sizes import source_bytes
from suite.api import Architecture, BuildRequest, Form, Inputs


class LSTM(Architecture):
    """`vanilla` with an LSTM in each layer in place of self-attention, and without positions.

    The encoder's LSTMs run in both directions, with half of the units each; the decoder's run
    forward. A padded position leaves the state as it is. A decoder of a stream carries its state
    from batch to batch. In the encoder-decoder form, the decoder keeps attention to the encoder's
    output. A narrower feed-forward network makes up for the LSTMs' parameters: 6 · width² in both
    directions and 8 · width² in one, where attention has 4 · width².
    """

    version = 1
    title = "LSTM (control)"
    paper = "Hochreiter and Schmidhuber 1997, Long Short-Term Memory"
    forms = frozenset(Form)
    inputs = frozenset(Inputs)
    claimed_time = "n"
    claimed_memory = "n"
    control = True

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Return why parity is impossible at this size, or None."""
        size = request.model_size
        if size.feedforward_width <= 2 * size.width:
            return (
                "needs a feed-forward network wider than twice the width, to give its parameters "
                f"to the LSTM; received: width={size.width}, "
                f"feedforward_width={size.feedforward_width}"
            )
        return None

    def missing_parts(self, request: BuildRequest) -> tuple[str, ...]:
        """Return the missing parts: only attention to an encoder's output has removable heads."""
        return () if request.form is Form.ENCODER_DECODER else ("heads",)

    def mixing_operations(self, request: BuildRequest) -> float:
        """Return the operations of the cells."""
        num_layers = request.model_size.num_layers
        return over_stacks(request, lambda causal: num_layers * MIXER.operations(request))

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int = 4) -> int:
        """Return the bytes of the hidden states and cell states."""
        states = MIXER.state_bytes(request, max_length, value_bytes)
        return request.model_size.num_layers * states + source_bytes(request, value_bytes)

    def assemble(self, request: BuildRequest) -> Any:
        """Build the requested form."""
        from baselines.layers.block import Block
        from baselines.layers.long_short_term_memory import LongShortTermMemory
        from baselines.layers.transformer import build_transformer

        size = request.model_size
        return build_transformer(
            request,
            Block(positions="none"),
            mixer=lambda index, causal: LongShortTermMemory(size.width, causal),
            feedforward_width=lambda causal: (
                size.feedforward_width - (2 if causal else 1) * size.width
            ),
            carries_state=True,
        )


ARCHITECTURE = LSTM()
