"""Kimi Delta Attention: the gated delta rule with a decay for each channel of the keys.

Kimi team 2025, "Kimi Linear: An Expressive, Efficient Attention Architecture".
"""

from __future__ import annotations

from typing import Any

from baselines.layers.flops import convolve_channels
from baselines.layers.mixer import Mixer, largest_head_size, short_convolution_problem
from baselines.layers.state_sizes import FLOAT32_BYTES, convolution_bytes
from suite.api import BuildRequest

CHUNK_LENGTH = 64


class KimiDelta(Mixer):
    """The delta rule with decays of channels; keys and values are as wide as the model.

    Heads have at most `head_size` channels, whose number divides the width. The bottlenecks of
    decays and gates are as wide as a head. `short_convolution` is the kernel size of the
    convolution; 0 means none.
    """

    options = {"head_size": 64, "short_convolution": 4}
    has_direction = True
    carries_state = True

    def problem(self, request: BuildRequest) -> str | None:
        """Return why an option is invalid, or None."""
        if (size := request.options["head_size"]) < 1:
            return f"needs a head_size of at least 1; received: {size}. Use 64"
        return short_convolution_problem(request)

    def count_weights(self, request: BuildRequest) -> int:
        """Return the number of weights in the kernels of all projections."""
        width, head_size = request.model_size.width, largest_head_size(request)
        return width * (4 * width + 4 * head_size + width // head_size)

    def operations(self, request: BuildRequest) -> float:
        """Return the operations of convolution and scan, as those of Gated DeltaNet."""
        length, width = request.sequence_length, request.model_size.width
        head_size, chunk = largest_head_size(request), min(CHUNK_LENGTH, length)
        convolution = convolve_channels(length, 3 * width, request.options["short_convolution"])
        states = 6.0 * head_size * width * length
        comparisons = 2.0 * 5 * width * length * (chunk + 1) / 2
        inverses = width // head_size * length * chunk**2 / 3
        return float(convolution + states + comparisons + inverses)

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int) -> int:
        """Return the bytes of the states, in float32, and of the convolution's inputs."""
        width, head_size = request.model_size.width, largest_head_size(request)
        kernel_size = request.options["short_convolution"]
        inputs = convolution_bytes(3 * width, kernel_size, value_bytes)
        return inputs + head_size * width * FLOAT32_BYTES

    def layer(self, request: BuildRequest, backward: bool) -> Any:
        """Return the mixer."""
        from baselines.layers.kimi_delta_mixer import KimiDeltaMixer

        head_size = largest_head_size(request)
        return KimiDeltaMixer(
            request.model_size.width // head_size,
            head_size,
            short_convolution=request.options["short_convolution"],
            backward=backward,
            chunk_length=CHUNK_LENGTH,
        )


MIXER = KimiDelta()
