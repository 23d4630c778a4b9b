"""The recurrent block of Griffin with its real-gated linear recurrent unit.

De et al. 2024, "Griffin: Mixing Gated Linear Recurrences with Local Attention for Efficient
Language Models".
"""

from __future__ import annotations

from typing import Any

from baselines.layers.flops import convolve_channels
from baselines.layers.mixer import Mixer, short_convolution_problem
from baselines.layers.state_sizes import FLOAT32_BYTES, convolution_bytes
from suite.api import BuildRequest


class RealGated(Mixer):
    """The RG-LRU block, whose channels are as many as the width; the model's heads have the gates.

    `short_convolution` is the kernel size of the convolution; 0 means none.
    """

    options = {"short_convolution": 4}
    has_direction = True
    carries_state = True

    def problem(self, request: BuildRequest) -> str | None:
        """Return why an option is invalid, or None."""
        return short_convolution_problem(request)

    def count_weights(self, request: BuildRequest) -> int:
        """Return the number of weights in the kernels of the projections and of the gates."""
        size = request.model_size
        return size.width * (3 * size.width + 2 * size.width // size.num_heads)

    def operations(self, request: BuildRequest) -> float:
        """Return the operations of the convolution, and four for each channel and position."""
        length, width = request.sequence_length, request.model_size.width
        kernel_size = request.options["short_convolution"]
        return convolve_channels(length, width, kernel_size) + 4.0 * width * length

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int) -> int:
        """Return the bytes of the state, in float32, and of the convolution's inputs."""
        width, kernel_size = request.model_size.width, request.options["short_convolution"]
        return convolution_bytes(width, kernel_size, value_bytes) + (width + 1) * FLOAT32_BYTES

    def layer(self, request: BuildRequest, backward: bool) -> Any:
        """Return the block."""
        from baselines.layers.gated_linear_recurrence import GatedLinearRecurrence

        size = request.model_size
        return GatedLinearRecurrence(
            size.width,
            size.num_heads,
            short_convolution=request.options["short_convolution"],
            backward=backward,
        )


MIXER = RealGated()
