"""Lightweight convolution: each position is a weighted sum of its neighbours.

Wu et al. 2019, "Pay Less Attention with Lightweight and Dynamic Convolutions".
"""

from __future__ import annotations

from typing import Any

from baselines.layers.flops import pairs_in_window
from baselines.layers.mixer import Mixer
from suite.api import BuildRequest, Form


class LightConv(Mixer):
    """The paper's LightConv block with kernels of `kernel_size` positions."""

    options = {"kernel_size": 15}

    def problem(self, request: BuildRequest) -> str | None:
        """Return why the kernel size is invalid, or None."""
        kernel = request.options["kernel_size"]
        if kernel < 1 or kernel % 2 == 0:
            return f"needs a kernel_size that is odd and at least 1; received: {kernel}. Use 15"
        return None

    def missing_parts(self, request: BuildRequest) -> tuple[str, ...]:
        """Return the missing parts: removable heads."""
        return ("heads",)

    def count_weights(self, request: BuildRequest) -> int:
        """Return the number of weights in the kernels of both projections."""
        return 3 * request.model_size.width**2

    def operations(self, request: BuildRequest) -> float:
        """Return the operations of the convolution: two for each channel of an attended pair."""
        reach = request.options["kernel_size"] - 1
        sides = (reach, 0) if request.form is Form.DECODER else (reach // 2, reach // 2)
        return 2.0 * request.model_size.width * pairs_in_window(request.sequence_length, *sides)

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int) -> int:
        """Return the bytes of the inputs that the next position sees."""
        reach = int(request.options["kernel_size"]) - 1
        return reach * request.model_size.width * value_bytes

    def layer(self, request: BuildRequest, backward: bool) -> Any:
        """Return the convolution, which sees both sides where it is not causal."""
        from baselines.layers.lightweight_convolution import LightweightConvolution

        is_causal = request.form is Form.DECODER
        size, kernel = request.model_size, request.options["kernel_size"]
        return LightweightConvolution(size.num_heads, kernel, is_causal)


MIXER = LightConv()
