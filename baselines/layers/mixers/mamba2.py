"""The mixer of Mamba-2: a selective state space with one decay per head and position.

Dao and Gu 2024, "Transformers are SSMs: Generalized Models and Efficient Algorithms Through
Structured State Space Duality".
"""

from __future__ import annotations

from typing import Any

from baselines.layers.flops import CHUNK_LENGTH, convolve_channels, scan_operations
from baselines.layers.mixer import Mixer, largest_head_size, short_convolution_problem
from baselines.layers.state_sizes import FLOAT32_BYTES, convolution_bytes
from suite.api import BuildRequest


class StateSpace(Mixer):
    """The state space of Mamba-2 with its convolution, gates and norm.

    It expands the width by `expansion` (the paper's 2) into equal heads of at most `head_size`
    channels. `state_size` is the number of values in a channel's state; the default 0 selects a
    quarter of the width. `short_convolution` is the kernel size of the convolution; 0 means none.
    """

    options = {"expansion": 2, "head_size": 64, "state_size": 0, "short_convolution": 4}
    has_direction = True
    carries_state = True

    def problem(self, request: BuildRequest) -> str | None:
        """Return why an option is invalid, or None."""
        options = request.options
        if min(options["expansion"], options["head_size"]) < 1:
            return f"needs sizes of at least 1; received: {dict(options)}. Use the defaults"
        if options["state_size"] < 0:
            return f"needs a state of at least 0 numbers; received: {options['state_size']}"
        return short_convolution_problem(request)

    def count_weights(self, request: BuildRequest) -> int:
        """Return the number of weights in the kernels of both projections."""
        inner, state = _inner_width(request), _state_size(request)
        units = 3 * inner + 2 * state + inner // _head_size(request)
        return request.model_size.width * units

    def operations(self, request: BuildRequest) -> float:
        """Return the operations of convolution and scan: states, and comparisons in chunks."""
        length = request.sequence_length
        inner, state = _inner_width(request), _state_size(request)
        kernel_size = request.options["short_convolution"]
        convolution = convolve_channels(length, inner + 2 * state, kernel_size)
        return convolution + scan_operations(length, state, state, inner, CHUNK_LENGTH)

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int) -> int:
        """Return the bytes of the states, in float32, and of the convolution's inputs."""
        inner, state = _inner_width(request), _state_size(request)
        kernel_size = request.options["short_convolution"]
        inputs = convolution_bytes(inner + 2 * state, kernel_size, value_bytes)
        return inputs + state * inner * FLOAT32_BYTES

    def layer(self, request: BuildRequest, backward: bool) -> Any:
        """Return the mixer."""
        from baselines.layers.state_space import StateSpaceMixer

        head_size = _head_size(request)
        return StateSpaceMixer(
            _inner_width(request) // head_size,
            head_size,
            _state_size(request),
            short_convolution=request.options["short_convolution"],
            backward=backward,
        )


def _inner_width(request: BuildRequest) -> int:
    return int(request.options["expansion"]) * request.model_size.width


def _head_size(request: BuildRequest) -> int:
    return largest_head_size(request, _inner_width(request))


def _state_size(request: BuildRequest) -> int:
    return int(request.options["state_size"]) or max(1, request.model_size.width // 4)


MIXER = StateSpace()
