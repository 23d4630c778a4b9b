"""The mLSTM of xLSTM: a matrix memory with exponential gates.

Beck et al. 2024, "xLSTM: Extended Long Short-Term Memory"; Beck et al. 2025, "xLSTM 7B".
"""

from __future__ import annotations

from typing import Any

from baselines.layers.flops import CHUNK_LENGTH, scan_operations
from baselines.layers.mixer import Mixer, key_share_problem, value_and_key_widths
from baselines.layers.state_sizes import FLOAT32_BYTES
from suite.api import BuildRequest


class MatrixMemory(Mixer):
    """The mLSTM with the heads of the model.

    Keys have `key_share` of the width in all heads together, and values all of it.
    """

    options = {"key_share": 0.5}
    has_direction = True
    carries_state = True

    def problem(self, request: BuildRequest) -> str | None:
        """Return why the share of keys is invalid, or None."""
        return key_share_problem(request)

    def count_weights(self, request: BuildRequest) -> int:
        """Return the number of weights in the kernels of all projections."""
        width, keys = value_and_key_widths(request)
        return width * (2 * keys + 3 * width + 2 * request.model_size.num_heads)

    def operations(self, request: BuildRequest) -> float:
        """Return the operations of the states, and of the comparisons in chunks."""
        width, keys = value_and_key_widths(request)
        head_size = keys // request.model_size.num_heads
        return scan_operations(request.sequence_length, head_size, keys, width, CHUNK_LENGTH)

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int) -> int:
        """Return the bytes of the memories, their normalisers and scales, in float32."""
        width, keys = value_and_key_widths(request)
        heads = request.model_size.num_heads
        return (keys // heads * (width + heads) + heads) * FLOAT32_BYTES

    def layer(self, request: BuildRequest, backward: bool) -> Any:
        """Return the mLSTM."""
        from baselines.layers.matrix_lstm import MatrixLSTM

        width, keys = value_and_key_widths(request)
        return MatrixLSTM(request.model_size.num_heads, keys, width, backward=backward)


MIXER = MatrixMemory()
