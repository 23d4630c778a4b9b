"""The mixer of Mamba: a selective state space whose channels have states of their own.

Gu and Dao 2023, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces".
"""

from __future__ import annotations

from typing import Any

from baselines.layers.flops import convolve_channels
from baselines.layers.mixer import Mixer, short_convolution_problem
from baselines.layers.state_sizes import FLOAT32_BYTES, convolution_bytes
from suite.api import BuildRequest


class Selective(Mixer):
    """The state space of Mamba with its convolution and gates.

    It expands the width by `expansion`, and each channel has `state_size` numbers. Step sizes come
    from `step_rank` numbers; 0 selects a sixteenth of the width. `short_convolution` is the
    kernel size of the convolution; 0 means none. With `normalized`, step sizes, keys and queries
    pass norms (Jamba).
    """

    options = {
        "expansion": 2,
        "state_size": 16,
        "step_rank": 0,
        "short_convolution": 4,
        "normalized": False,
    }
    has_direction = True
    carries_state = True

    def problem(self, request: BuildRequest) -> str | None:
        """Return why an option is invalid, or None."""
        options = request.options
        if min(options["expansion"], options["state_size"]) < 1:
            return f"needs sizes of at least 1; received: {dict(options)}. Use the defaults"
        if options["step_rank"] < 0:
            return f"needs a step_rank of at least 0; received: {options['step_rank']}. Use 0"
        return short_convolution_problem(request)

    def count_weights(self, request: BuildRequest) -> int:
        """Return the number of weights in the kernels and in the rates."""
        inner, state, rank = _sizes(request)
        return inner * (3 * request.model_size.width + 2 * rank + 3 * state)

    def operations(self, request: BuildRequest) -> float:
        """Return the operations of convolution and scan: six for each number of a state."""
        inner, state, _ = _sizes(request)
        length, kernel_size = request.sequence_length, request.options["short_convolution"]
        return convolve_channels(length, inner, kernel_size) + 6.0 * state * inner * length

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int) -> int:
        """Return the bytes of the states, in float32, and of the convolution's inputs."""
        inner, state, _ = _sizes(request)
        inputs = convolution_bytes(inner, request.options["short_convolution"], value_bytes)
        return inputs + inner * state * FLOAT32_BYTES

    def layer(self, request: BuildRequest, backward: bool) -> Any:
        """Return the mixer."""
        from baselines.layers.selective_state_space import SelectiveStateSpace

        options = request.options
        return SelectiveStateSpace(
            *_sizes(request),
            short_convolution=options["short_convolution"],
            normalized=options["normalized"],
            backward=backward,
        )


def _sizes(request: BuildRequest) -> tuple[int, int, int]:
    """Return the channels, the numbers of a channel's state, and the rank of the step sizes."""
    options, width = request.options, request.model_size.width
    rank = options["step_rank"] or -(-width // 16)
    return options["expansion"] * width, options["state_size"], rank


MIXER = Selective()
